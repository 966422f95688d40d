"""Recovery codes: what stands in for a lost device, once each.

A code has 128 random bits, so its hash needs no salt and no slowness: nobody guesses it. It is written in
base32 (RFC 4648, section 6), in groups, and read as people copy from paper: in any case, with other
separators, with digits that look like letters of the alphabet.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b32encode
from typing import Final

CODES: Final = 10
"""How many a user is given at once."""

_BYTES: Final = 16
_LETTERS: Final = 26
"""Characters of 128 bits in base32; the last one holds three of them."""
_GROUPS: Final = (5, 5, 5, 5, 6)

_SEPARATORS: Final = re.compile(r"[\s_.\-\u2010-\u2015]+")
"""White space, and what text programs make of hyphens."""
_LOOK_ALIKES: Final = str.maketrans("018", "OIB")
_TURKISH: Final = str.maketrans("\u0130\u0131", "II")
"""What a Turkish keyboard makes of i in capitals, and of I in small letters."""
_CODE: Final = re.compile(rf"[A-Z2-7]{{{_LETTERS}}}")


def new_codes(count: int = CODES) -> tuple[str, ...]:
    """Return new codes, as they are shown: five groups, joined by hyphens."""
    return tuple(_shown(secrets.token_bytes(_BYTES)) for _ in range(count))


def _shown(raw: bytes) -> str:
    letters = iter(b32encode(raw).decode("ascii").rstrip("="))
    return "-".join("".join(next(letters) for _ in range(size)) for size in _GROUPS)


def normal(typed: str) -> str | None:
    """Return a typed code without separators, in capitals, or ``None`` where it can't be one."""
    letters = _SEPARATORS.sub("", typed).translate(_TURKISH)
    # Else one letter of another alphabet could become two of ours.
    capitals = letters.upper().translate(_LOOK_ALIKES) if letters.isascii() else ""
    return capitals if _CODE.fullmatch(capitals) else None


def code_hash(typed: str) -> bytes | None:
    """Return the 32 bytes that are kept of a code, or ``None`` for what can't be one."""
    letters = normal(typed)
    return None if letters is None else hashlib.sha256(letters.encode("ascii")).digest()
