"""The keyring's files: whole, private, and the archive keeps the keys that old backups may need."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_file import load
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.errors import UsageError
from practicus_mfa.reconciler.embedded.keyring_files import KeyringFiles

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [FernetKey(bytes([number]) * 32) for number in range(8)]
HELD = HeldKeys(KEYS)
STAGED, ACTIVE, RETIRED = KeyState.STAGED, KeyState.ACTIVE, KeyState.RETIRED


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


def _save(folder: DataFolder, generation: int, *states: tuple[int, KeyState]) -> None:
    keyring = Keyring(generation, {KEYS[number].id: state for number, state in states})
    KeyringFiles(folder).save(keyring, HELD)


def _archived(folder: DataFolder) -> list[int]:
    keys = load(folder.keyring_archive.read_text())[1]
    return [KEYS.index(key) for key in keys.values()]


def test_no_keyring(folder: DataFolder) -> None:
    assert KeyringFiles(folder).load() is None


def test_what_is_saved_is_loaded_and_private(folder: DataFolder) -> None:
    _save(folder, 1, (0, ACTIVE), (1, STAGED))
    loaded = KeyringFiles(folder).load()
    assert loaded is not None
    assert loaded[0] == Keyring(1, {KEYS[0].id: ACTIVE, KEYS[1].id: STAGED})
    assert set(loaded[1].values()) == set(KEYS[:2])
    assert stat.S_IMODE(folder.keyring.stat().st_mode) == 0o600
    assert not folder.keyring_archive.exists()


def test_the_archive_keeps_those_that_left_last(folder: DataFolder) -> None:
    for number in range(6):
        _save(folder, number + 1, (number, RETIRED), (7, ACTIVE))
    assert _archived(folder) == [2, 3, 4]
    assert stat.S_IMODE(folder.keyring_archive.stat().st_mode) == 0o600


def test_a_key_that_leaves_again_is_the_last_to_have_left(folder: DataFolder) -> None:
    for generation, number in enumerate((0, 1, 2, 0, 3, 4)):
        _save(folder, generation + 1, (number, RETIRED), (7, ACTIVE))
    assert _archived(folder) == [2, 0, 3]


def test_keys_that_never_wrote_push_out_none_that_did(folder: DataFolder) -> None:
    _save(folder, 1, (0, RETIRED), (7, ACTIVE))
    for number in range(1, 6):
        _save(folder, number + 1, (number, STAGED), (7, ACTIVE))
    _save(folder, 7, (7, ACTIVE))
    assert _archived(folder) == [0, 4, 5]


def test_a_damaged_archive_lets_no_key_go(folder: DataFolder) -> None:
    _save(folder, 1, (0, RETIRED), (7, ACTIVE))
    folder.keyring_archive.write_text("generation: 0\n")
    with pytest.raises(UsageError, match="keyring-archive"):
        _save(folder, 2, (7, ACTIVE))
    loaded = KeyringFiles(folder).load()
    assert loaded is not None
    assert KEYS[0].id in loaded[0].ids


def test_a_keyring_behind_a_link_that_leads_nowhere_is_not_taken_for_none(folder: DataFolder) -> None:
    folder.keyring.symlink_to(folder.root / "not mounted" / "keyring.yaml")
    with pytest.raises(UsageError):
        KeyringFiles(folder).load()
