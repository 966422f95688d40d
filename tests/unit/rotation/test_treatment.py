from __future__ import annotations

from practicus_mfa.core.observed import OWN_TABLE
from practicus_mfa.crypto.keys import HeldKeys, generate_key
from practicus_mfa.crypto.tokens import open_sealed, seal
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.storage.relations.cells import Cell, Kind

NOW = 1_700_000_000
OLD, NEW, LOST = generate_key(), generate_key(), generate_key()
KEYS = HeldKeys([NEW, OLD])


def test_our_tokens_are_bound_to_their_owner() -> None:
    treat = treatment(OWN_TABLE, KEYS, NEW.id)
    token = seal(b"secret", owner=1, key=OLD, now=NOW)
    mine, theirs = treat(
        [Cell(1, 0, token, OLD.id, None, 1), Cell(2, 0, token, OLD.id, None, 2)],
    )
    assert mine.kind is Kind.MIGRATED
    assert open_sealed(str(mine.token), owner=1, keys=HeldKeys([NEW])).secret == b"secret"
    assert (theirs.kind, theirs.token, theirs.reason) == (Kind.CORRUPT, token, "swapped")


def test_the_tokens_of_others_are_bare_and_keep_their_type() -> None:
    treat = treatment("secrets", KEYS, NEW.id)
    text, data, current = treat(
        [
            Cell("a", 0, OLD.fernet().encrypt_at_time(b"text", NOW).decode()),
            Cell("a", 1, OLD.fernet().encrypt_at_time(b"bytes", NOW)),
            Cell("b", 0, NEW.fernet().encrypt_at_time(b"new", NOW)),
        ]
    )
    assert (text.kind, data.kind, current.kind) == (Kind.MIGRATED, Kind.MIGRATED, Kind.CURRENT)
    assert isinstance(text.token, str)
    assert isinstance(data.token, bytes)
    assert NEW.fernet().decrypt(text.token) == b"text"
    assert NEW.fernet().decrypt(data.token) == b"bytes"
    assert current.token == current.cell.token


def test_what_was_found_corrupt_stays_corrupt_although_its_hint_is_gone() -> None:
    treat = treatment(OWN_TABLE, KEYS, NEW.id)
    token = seal(b"secret", owner=1, key=LOST, now=NOW)
    kinds = [
        treat([Cell(1, 0, token, hint, fault, 1)])[0].kind
        for hint, fault in (
            (None, None),
            (None, "unknown"),
            (LOST.id, None),
            (OLD.id, None),
            (None, "corrupt"),
        )
    ]
    assert kinds == [Kind.UNKNOWN, Kind.UNKNOWN, Kind.UNKNOWN, Kind.CORRUPT, Kind.CORRUPT]


def test_a_token_is_not_shown() -> None:
    token = seal(b"secret", owner=1, key=OLD, now=NOW)
    (done,) = treatment(OWN_TABLE, KEYS, NEW.id)([Cell(1, 0, token, OLD.id, None, 1)])
    assert token not in repr(done)
    assert str(done.token) not in repr(done)
