"""Which passwords are taken: long ones that are not among the first that anybody would try.

Length and a list of common ones, no rules on kinds of characters: NIST SP 800-63B, 3.1.1.2. The list holds
common passwords of 12 characters and more only, since shorter ones are refused for their length.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final

from practicus_mfa.errors import UsageError

FEWEST_CHARACTERS: Final = 12
"""Unicode code points of the NFC form."""

MOST_BYTES: Final = 1024
"""Bytes in UTF-8 of the NFC form."""


class Refusal(StrEnum):
    """Why a password is not taken."""

    NOT_TEXT = "not text"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    COMMON = "common"


class PasswordRefusedError(UsageError):
    """A password that is not taken. The message never quotes it.

    Attributes:
        reason: Why, for who says it in another language.
    """

    def __init__(self, reason: Refusal, message: str, *, remedy: str) -> None:
        """Keep the *reason* beside the sentences."""
        super().__init__(message, remedy=remedy)
        self.reason = reason


def check_password(password: str) -> str:
    """Return *password* in its NFC form, which is what is hashed.

    Raises:
        PasswordRefusedError: It is too short, too long, common, or not text.
    """
    normal = unicodedata.normalize("NFC", password)
    try:
        size = len(normal.encode())
    except UnicodeEncodeError as error:
        msg = "the password is not valid Unicode text"
        raise PasswordRefusedError(Refusal.NOT_TEXT, msg, remedy="Type it anew.") from error
    if len(normal) < FEWEST_CHARACTERS:
        msg = f"the password has fewer than {FEWEST_CHARACTERS} characters"
        raise PasswordRefusedError(
            Refusal.TOO_SHORT,
            msg,
            remedy="Choose a longer one; a few unrelated words are easy to keep in mind.",
        )
    if size > MOST_BYTES:
        msg = f"the password has more than {MOST_BYTES:,} bytes"
        raise PasswordRefusedError(Refusal.TOO_LONG, msg, remedy="Choose a shorter one.")
    if normal.casefold() in _common_passwords():
        msg = "the password is among the most common ones"
        raise PasswordRefusedError(
            Refusal.COMMON,
            msg,
            remedy="Choose one that nobody else has, for example a few unrelated words.",
        )
    return normal


@cache
def _common_passwords() -> frozenset[str]:
    text = files("practicus_mfa.crypto").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(text.splitlines())
