"""PNG as browsers write it: 8 bits a channel, with or without alpha, not interlaced (RFC 2083)."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHANNELS: Final = {2: 3, 6: 4}
_MOST_COLOURS: Final = 256


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        width: In pixels.
        height: In pixels.
        channels: Bytes a pixel: 3, or 4 with alpha.
        pixels: Row by row, from the top.
    """

    width: int
    height: int
    channels: int
    pixels: bytes


def read_png(png: bytes) -> Picture:
    """Return the pixels of *png*."""
    assert png.startswith(_SIGNATURE)
    chunks = list(_chunks(png))
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, interlaced) == (8, 0)
    channels = _CHANNELS[colour]
    packed = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    stride = width * channels
    above, pixels = bytearray(stride), bytearray()
    for start in range(0, height * (stride + 1), stride + 1):
        row = bytearray(packed[start + 1 : start + 1 + stride])
        _unfilter(packed[start], row, above, channels)
        pixels += row
        above = row
    return Picture(width, height, channels, bytes(pixels))


def small_png(picture: Picture) -> bytes:
    """Return a picture as a PNG with a palette: of its commonest colours, where it has too many."""
    step = picture.channels
    colours = [picture.pixels[at : at + 3] for at in range(0, len(picture.pixels), step)]
    common = [colour for colour, _ in Counter(colours).most_common()]
    palette = common[:_MOST_COLOURS]
    number = {colour: at for at, colour in enumerate(palette)}
    # What is left are the rare shades on the edges of letters.
    for colour in common[_MOST_COLOURS:]:
        number[colour] = min(range(_MOST_COLOURS), key=lambda at: _distance(palette[at], colour))
    rows = bytes([number[colour] for colour in colours])
    lines = (b"\0" + rows[at : at + picture.width] for at in range(0, len(rows), picture.width))
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", picture.width, picture.height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", b"".join(palette)),
            _chunk(b"IDAT", zlib.compress(b"".join(lines), 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _distance(one: bytes, other: bytes) -> int:
    return sum((first - second) ** 2 for first, second in zip(one, other, strict=True))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        yield kind, png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _unfilter(kind: int, row: bytearray, above: bytearray, step: int) -> None:
    """Undo a row's filter in place; *step* is the distance to the same channel on the left."""
    if kind == 2:
        row[:] = bytes([(value + up) & 0xFF for value, up in zip(row, above, strict=True)])
    elif kind:
        guess = {1: _left, 3: _average, 4: _paeth}[kind]
        # Left of the first pixel, and above it there, everything is 0.
        lefts, corners = bytearray(step) + row, bytes(step) + above
        for at, up in enumerate(above):
            lefts[at + step] = (row[at] + guess(lefts[at], up, corners[at])) & 0xFF
        row[:] = lefts[step:]


def _left(left: int, _up: int, _corner: int) -> int:
    return left


def _average(left: int, up: int, _corner: int) -> int:
    return (left + up) // 2


def _paeth(left: int, up: int, corner: int) -> int:
    by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner
