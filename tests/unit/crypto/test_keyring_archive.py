"""The archive: keys that left the keyring stay readable for old backups, the last ones first of all."""

from __future__ import annotations

import pytest

from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_archive import archived, leaving
from practicus_mfa.crypto.keyring_file import load
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.errors import UsageError

KEYS = [FernetKey(bytes([number]) * 32) for number in range(8)]
HELD = HeldKeys(KEYS)
STAGED, ROLLING, RETIRED = KeyState.STAGED, KeyState.ROLLING, KeyState.RETIRED


def _archived(text: str | None, *gone: tuple[int, KeyState]) -> str:
    return archived(text, {KEYS[number].id: state for number, state in gone}, HELD, source="the archive")


def _keys(text: str) -> dict[int, KeyState]:
    keyring, held = load(text)
    return {KEYS.index(key): keyring.states[name] for name, key in held.items()}


def test_no_keyring_lets_no_key_go() -> None:
    assert leaving(None, Keyring(1)) == {}


def test_those_that_are_no_longer_in_the_keyring_leave_with_their_state() -> None:
    was = Keyring(1, {KEYS[0].id: RETIRED, KEYS[1].id: STAGED, KEYS[2].id: KeyState.ACTIVE})
    gone = leaving((was, HeldKeys(KEYS[:3])), Keyring(2, {KEYS[2].id: KeyState.ACTIVE}))
    assert gone == {KEYS[0].id: RETIRED, KEYS[1].id: STAGED}


def test_what_wrote_once_is_retired_there() -> None:
    text = _archived(None, (0, ROLLING), (1, STAGED))
    assert _keys(text) == {0: RETIRED, 1: STAGED}


def test_the_last_three_stay() -> None:
    text: str | None = None
    for number in range(5):
        text = _archived(text, (number, RETIRED))
    assert text is not None
    assert list(_keys(text)) == [2, 3, 4]


def test_one_that_leaves_again_is_the_last_to_have_left() -> None:
    text: str | None = None
    for number in (0, 1, 2, 0, 3):
        text = _archived(text, (number, RETIRED))
    assert text is not None
    assert list(_keys(text)) == [2, 0, 3]


def test_one_that_never_wrote_makes_room_first() -> None:
    text = _archived(None, (0, RETIRED), (1, STAGED), (2, STAGED))
    text = _archived(text, (3, STAGED))
    assert list(_keys(text)) == [0, 2, 3]
    text = _archived(text, (4, RETIRED), (5, RETIRED))
    assert list(_keys(text)) == [0, 4, 5]


def test_a_damaged_archive_is_named() -> None:
    with pytest.raises(UsageError, match=r"^the archive: "):
        _archived("generation: 0\n", (0, RETIRED))
