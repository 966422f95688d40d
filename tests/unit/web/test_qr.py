"""QR codes: what a phone reads from the picture, and what a strict policy on content makes of it."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

import pytest
import zxingcpp

from practicus_mfa.crypto.totp import key_uri, new_secret
from practicus_mfa.web.qr import QUIET_ZONE, qr_svg

PIXELS: Final = 4
"""A module's width in the picture that is read."""


def drawn(svg: str) -> tuple[int, set[tuple[int, int]]]:
    """Draw the picture: its width in modules, and those that are dark."""
    root = ET.fromstring(svg)  # noqa: S314 - our own
    white, dark = root.findall("path")
    width = int(root.attrib["viewBox"].split()[2])
    assert white.attrib == {"fill": "#fff", "d": f"M0 0h{width}v{width}h-{width}z"}
    assert dark.attrib["stroke"] == "#000"
    modules, x, y = set(), 0, 0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", dark.attrib["d"]):
        given = [int(float(number)) for number in numbers.split()]
        if command == "h":
            modules |= {(column, y) for column in range(x, x + given[0])}
            x += given[0]
        else:
            x, y = (given[0], given[1]) if command == "M" else (x + given[0], y + given[1])
    return width, modules


def scanned(svg: str) -> str:
    """What a phone reads."""
    width, modules = drawn(svg)
    size = width * PIXELS
    pixels = bytes(
        0 if (x // PIXELS, y // PIXELS) in modules else 255 for y in range(size) for x in range(size)
    )
    # Some hundredth of all QR codes happens to hold a bar code too.
    only = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    (found,) = zxingcpp.read_barcodes(memoryview(pixels).cast("B", (size, size)), only)
    return found.text


@pytest.mark.parametrize("account", ["ada", "\u015e\u00fckr\u00fc \u00c7elik", "x" * 150])
def test_a_phone_reads_what_is_encoded(account: str) -> None:
    uri = key_uri(new_secret(), issuer="Practicus AI", account=account)
    assert scanned(qr_svg(uri, label="Code")) == uri


def test_the_white_around_the_code_is_part_of_the_picture() -> None:
    width, modules = drawn(qr_svg("x" * 100, label="Code"))
    for place in (0, 1):
        assert min(module[place] for module in modules) == QUIET_ZONE
        assert max(module[place] for module in modules) == width - QUIET_ZONE - 1


def test_the_picture_has_a_name_and_no_style() -> None:
    svg = qr_svg("x", label='<script>"Kod"</script>')
    root = ET.fromstring(svg)  # noqa: S314 - our own
    assert root.attrib["role"] == "img"
    assert [element.text for element in root.findall("title")] == ['<script>"Kod"</script>']
    assert not re.search(r"style|<script|\son\w+=|href", svg)
