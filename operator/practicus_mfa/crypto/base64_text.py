"""Base64 as a person pastes it: what is wrong with it, in words, without quoting it."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import Final

_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d"
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9_-]*|[A-Za-z0-9+/]*)={0,2}")
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9_+/=-]")


def fault_of_text(text: str) -> str | None:
    """Say what keeps *text* from being base64, or None; it goes on a sentence that begins with its name.

    The most likely slip of a person comes first.
    """
    if not text:
        return "is empty"
    if text != text.strip():
        return "has white space around it" if text.strip() else "is nothing but white space"
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        return "has quotes around it"
    if any(character.isspace() for character in text):
        return "has white space inside"
    if junk := _NOT_BASE64.search(text):
        return f"is not base64: character {junk.start() + 1} is not of its alphabet"
    if not _BASE64.fullmatch(text):
        return "is not base64: it mixes the two alphabets or has '=' before its end"
    if len(text) % 4:
        return f"is not base64: it has {len(text)} characters, not a multiple of 4 (is its end missing?)"
    return None


def decoded(text: str) -> bytes | None:
    """Return what *text*, which has no fault, stands for; None where the canonical text for it is another."""
    standard = text.translate(str.maketrans("-_", "+/"))
    raw = b64decode(standard)
    return raw if b64encode(raw).decode("ascii") == standard else None


def is_text_of(size: int, raw: bytes) -> bool:
    """Tell whether *raw* is itself base64 of *size* bytes; ``echo KEY | base64`` adds a line end to it."""
    text = raw.decode("latin-1").strip()
    return fault_of_text(text) is None and len(decoded(text) or b"") == size
