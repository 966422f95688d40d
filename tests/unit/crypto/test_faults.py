"""Why a token that no key opens can't be read."""

from __future__ import annotations

import pytest

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.faults import Reason, reason_unopened
from practicus_mfa.crypto.keys import FernetKey, HeldKeys

KEY, OTHER = FernetKey(bytes(32)), FernetKey(bytes([1]) * 32)
HELD = HeldKeys([KEY])
TOKEN = OTHER.fernet().encrypt_at_time(b"twenty bytes, no less", 1_700_000_000).decode()


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (TOKEN, Reason.UNKNOWN_KEY),
        (TOKEN.encode(), Reason.UNKNOWN_KEY),
        (TOKEN.rstrip("="), Reason.UNKNOWN_KEY),
        (f" {TOKEN[:10]}\n{TOKEN[10:]}", Reason.UNKNOWN_KEY),
        (TOKEN[:-10], Reason.TRUNCATED),
        (TOKEN[:13], Reason.TRUNCATED),
        (TOKEN[:2], Reason.TRUNCATED),
        (OTHER.fernet().encrypt(b"")[:76], Reason.TRUNCATED),
        ("gAAA", Reason.TRUNCATED),
        ("g", Reason.MALFORMED),
        ("", Reason.MALFORMED),
        ("=" * 8, Reason.MALFORMED),
        ("A" + TOKEN[1:], Reason.MALFORMED),
        ("no token at all", Reason.MALFORMED),
        ("\u015f\u00fckr\u00fc", Reason.MALFORMED),
        (b"\xff\xfe\x00", Reason.MALFORMED),
    ],
)
@pytest.mark.parametrize("hint", [None, KEY.id, OTHER.id], ids=["no hint", "a held key", "another key"])
def test_the_reason(token: str | bytes, reason: Reason, hint: KeyId | None) -> None:
    if reason is Reason.UNKNOWN_KEY and hint == KEY.id:
        reason = Reason.TAMPERED
    assert reason_unopened(token, hint, HELD) is reason


def test_only_an_unknown_key_can_be_cured() -> None:
    assert {reason: reason.fault for reason in Reason} == {
        Reason.UNKNOWN_KEY: "unknown",
        Reason.MALFORMED: "corrupt",
        Reason.TRUNCATED: "corrupt",
        Reason.TAMPERED: "corrupt",
        Reason.SWAPPED: "corrupt",
        Reason.VERSION: "corrupt",
    }


def test_no_key_is_held() -> None:
    assert reason_unopened(TOKEN, OTHER.id, HeldKeys()) is Reason.UNKNOWN_KEY
