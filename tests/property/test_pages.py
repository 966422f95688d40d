"""The page engine agrees with ``cryptography.fernet`` on every token."""

from __future__ import annotations

import base64
import random
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from hypothesis import given
from hypothesis import strategies as st

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.faults import Reason
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.crypto.tokens import CorruptTokenError, Opened, bound, open_sealed, seal
from tests.support.token_rows import Current, Outcome, Refused, Rotated, Row, rotate

OLD, NEW, OLDER, STRANGER = (FernetKey(bytes([number]) * 32) for number in range(4))
HELD: Final = HeldKeys([NEW, OLD, OLDER])
EVERY: Final = (OLD, NEW, OLDER, STRANGER)

TIMES: Final = st.integers(0, 2**64 - 1)


def _random_bytes(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


PLAINTEXTS: Final = st.one_of(
    st.binary(max_size=64),
    # A token of 20 bytes, as most are, more often than chance would have it; and long ones.
    st.binary(min_size=20, max_size=20),
    st.builds(_random_bytes, st.integers(0, 4096), st.integers(0, 2**32)),
)
HINTS: Final = st.sampled_from([None, *(key.id for key in EVERY)])


def _token(key: FernetKey, plaintext: bytes, time: int) -> str:
    return key.fernet().encrypt_at_time(plaintext, time).decode()


TOKENS: Final = st.builds(_token, st.sampled_from(EVERY), PLAINTEXTS, TIMES)


def _rotate(rows: list[Row[str]]) -> list[Outcome[str]]:
    return rotate(rows, keys=HELD, write_key=NEW.id)


def _raises_nothing(fernet: Fernet | MultiFernet, token: str | bytes) -> bytes | None:
    """What ``cryptography`` opens *token* to. It lets a ValueError pass where a str is not ASCII."""
    try:
        return fernet.decrypt(token)
    except (InvalidToken, ValueError):
        return None


def _check_against_cryptography(token: str | bytes, outcome: Outcome[str] | Outcome[bytes]) -> None:
    """The *outcome* is what the library makes of *token*: plaintext, time, key, or refusal."""
    openers = [key for key in HELD.values() if _raises_nothing(key.fernet(), token) is not None]
    match outcome:
        case Refused():
            assert openers == []
        case Current():
            assert openers == [NEW]
        case Rotated():
            (opener,) = openers
            assert opener != NEW
            old, new = opener.fernet(), NEW.fernet()
            assert new.decrypt(outcome.token) == old.decrypt(token)
            assert new.extract_timestamp(outcome.token) == old.extract_timestamp(token)
            # Canonical: the very text that the library prints for these bytes.
            printed = base64.urlsafe_b64encode(base64.urlsafe_b64decode(outcome.token))
            assert outcome.token == (printed.decode() if isinstance(token, str) else printed)


@given(st.lists(st.tuples(TOKENS, HINTS), max_size=30))
def test_a_page_with_mixed_keys_times_and_lengths(page: list[tuple[str, KeyId | None]]) -> None:
    outcomes = _rotate([Row(token, hint) for token, hint in page])
    assert len(outcomes) == len(page)
    for (token, _), outcome in zip(page, outcomes, strict=True):
        _check_against_cryptography(token, outcome)


@given(PLAINTEXTS, TIMES, st.integers(1, 40))
def test_there_and_back_again(plaintext: bytes, time: int, copies: int) -> None:
    """Library to engine to library, to engine and back under the first key: always the same plaintext."""
    token = _token(OLD, plaintext, time)
    there = [outcome for outcome in _rotate([Row(token, OLD.id)] * copies) if isinstance(outcome, Rotated)]
    assert len(there) == len({outcome.token for outcome in there}) == copies
    assert {NEW.fernet().decrypt(outcome.token) for outcome in there} == {plaintext}
    rows = [Row(outcome.token, NEW.id) for outcome in there]
    back = rotate(rows, keys=HELD, write_key=OLD.id)
    assert {OLD.fernet().decrypt(outcome.token) for outcome in back if isinstance(outcome, Rotated)} == {
        plaintext
    }
    assert {OLD.fernet().extract_timestamp(o.token) for o in back if isinstance(o, Rotated)} == {time}


def _swapped(token: str, place: int, letter: str) -> str:
    at = place % len(token)
    return token[:at] + letter + token[at + 1 :]


def _inserted(token: str, place: int, letters: str) -> str:
    at = place % (len(token) + 1)
    return token[:at] + letters + token[at:]


def _bit_flipped(token: str, place: int) -> str:
    data = bytearray(base64.urlsafe_b64decode(token))
    data[place // 8 % len(data)] ^= 1 << place % 8
    return base64.urlsafe_b64encode(data).decode()


def _cut_bytes(token: str, left: int, right: int) -> str:
    data = base64.urlsafe_b64decode(token)
    return base64.urlsafe_b64encode(data[left : len(data) - right]).decode()


PLACES: Final = st.integers(0, 6000)
LETTERS: Final = st.one_of(
    st.sampled_from(
        ["\n", "\r\n", " ", "=", "==", "+", "/", "-", "_", "!", "\0", "\x80", "\u0131", "\ud800", "A"]
    ),
    st.text(max_size=4),
)
MUTATED: Final = st.one_of(
    st.builds(_bit_flipped, TOKENS, PLACES),
    st.builds(_swapped, TOKENS, PLACES, LETTERS),
    st.builds(_inserted, TOKENS, PLACES, LETTERS),
    st.builds(lambda token, end: token[: end % len(token)], TOKENS, PLACES),
    st.builds(lambda token, start: token[start % len(token) :], TOKENS, PLACES),
    st.builds(_cut_bytes, TOKENS, st.integers(0, 80), st.integers(0, 80)),
    st.builds(lambda token: token.replace("-", "+").replace("_", "/"), TOKENS),
    st.builds(lambda token, more: token + "=" * more, TOKENS, st.integers(1, 5)),
    st.builds(lambda token: token.rstrip("="), TOKENS),
    st.builds(lambda token, end: token.rstrip("=")[:-1] + end, TOKENS, LETTERS),
    st.builds(lambda token: "\n".join(token[at : at + 76] for at in range(0, len(token), 76)), TOKENS),
    st.builds(lambda one, other: one + other, TOKENS, TOKENS),
    st.builds(lambda token: base64.urlsafe_b64encode(token.encode()).decode(), TOKENS),
    st.text(),
)


@given(st.lists(st.tuples(st.one_of(MUTATED, TOKENS), HINTS), min_size=1, max_size=6))
def test_malformed_tokens_among_good_ones(page: list[tuple[str, KeyId | None]]) -> None:
    outcomes = _rotate([Row(token, hint) for token, hint in page])
    for (token, _), outcome in zip(page, outcomes, strict=True):
        _check_against_cryptography(token, outcome)


@given(st.lists(MUTATED, min_size=1, max_size=8))
def test_malformed_tokens_as_bytes(tokens: list[str]) -> None:
    page = [Row(token.encode("utf-8", "surrogatepass")) for token in tokens]
    outcomes = rotate(page, keys=HELD, write_key=NEW.id)
    for row, outcome in zip(page, outcomes, strict=True):
        _check_against_cryptography(row.token, outcome)


@given(st.sampled_from(EVERY[:3]), PLAINTEXTS, PLACES, st.integers(1, 20))
def test_a_flipped_bit_never_passes_and_spoils_no_neighbour(
    key: FernetKey, plaintext: bytes, place: int, others: int
) -> None:
    good = _token(key, plaintext, 1)
    page = [Row(good, key.id)] * others
    page.insert(place % (others + 1), Row(_bit_flipped(good, place), key.id))
    outcomes = _rotate(page)
    refused = [row for row, outcome in enumerate(outcomes) if isinstance(outcome, Refused)]
    assert refused == [place % (others + 1)]
    for outcome in outcomes:
        if isinstance(outcome, Rotated):
            assert NEW.fernet().decrypt(outcome.token) == plaintext


OWNERS: Final = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))


@given(
    st.lists(
        st.tuples(OWNERS, OWNERS, st.sampled_from(EVERY[:3]), st.sampled_from([0, 10, 20, 32])), max_size=20
    )
)
def test_a_token_opens_for_its_owner_alone(page: list[tuple[int, int, FernetKey, int]]) -> None:
    rows = [
        Row(seal(bytes(size), owner=sealed_for, key=key, now=0), key.id, stands_with)
        for sealed_for, stands_with, key, size in page
    ]
    outcomes = rotate(rows, keys=HELD, write_key=NEW.id, bound=True)
    for (sealed_for, stands_with, key, size), outcome in zip(page, outcomes, strict=True):
        if sealed_for != stands_with:
            assert outcome == Refused(Reason.SWAPPED)
        elif key == NEW:
            assert outcome == Current()
        else:
            assert isinstance(outcome, Rotated)
            opened = open_sealed(outcome.token, owner=stands_with, keys=HELD)
            assert opened == Opened(bytes(size), NEW.id)


@given(st.lists(st.tuples(st.binary(max_size=40), OWNERS, st.booleans()), max_size=20))
def test_the_page_and_the_single_token_agree_on_what_is_bound(page: list[tuple[bytes, int, bool]]) -> None:
    plaintexts = [bound(text, owner) if is_bound else text for text, owner, is_bound in page]
    rows = [
        Row(_token(OLD, text, 0), None, owner) for text, (_, owner, _) in zip(plaintexts, page, strict=True)
    ]
    outcomes = rotate(rows, keys=HELD, write_key=NEW.id, bound=True)
    for row, outcome in zip(rows, outcomes, strict=True):
        try:
            alone: Opened | Reason = open_sealed(row.token, owner=row.owner, keys=HELD)
        except CorruptTokenError as error:
            alone = error.reason
        if isinstance(alone, Reason):
            assert outcome == Refused(alone)
        else:
            assert isinstance(outcome, Rotated)
            assert open_sealed(outcome.token, owner=row.owner, keys=HELD) == Opened(alone.secret, NEW.id)
