"""Tokens of one length as one buffer of records, and back.

Fernet tokens of equal length have the same layout, so a page of them joined is a table: each field is a
column at a fixed distance, and one slice with a stride reads or writes it for all rows at once.

Only canonical text becomes a record: url-safe alphabet, padding where it belongs, spare bits zero, version
0x80. Canonical tokens are exactly those that ``cryptography`` would print itself.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Final, cast

from practicus_mfa.crypto.faults import BLOCK_BYTES, FERNET_VERSION

HEAD_BYTES: Final = 1 + 8
"""Version and timestamp."""
MAC_BYTES: Final = 32

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _reading_table() -> bytes:
    """To the standard alphabet; padding becomes "A" (zero bits), all else what no decoder takes."""
    table = bytearray(b"!" * 256)
    for letter in _ALPHABET:
        table[letter] = letter
    for url_safe, standard in zip(b"-_=", b"+/A", strict=True):
        table[url_safe] = standard
    return bytes(table)


_READING: Final = _reading_table()
_WRITING: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class Shape:
    """The layout of all canonical tokens of one length.

    Attributes:
        letters: Characters of the text.
        pads: How many of them are ``=`` at its end. The record has as many zero bytes at its end, so that
            records stay aligned with their text.
        body: Bytes of IV and ciphertext.
    """

    letters: int
    pads: int
    body: int

    @property
    def stride(self) -> int:
        """Bytes from one record to the next."""
        return self.letters // 4 * 3

    @property
    def signed(self) -> int:
        """Bytes that the MAC covers."""
        return HEAD_BYTES + self.body


@lru_cache(maxsize=1024)
def shape_of(letters: int) -> Shape | None:
    """Return the shape of canonical tokens with so many *letters*, or None where there are none."""
    if letters % 4:
        return None
    for pads in range(3):
        body = letters // 4 * 3 - pads - HEAD_BYTES - MAC_BYTES
        if body % BLOCK_BYTES == 0 and body >= 2 * BLOCK_BYTES:
            return Shape(letters, pads, body)
    return None


def read(tokens: Sequence[str | bytes], shape: Shape) -> list[tuple[bytes, bytes]] | None:
    """Return the signed part and the MAC of each of *tokens*, or None where one of them is not canonical.

    Args:
        tokens: Either all text or all bytes, each as long as *shape* says.
        shape: Their layout.
    """
    count, letters, stride = len(tokens), shape.letters, shape.stride
    text = _joined(tokens)
    if text.count(b"=") != shape.pads * count:
        return None
    if any(text[letters - at :: letters].count(b"=") != count for at in range(1, shape.pads + 1)):
        return None
    try:
        records = binascii.a2b_base64(text.translate(_READING), strict_mode=True)
    except binascii.Error:
        return None
    if records[::stride].count(FERNET_VERSION) != count:
        return None
    if any(records[stride - at :: stride].count(0) != count for at in range(1, shape.pads + 1)):
        return None
    return list(Struct(f"{shape.signed}s{MAC_BYTES}s{shape.pads}x").iter_unpack(records))


def write(signed: Sequence[bytes], macs: Sequence[bytes], shape: Shape) -> str:
    """Return the tokens of these records, joined: each has ``shape.letters`` characters."""
    zeros = bytes(shape.pads)
    records = b"".join([part for pair in zip(signed, macs, strict=True) for part in (*pair, zeros)])
    text = bytearray(binascii.b2a_base64(records, newline=False).translate(_WRITING))
    for at in range(1, shape.pads + 1):
        text[shape.letters - at :: shape.letters] = b"=" * len(signed)
    return text.decode("ascii")


def _joined(tokens: Sequence[str | bytes]) -> bytes:
    if isinstance(tokens[0], str):
        # What is not ASCII becomes "?", which is not canonical either, and keeps its place.
        return "".join(cast("Sequence[str]", tokens)).encode("ascii", "replace")
    return b"".join(cast("Sequence[bytes]", tokens))
