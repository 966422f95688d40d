"""User names: written as a person likes, compared so that nobody can pass for another.

A name is kept in Unicode's NFKC form. Two names are the same user when their *keys* are equal: case-folded,
compatibility characters replaced (Unicode's toNFKC_Casefold, so ``Straße`` and ``STRASSE`` are one user).
A name ends up in HTTP headers that applications split at commas, in tables and in logs: commas, control
characters and invisible ones are refused.
"""

from __future__ import annotations

import unicodedata
from typing import Final

MAX_USERNAME: Final = 150
"""Characters in a user name, as in Django, so that its users fit."""

MAX_TEXT: Final = 254
"""Characters in an e-mail address (RFC 5321 section 4.5.3.1.3) and in a person's name."""

COMMAND_LINE: Final = "cli:"
"""What the audit calls people at the command line by, before their name on that machine."""

_REFUSED_CATEGORIES: Final = {
    "Cc": "a control character",
    "Cf": "an invisible character",
    "Cs": "half a surrogate pair",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}


def _refused(text: str) -> str | None:
    """Return what is wrong with the first unwanted character, ``None`` where there is none."""
    for character in text:
        what = _REFUSED_CATEGORIES.get(unicodedata.category(character))
        if what:
            return f"{what} (U+{ord(character):04X})"
    return None


def parse_username(text: str) -> str:
    """Return *text* as a user name, in NFKC form.

    Raises:
        ValueError: It is no user name; the message says why and starts with "the user name".
    """
    name = unicodedata.normalize("NFKC", text)
    if not name:
        msg = "the user name is empty"
        raise ValueError(msg)
    if what := _refused(name):
        msg = f"the user name {text!r} has {what}"
        raise ValueError(msg)
    if "," in name:
        msg = f"the user name {text!r} has a comma"
        raise ValueError(msg)
    if name != name.strip():
        msg = f"the user name {text!r} begins or ends with white space"
        raise ValueError(msg)
    if len(name) > MAX_USERNAME:
        msg = f"the user name has {len(name)} characters, more than {MAX_USERNAME}"
        raise ValueError(msg)
    return name


def parse_new_username(text: str) -> str:
    """Return *text* as the name of a user who is to be created, in NFKC form.

    Raises:
        ValueError: It is no user name, or the audit would take the user for somebody at the command line.
    """
    name = parse_username(text)
    if is_reserved(name):
        msg = f"user names that begin with {COMMAND_LINE} are the command line's in the audit"
        raise ValueError(msg)
    return name


def is_reserved(name: str) -> bool:
    """Tell whether the audit would take a user of this name for somebody at the command line."""
    return username_key(name).startswith(COMMAND_LINE)


def username_key(text: str) -> str:
    """Return what user names are compared by: Unicode's toNFKC_Casefold (definition R5, D145).

    Folding once is not enough: a compatibility character may become a capital, and a folded one may
    compose anew.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFD", text).casefold()).casefold()
    return unicodedata.normalize("NFKC", folded)


def parse_text(what: str, text: str) -> str:
    """Return *text*, such as a person's name, in NFC form and without surrounding white space.

    Args:
        what: How a message names it, for example "the name".
        text: What was given; may be empty.

    Raises:
        ValueError: It has a control character or is too long; the message begins with *what*.
    """
    value = unicodedata.normalize("NFC", text).strip()
    if refused := _refused(value):
        msg = f"{what} has {refused}"
        raise ValueError(msg)
    if len(value) > MAX_TEXT:
        msg = f"{what} has {len(value)} characters, more than {MAX_TEXT}"
        raise ValueError(msg)
    return value


def parse_email(text: str) -> str:
    """Return *text*, an e-mail address or nothing, as :func:`parse_text` does.

    Whether mail arrives there is nobody's to say: one @, something on both sides of it, no white space.

    Raises:
        ValueError: It is no e-mail address. The message begins with "the e-mail address", and does not quote
            it: where a file's columns are mixed up, it is a password.
    """
    value = parse_text("the e-mail address", text)
    before, _, after = value.partition("@")
    if value and (not before or not after or "@" in after or any(map(str.isspace, value))):
        msg = "the e-mail address is not of the form NAME@DOMAIN"
        raise ValueError(msg)
    return value
