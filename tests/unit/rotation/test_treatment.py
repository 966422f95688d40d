from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from practicus_mfa.core.observed import OWN_TABLE
from practicus_mfa.crypto.keys import HeldKeys, generate_key
from practicus_mfa.crypto.pages import PageEngine
from practicus_mfa.crypto.rows import RotatedPage
from practicus_mfa.crypto.tokens import open_sealed, seal
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.storage.relations.cells import Cells, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from practicus_mfa.core.keyring import KeyId
    from practicus_mfa.storage.relations.cells import Token

NOW = 1_700_000_000
OLD, NEW, LOST = generate_key(), generate_key(), generate_key()
KEYS = HeldKeys([NEW, OLD])


def _ours(
    *tokens: str, owners: Sequence[int], hint: KeyId | None = OLD.id, fault: str | None = None
) -> Cells:
    count = len(tokens)
    return Cells(
        ids=range(1, count + 1),
        tokens=tokens,
        columns=[0] * count,
        hints=[hint] * count,
        faults=[fault] * count,
        owners=owners,
    )


def _theirs(*tokens: Token) -> Cells:
    count = len(tokens)
    nothing = [None] * count
    return Cells(ids=range(count), tokens=tokens, columns=[0] * count, hints=nothing, faults=nothing)


def test_our_tokens_are_bound_to_their_owner() -> None:
    token = seal(b"secret", owner=1, key=OLD, now=NOW)
    treated = treatment(OWN_TABLE, KEYS, NEW.id)(_ours(token, token, owners=[1, 2]))
    assert treated.kinds == [Kind.MIGRATED, Kind.CORRUPT]
    assert treated.reasons == ["", "swapped"]
    mine, theirs = treated.tokens
    assert open_sealed(str(mine), owner=1, keys=HeldKeys([NEW])).secret == b"secret"
    assert theirs == token


def test_the_tokens_of_others_are_bare_and_keep_their_type() -> None:
    cells = _theirs(
        OLD.fernet().encrypt_at_time(b"text", NOW).decode(),
        OLD.fernet().encrypt_at_time(b"bytes", NOW),
        NEW.fernet().encrypt_at_time(b"new", NOW),
    )
    treated = treatment("secrets", KEYS, NEW.id)(cells)
    assert treated.kinds == [Kind.MIGRATED, Kind.MIGRATED, Kind.CURRENT]
    text, data, current = treated.tokens
    assert isinstance(text, str)
    assert isinstance(data, bytes)
    assert NEW.fernet().decrypt(text) == b"text"
    assert NEW.fernet().decrypt(data) == b"bytes"
    assert current == cells.tokens[2]


def test_what_was_found_corrupt_stays_corrupt_although_its_hint_is_gone() -> None:
    treat = treatment(OWN_TABLE, KEYS, NEW.id)
    token = seal(b"secret", owner=1, key=LOST, now=NOW)
    kinds = [
        treat(_ours(token, owners=[1], hint=hint, fault=fault)).kinds
        for hint, fault in (
            (None, None),
            (None, "unknown"),
            (LOST.id, None),
            (OLD.id, None),
            (None, "corrupt"),
        )
    ]
    assert kinds == [[Kind.UNKNOWN], [Kind.UNKNOWN], [Kind.UNKNOWN], [Kind.CORRUPT], [Kind.CORRUPT]]


@pytest.mark.parametrize("owners", [[], [1]])
def test_a_row_of_ours_without_an_owner_is_never_taken_for_somebodys(owners: list[int]) -> None:
    token = seal(b"secret", owner=1, key=OLD, now=NOW)
    with pytest.raises(ValueError, match="the columns of a page differ in length"):
        treatment(OWN_TABLE, KEYS, NEW.id)(_ours(token, token, owners=owners))


def test_a_row_of_which_nothing_is_known_never_counts_as_current(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(*_: object, **__: object) -> RotatedPage[str]:
        return RotatedPage(tokens=["token"] * 2, current=[0], refused={})

    monkeypatch.setattr(PageEngine, "rotate", forgetful)
    with pytest.raises(KeyError):
        treatment("secrets", KEYS, NEW.id)(_theirs("token", "token"))


def test_a_token_is_not_shown() -> None:
    token = seal(b"secret", owner=1, key=OLD, now=NOW)
    treated = treatment(OWN_TABLE, KEYS, NEW.id)(_ours(token, owners=[1]))
    assert token not in repr(treated)
    assert str(treated.tokens[0]) not in repr(treated)
