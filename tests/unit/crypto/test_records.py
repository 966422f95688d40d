"""Which tokens become records: exactly those that ``cryptography`` would print itself."""

from __future__ import annotations

import base64

import pytest

from practicus_mfa.crypto.keys import FernetKey
from practicus_mfa.crypto.records import Shape, read, shape_of, write

KEY = FernetKey(bytes(32))
NOW = 1_700_000_000


def _token(size: int) -> str:
    return KEY.fernet().encrypt_at_time(b"x" * size, NOW).decode()


def _shape(token: str) -> Shape:
    shape = shape_of(len(token))
    assert shape is not None
    return shape


@pytest.mark.parametrize("size", [0, 15, 16, 29, 31, 32, 48, 4096])
def test_a_page_of_one_length_is_read_and_written_back(size: int) -> None:
    tokens = [_token(size) for _ in range(5)]
    shape = _shape(tokens[0])
    records = read(tokens, shape)
    assert records is not None
    signed, macs = records
    assert [one + mac for one, mac in zip(signed, macs, strict=True)] == [
        base64.urlsafe_b64decode(token) for token in tokens
    ]
    assert all(len(one) == shape.signed for one in signed)
    assert write(signed, macs, shape) == "".join(tokens)
    assert read([token.encode() for token in tokens], shape) == records
    assert read([memoryview(token.encode()) for token in tokens], shape) == records


def test_every_length_of_a_token_has_one_shape_and_no_other_length_has() -> None:
    lengths = {len(_token(size)) for size in range(0, 4096, 16)}
    assert {letters for letters in range(max(lengths) + 1) if shape_of(letters)} == lengths


PADS = {0: 47, 1: 0, 2: 31}
"""A plaintext's size for each number of ``=`` at the token's end."""


def test_the_samples_end_as_they_should() -> None:
    assert {pads: _token(size).count("=") for pads, size in PADS.items()} == {0: 0, 1: 2, 2: 1}


@pytest.mark.parametrize("size", PADS.values())
@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_token_that_is_not_canonical_is_noticed(size: int, position: int) -> None:
    good = _token(size)
    pads = good.count("=")
    letters = len(good)
    last = letters - pads - 1
    bad = [
        "=" + good[1:],
        good[:40] + "=" + good[41:],
        good[:last] + "=" + good[last + 1 :],
        "A" + good[1:],
        good[:40] + "+" + good[41:],
        good[:40] + "/" + good[41:],
        good[:40] + "\n" + good[41:],
        good[:40] + "!" + good[41:],
        good[:40] + "!!!!" + good[44:],
        good[:40] + "\u0131" + good[41:],
        good[:40] + "\udc80" + good[41:],
    ]
    if pads:
        bad += [
            good[:-1] + "A",
            # The fourth letter of every token of our time is "A", which is how padding is read.
            good[:3] + "=" + good[4:-1] + "A",
            good[: last - 1] + "==" + good[last + 1 : -1] + "A",
            good[:last] + _next_letter(good[last]) + good[last + 1 :],
        ]
    for token in bad:
        assert len(token) == letters
        page = [good, good, good]
        page[position] = token
        assert read(page, _shape(good)) is None, token
    assert read([good] * 3, _shape(good)) is not None


def _next_letter(letter: str) -> str:
    """The letter that differs in its lowest bit alone, which in front of padding is a spare one."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(letter) ^ 1]
