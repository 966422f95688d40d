"""Tokens of our own table: bound to their owner."""

from __future__ import annotations

import pytest

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.faults import Reason
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.crypto.tokens import (
    CorruptTokenError,
    Opened,
    UnknownKeyError,
    UnreadableTokenError,
    bound,
    open_sealed,
    opens_canary,
    seal,
    seal_canary,
)
from practicus_mfa.errors import EXIT_NEEDS_PERSON

KEY, OTHER = FernetKey(bytes(32)), FernetKey(bytes([1]) * 32)
SECRET = bytes(range(20))
NOW = 1_700_000_000
TOKEN = seal(SECRET, owner=7, key=KEY, now=NOW)


def test_a_sealed_secret_opens_for_its_owner() -> None:
    assert open_sealed(TOKEN, owner=7, keys=HeldKeys([OTHER, KEY])) == Opened(SECRET, KEY.id)


def test_the_format_is_fernet_with_version_and_owner_in_front() -> None:
    assert KEY.fernet().decrypt(TOKEN) == b"\x01" + b"\0" * 7 + b"\x07" + SECRET
    assert KEY.fernet().extract_timestamp(TOKEN) == NOW
    assert bound(b"", 2**64 - 1) == b"\x01" + b"\xff" * 8


def test_one_secret_is_never_sealed_alike() -> None:
    assert seal(SECRET, owner=7, key=KEY, now=NOW) != TOKEN


def _bare(plaintext: bytes) -> str:
    return KEY.fernet().encrypt_at_time(plaintext, NOW).decode()


def _flipped(token: str, place: int) -> str:
    return token[:place] + ("B" if token[place] == "A" else "A") + token[place + 1 :]


@pytest.mark.parametrize(
    ("token", "owner", "hint", "reason", "message"),
    [
        (TOKEN, 8, KEY.id, Reason.SWAPPED, "the token was sealed for another user"),
        (TOKEN, 8, None, Reason.SWAPPED, "the token was sealed for another user"),
        (_bare(b"\x02" + b"\0" * 7 + b"\x07"), 7, None, Reason.VERSION, ""),
        (
            _bare(b"\x01\0\0"),
            7,
            None,
            Reason.VERSION,
            "the token opens, but its content is of no known version",
        ),
        (_bare(b""), 7, None, Reason.VERSION, ""),
        (seal_canary(KEY), 7, None, Reason.VERSION, ""),
        (_flipped(TOKEN, 50), 7, KEY.id, Reason.TAMPERED, "the token was changed after it was sealed"),
        (_flipped(TOKEN, 50), 7, None, Reason.UNKNOWN_KEY, "no known key opens the token"),
        (TOKEN[:-4], 7, KEY.id, Reason.TRUNCATED, "the token is cut short"),
        (TOKEN[:-1], 7, None, Reason.UNKNOWN_KEY, ""),
        ("\u015fifre", 7, None, Reason.MALFORMED, "the token is not a Fernet token"),
        (seal(SECRET, owner=7, key=OTHER, now=NOW), 7, OTHER.id, Reason.UNKNOWN_KEY, ""),
    ],
)
def test_what_does_not_open_says_why(
    token: str, owner: int, hint: KeyId | None, reason: Reason, message: str
) -> None:
    kind = UnknownKeyError if reason is Reason.UNKNOWN_KEY else CorruptTokenError
    with pytest.raises(UnreadableTokenError) as raised:
        open_sealed(token, owner=owner, keys=HeldKeys([KEY]), hint=hint)
    assert type(raised.value) is kind
    assert (raised.value.reason, raised.value.fault) == (reason, reason.fault)
    assert raised.value.exit_code == EXIT_NEEDS_PERSON
    assert raised.value.remedy
    assert message in raised.value.message
    assert token not in str(raised.value) + raised.value.remedy


def test_a_key_knows_its_canary() -> None:
    assert opens_canary(seal_canary(KEY), KEY)
    assert not opens_canary(seal_canary(KEY), OTHER)
    assert not opens_canary(TOKEN, KEY)
    assert not opens_canary("", KEY)


def test_nothing_shows_a_secret() -> None:
    assert repr(Opened(SECRET, KEY.id)) == f"Opened(key_id='{KEY.id}')"
