"""Why a token can't be read: two faults that the database keeps, six reasons that a person reads.

*unknown* is curable: a well-formed token whose key this process does not hold, so another key may open it.
*corrupt* is not: no key will ever give the secret back.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Collection
from enum import StrEnum
from typing import Final, Literal

from practicus_mfa.core.keyring import KeyId

Fault = Literal["unknown", "corrupt"]

FERNET_VERSION: Final = 0x80
OVERHEAD_BYTES: Final = 1 + 8 + 16 + 32
"""Version, timestamp, IV and MAC: everything of a token but its ciphertext (Fernet specification)."""

BLOCK_BYTES: Final = 16

_JUNK: Final = re.compile(r"[^A-Za-z0-9_+/=-]+")


class Reason(StrEnum):
    """Why a token can't be read."""

    UNKNOWN_KEY = "unknown-key"
    """Well-formed, and no held key opens it."""
    MALFORMED = "malformed"
    """Not a Fernet token at all."""
    TRUNCATED = "truncated"
    """Begins as a Fernet token does, but its length is none that a token can have."""
    TAMPERED = "tampered"
    """Well-formed, sealed with a key that is held, and yet no key opens it: a bit or more was changed."""
    SWAPPED = "swapped"
    """Opens, but is bound to another owner: copied from another row."""
    VERSION = "version"
    """Opens, but its content is none that this version knows how to read."""

    @property
    def fault(self) -> Fault:
        """The fault that the database keeps."""
        return "unknown" if self is Reason.UNKNOWN_KEY else "corrupt"


def reason_unopened(token: str | bytes, hint: KeyId | None, held: Collection[KeyId]) -> Reason:
    """Say why *token*, which none of the *held* keys opens, can't be read.

    Args:
        token: The token, in whatever state it is.
        hint: The key that its row names, if it names one.
        held: The keys that were tried.
    """
    data = _decoded(token if isinstance(token, str) else token.decode("latin-1"))
    if not data or data[0] != FERNET_VERSION:
        return Reason.MALFORMED
    ciphertext = len(data) - OVERHEAD_BYTES
    if ciphertext < BLOCK_BYTES or ciphertext % BLOCK_BYTES:
        return Reason.TRUNCATED
    return Reason.TAMPERED if hint is not None and hint in held else Reason.UNKNOWN_KEY


def _decoded(token: str) -> bytes:
    """Decode as much of *token* as is base64, as ``cryptography`` skips junk, and without asking for padding.

    A token cut anywhere still shows here what it was.
    """
    letters = _JUNK.sub("", token).partition("=")[0]
    whole = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    return binascii.a2b_base64(whole.translate(str.maketrans("-_", "+/")) + "=" * (-len(whole) % 4))
