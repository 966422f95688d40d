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

from pybase64 import b64decode, b64encode

from practicus_mfa.crypto.faults import BLOCK_BYTES, FERNET_VERSION

HEAD_BYTES: Final = 1 + 8
"""Version and timestamp."""
MAC_BYTES: Final = 32

_URL_SAFE: Final = b"-_"
"""What Fernet's base64 has in place of ``+`` and ``/``."""


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

    @property
    def record(self) -> Struct:
        """A record: its signed part, its MAC, and zeros where the text has padding."""
        return Struct(f"{self.signed}s{MAC_BYTES}s{self.pads}x")

    @property
    def only_signed(self) -> Struct:
        """The signed part of a record."""
        return Struct(f"{self.signed}s{MAC_BYTES + self.pads}x")

    @property
    def only_mac(self) -> Struct:
        """The MAC of a record."""
        return Struct(f"{self.signed}x{MAC_BYTES}s{self.pads}x")


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


def read(tokens: Sequence[str | bytes | memoryview], shape: Shape) -> tuple[list[bytes], list[bytes]] | None:
    """Return the signed parts and the MACs of *tokens*, or None where one of them is not canonical.

    Args:
        tokens: Either all text or all bytes, each as long as *shape* says.
        shape: Their layout.
    """
    count, letters, stride = len(tokens), shape.letters, shape.stride
    text = bytearray(_joined(tokens))
    for at in range(1, shape.pads + 1):
        if text[letters - at :: letters].count(b"=") != count:
            return None
        text[letters - at :: letters] = b"A" * count  # zero bits
    if any(foreign in text for foreign in b"+/="):
        return None
    try:
        records = b64decode(text, _URL_SAFE, validate=True)
    except binascii.Error:
        return None
    if records[::stride].count(FERNET_VERSION) != count:
        return None
    if any(records[stride - at :: stride].count(0) != count for at in range(1, shape.pads + 1)):
        return None
    # Going through them twice takes half the time of unpacking both at once and parting the pairs.
    signed = [part for (part,) in shape.only_signed.iter_unpack(records)]
    return signed, [mac for (mac,) in shape.only_mac.iter_unpack(records)]


def write(signed: Sequence[bytes], macs: Sequence[bytes], shape: Shape) -> str:
    """Return the tokens of these records, joined: each has ``shape.letters`` characters."""
    records = b"".join(map(shape.record.pack, signed, macs))
    text = bytearray(b64encode(records, _URL_SAFE))
    for at in range(1, shape.pads + 1):
        text[shape.letters - at :: shape.letters] = b"=" * len(signed)
    return text.decode("ascii")


def _joined(tokens: Sequence[str | bytes | memoryview]) -> bytes:
    if isinstance(tokens[0], str):
        # What is not ASCII becomes "?", which is not canonical either, and keeps its place.
        return "".join(cast("Sequence[str]", tokens)).encode("ascii", "replace")
    return b"".join(cast("Sequence[bytes]", tokens))
