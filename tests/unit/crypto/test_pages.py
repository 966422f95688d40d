"""The page engine, case by case; that it agrees with ``cryptography`` on every token is a property."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.faults import Reason
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.crypto.pages import PageEngine
from practicus_mfa.crypto.rows import RotatedPage, SealedPage
from practicus_mfa.crypto.streams import KeyStream
from practicus_mfa.crypto.tokens import Opened, open_sealed, seal, seal_canary
from tests.support.token_rows import Current, Outcome, Refused, Rotated, Row, rotate

OLD, NEW, THIRD = (FernetKey(bytes([number]) * 32) for number in range(3))
KEYS = HeldKeys([NEW, OLD])
SECRET = bytes(range(20))
NOW = 1_700_000_000


def _sealed(key: FernetKey, owner: int) -> str:
    return seal(SECRET, owner=owner, key=key, now=NOW + owner)


def _bare(key: FernetKey, plaintext: bytes = SECRET) -> str:
    return key.fernet().encrypt_at_time(plaintext, NOW).decode()


def _rotate(*rows: Row[str], keys: HeldKeys = KEYS) -> list[Outcome[str]]:
    return rotate(rows, keys=keys, write_key=NEW.id, bound=True)


def _flip_bit(token: str, place: int = 70) -> str:
    data = bytearray(base64.urlsafe_b64decode(token))
    data[place] ^= 1
    return base64.urlsafe_b64encode(data).decode()


def _forged(key: FernetKey, padded: bytes) -> str:
    """A token with a good MAC over any *padded* plaintext, which only the key's holder can make."""
    iv = bytes(range(16))
    body = iv + Cipher(AES(key.encryption), CBC(iv)).encryptor().update(padded)
    signed = b"\x80" + NOW.to_bytes(8, "big") + body
    return base64.urlsafe_b64encode(signed + hmac.digest(key.signing, signed, "sha256")).decode()


def test_an_empty_page() -> None:
    assert _rotate() == []


def test_a_page_of_the_old_key_is_sealed_under_the_new() -> None:
    owners = range(1, 50)
    outcomes = _rotate(*(Row(_sealed(OLD, owner), OLD.id, owner) for owner in owners))
    for owner, outcome in zip(owners, outcomes, strict=True):
        assert isinstance(outcome, Rotated)
        assert open_sealed(outcome.token, owner=owner, keys=HeldKeys([NEW])) == Opened(SECRET, NEW.id)
        assert NEW.fernet().extract_timestamp(outcome.token) == NOW + owner


@pytest.mark.parametrize("hint", [None, OLD.id, NEW.id, THIRD.id])
def test_a_token_under_the_write_key_is_current_whatever_its_hint(hint: KeyId | None) -> None:
    assert _rotate(Row(_sealed(NEW, 1), hint, 1)) == [Current()]


def test_a_page_of_everything() -> None:
    tampered, short = _flip_bit(_sealed(OLD, 5)), _sealed(OLD, 6)[:-8]
    rows = [
        Row(_sealed(OLD, 1), OLD.id, 1),
        Row(_sealed(NEW, 2), NEW.id, 2),
        Row(_sealed(OLD, 3), NEW.id, 3),
        Row(_sealed(THIRD, 4), THIRD.id, 4),
        Row(tampered, OLD.id, 5),
        Row(tampered, None, 5),
        Row(short, OLD.id, 6),
        Row("nonsense", OLD.id, 7),
        Row(_sealed(OLD, 1), OLD.id, 8),
        Row(_sealed(NEW, 1), NEW.id, 9),
        Row(_bare(OLD), OLD.id, 10),
        Row(_bare(OLD, b"\x01" + bytes(28)), OLD.id, 11),
        Row(seal_canary(OLD), OLD.id, 12),
        Row(_sealed(OLD, 13)[:30] + "\n" + _sealed(OLD, 13)[30:], OLD.id, 13),
        Row(f" {_sealed(OLD, 1)}", OLD.id, 14),
        Row(f"{_sealed(OLD, 15)}=", OLD.id, 15),
        Row(f"{_sealed(NEW, 16)}\n", OLD.id, 16),
    ]
    told = [
        outcome.reason if isinstance(outcome, Refused) else type(outcome).__name__.lower()
        for outcome in _rotate(*rows)
    ]
    assert told[:13] == [
        "rotated",
        "current",
        "rotated",
        Reason.UNKNOWN_KEY,
        Reason.TAMPERED,
        Reason.UNKNOWN_KEY,
        Reason.TRUNCATED,
        Reason.MALFORMED,
        Reason.SWAPPED,
        Reason.SWAPPED,
        Reason.VERSION,
        Reason.SWAPPED,
        Reason.VERSION,
    ]
    # Row 13 mixes two tokens: its IV and its ciphertext are not of one message.
    assert told[13:] == [Reason.TAMPERED, Reason.SWAPPED, "rotated", "current"]


def test_refused_rows_in_the_middle_of_a_page_leave_the_others_right() -> None:
    rows = [Row(_sealed(OLD, owner), OLD.id, owner) for owner in range(40)]
    rows[7] = rows[7]._replace(token=_flip_bit(rows[7].token))
    rows[8] = rows[8]._replace(token=rows[9].token)
    rows[20] = rows[20]._replace(token=_sealed(NEW, 20))
    rows[21] = rows[21]._replace(token="!" + rows[21].token[1:])
    rows[22] = rows[22]._replace(token="\u00e9" + rows[22].token[1:])
    outcomes = _rotate(*rows)
    refused = {row: outcome for row, outcome in enumerate(outcomes) if not isinstance(outcome, Rotated)}
    assert refused == {
        7: Refused(Reason.TAMPERED),
        8: Refused(Reason.SWAPPED),
        20: Current(),
        21: Refused(Reason.MALFORMED),
        22: Refused(Reason.MALFORMED),
    }
    for owner, outcome in enumerate(outcomes):
        if isinstance(outcome, Rotated):
            assert open_sealed(outcome.token, owner=owner, keys=HeldKeys([NEW])).secret == SECRET


def test_nothing_without_a_good_mac_is_decrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    decrypted: list[bytes] = []
    decrypt = KeyStream.decrypt

    def spy(stream: KeyStream, bodies: Iterable[bytes]) -> bytes:
        listed = list(bodies)
        decrypted.extend(listed)
        return decrypt(stream, listed)

    monkeypatch.setattr(KeyStream, "decrypt", spy)
    good, bad = _sealed(OLD, 1), _flip_bit(_sealed(OLD, 2))
    outcomes = _rotate(Row(bad, OLD.id, 2), Row(good, OLD.id, 1), Row(_sealed(THIRD, 3), None, 3))
    assert [type(outcome) for outcome in outcomes] == [Refused, Rotated, Refused]
    assert decrypted == [base64.urlsafe_b64decode(good)[9:-32]]


@pytest.mark.parametrize(("hint", "tried"), [(None, [NEW]), (THIRD.id, [NEW]), (OLD.id, [OLD, NEW])])
def test_after_the_hint_the_write_key_is_tried_first(
    hint: KeyId | None, tried: list[FernetKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[FernetKey] = []
    macs = KeyStream.macs

    def spy(stream: KeyStream, messages: Iterable[bytes]) -> list[bytes]:
        asked.append(stream.key)
        return macs(stream, messages)

    monkeypatch.setattr(KeyStream, "macs", spy)
    assert _rotate(Row(_sealed(NEW, 1), hint, 1), keys=HeldKeys([OLD, NEW])) == [Current()]
    assert asked == tried


def test_no_two_tokens_share_an_iv() -> None:
    rows = [Row(_sealed(OLD, 1), OLD.id, 1)] * 300
    tokens = [
        outcome.token
        for page in (_rotate(*rows), _rotate(*rows))
        for outcome in page
        if isinstance(outcome, Rotated)
    ]
    ivs = {base64.urlsafe_b64decode(token)[9:25] for token in tokens}
    assert len(ivs) == len(tokens) == 600
    # A random bit is as often 0 as 1: 600 * 128 / 2 = 38,400, give or take 139; ten times that never happens.
    assert abs(sum(int.from_bytes(iv, "big").bit_count() for iv in ivs) - 38_400) < 1_390


@pytest.mark.parametrize(
    "padded",
    [bytes(16), bytes([17]) * 32, b"\x01" * 15 + b"\x02", b"\x05" * 11 + b"\x04" + b"\x05" * 4, b"\xff" * 48],
)
def test_a_padding_that_is_none_is_refused_as_cryptography_refuses_it(padded: bytes) -> None:
    rows = [Row(_bare(OLD, bytes(len(padded) - 1))), Row(_forged(OLD, padded))]
    for page in (rows, rows[1:]):
        *good, bad = rotate(page, keys=KEYS, write_key=NEW.id)
        assert bad == Refused(Reason.UNKNOWN_KEY)
        assert all(isinstance(outcome, Rotated) for outcome in good)


def test_two_keys_that_share_their_signing_half() -> None:
    """The MAC names both; only the padding tells them apart, and ``cryptography`` finds the right one."""
    twin = FernetKey(OLD.signing + bytes([9]) * 16)
    page = [Row(_forged(twin, bytes([number]) * 29 + b"\x03" * 3), OLD.id) for number in range(8)]
    outcomes = rotate(page, keys=HeldKeys([NEW, OLD, twin]), write_key=NEW.id)
    assert [NEW.fernet().decrypt(outcome.token) for outcome in outcomes if isinstance(outcome, Rotated)] == [
        bytes([number]) * 29 for number in range(8)
    ]


@pytest.mark.parametrize("owner_text", [b"\x01", b"\x01" + bytes(8), b"\x01" + bytes(7), bytes(9), b""])
def test_plaintexts_around_the_shortest_bound_one(owner_text: bytes) -> None:
    expected = Rotated if owner_text == b"\x01" + bytes(8) else Refused
    (outcome,) = _rotate(Row(_bare(OLD, owner_text), OLD.id, 0))
    assert type(outcome) is expected


def test_padding_is_not_taken_for_the_end_of_an_owner() -> None:
    """Eight bytes and their padding, 0x08, look like a version and the owner 8."""
    (outcome,) = _rotate(Row(_bare(OLD, b"\x01" + bytes(7)), OLD.id, 8))
    assert outcome == Refused(Reason.VERSION)


@pytest.mark.parametrize(("hints", "owners"), [([None, None], [1]), ([None], [1, 2]), ([None], None)])
def test_every_row_of_a_page_has_what_the_others_have(hints: list[None], owners: list[int] | None) -> None:
    with pytest.raises(ValueError, match="the columns of a page differ in length"):
        SealedPage(tokens=["one", "two"], hints=hints, owners=owners)


def test_the_write_key_must_be_held() -> None:
    with pytest.raises(KeyError):
        rotate([], keys=HeldKeys([OLD]), write_key=NEW.id)


@pytest.mark.parametrize("kind", [bytes.decode, bytes, memoryview])
@pytest.mark.parametrize("ending", ["", "\n"], ids=["canonical", "not canonical"])
def test_a_token_comes_back_as_the_type_it_came(
    kind: Callable[[bytes], str | bytes | memoryview], ending: str
) -> None:
    token = kind(_bare(OLD).encode() + ending.encode())
    (outcome,) = rotate([Row(token)], keys=KEYS, write_key=NEW.id)
    assert isinstance(outcome, Rotated)
    assert type(outcome.token) is type(token)
    plain = outcome.token if isinstance(outcome.token, str) else bytes(outcome.token)
    assert NEW.fernet().decrypt(plain) == SECRET


def test_text_and_bytes_in_one_page() -> None:
    text = _bare(OLD)
    page: list[Row[str | bytes | memoryview]] = [
        Row(text),
        Row(text.encode()),
        Row(memoryview(text.encode())),
    ]
    outcomes = rotate(page, keys=KEYS, write_key=NEW.id)
    assert [type(outcome.token) for outcome in outcomes if isinstance(outcome, Rotated)] == [
        str,
        bytes,
        memoryview,
    ]


def test_nothing_shows_a_token() -> None:
    token = _bare(OLD)
    page = SealedPage(tokens=[token], hints=[OLD.id], owners=[3])
    assert repr(page) == f"SealedPage(hints=['{OLD.id}'], owners=[3])"
    done: RotatedPage[str] = PageEngine(KEYS, NEW.id).rotate(
        SealedPage(tokens=[token], hints=[None], owners=None)
    )
    assert done.rotated == [0]
    assert repr(done) == "RotatedPage(rotated=[0], current=[], refused={})"
