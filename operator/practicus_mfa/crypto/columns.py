"""What a page of padded plaintexts says about itself, read column by column.

The plaintexts have equal length and stand one after the other, each after one block of rubbish (what CBC
makes of an IV). When every row is right, a few slices with a stride show it; the rows are looked at one by
one only where a column says that one of them is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from practicus_mfa.crypto.faults import BLOCK_BYTES, Reason
from practicus_mfa.crypto.tokens import BINDING_BYTES, BOUND_VERSION, OWNER_BYTES, reason_unbound

_PADDINGS: Final = {length: bytes([length]) * length for length in range(1, BLOCK_BYTES + 1)}
"""Every PKCS #7 padding of a block (RFC 5652, 6.3) by its last byte."""


def paddings(padded: bytes, size: int) -> list[int]:
    """Return the length of each plaintext's padding in bytes, 0 where it is none.

    Args:
        padded: The plaintexts.
        size: Bytes from one to the next.
    """
    lasts = padded[size - 1 :: size]
    last, count = lasts[0], len(lasts)
    if last in _PADDINGS and all(padded[size - at :: size].count(last) == count for at in range(1, last + 1)):
        return [last] * count
    return [_padding(padded[at + size - BLOCK_BYTES : at + size]) for at in range(0, len(padded), size)]


def _padding(block: bytes) -> int:
    padding = _PADDINGS.get(block[-1])
    return len(padding) if padding is not None and block.endswith(padding) else 0


def reasons_unbound(
    padded: bytes, size: int, pads: Sequence[int], owners: Sequence[int]
) -> list[Reason | None]:
    """Say of each plaintext why it is not its owner's, None where it is.

    Args:
        padded: The plaintexts.
        size: Bytes from one to the next.
        pads: The length of each one's padding in bytes.
        owners: The user id of each one's row.
    """
    if _all_bound(padded, size, max(pads), owners):
        return [None] * len(owners)
    starts = range(BLOCK_BYTES, len(padded), size)
    ends = [at + size - pad for at, pad in zip(range(0, len(padded), size), pads, strict=True)]
    plaintexts = [padded[start:end] for start, end in zip(starts, ends, strict=True)]
    return [reason_unbound(text, owner) for text, owner in zip(plaintexts, owners, strict=True)]


def _all_bound(padded: bytes, size: int, most_padding: int, owners: Sequence[int]) -> bool:
    if size - BLOCK_BYTES - most_padding < BINDING_BYTES:
        return False
    if padded[BLOCK_BYTES::size].count(BOUND_VERSION) != len(owners):
        return False
    expected = Struct(f">{len(owners)}Q").pack(*owners)
    first = BLOCK_BYTES + 1
    return all(padded[first + at :: size] == expected[at::OWNER_BYTES] for at in range(OWNER_BYTES))
