"""Passwords: hashed with argon2id, verified also as Django stores them, and judged before they are taken.

| stored as | verified | made here |
|---|---|---|
| ``$argon2id$v=19$m=19456,t=2,p=1$…`` (RFC 9106) | yes | yes |
| ``argon2$argon2id$…`` (Django) | yes | no |
| ``pbkdf2_sha256$iterations$salt$hash`` (Django) | yes | no |
| Django's ``scrypt$``, ``bcrypt_sha256$``, ``bcrypt$``, ``pbkdf2_sha1$`` | no, only named | no |
| ``!…`` (Django: no password can log in) | never matches | no |

A hash that is verified but not made here is to be replaced at the next log-in (:func:`needs_rehash`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from enum import StrEnum
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from argon2.low_level import Type

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
"""19 MiB, two passes, one lane: the least that OWASP's Password Storage Cheat Sheet asks of argon2id."""

MOST_MEMORY_KIB: Final = 1024 * 1024
MOST_PASSES: Final = 64
MOST_LANES: Final = 64
MOST_ITERATIONS: Final = 20_000_000
"""A hash that asks for more is refused: verifying it would take the service down at each try."""

_DJANGO: Final = "argon2"
"""Django puts the name of its own hasher before argon2's text."""

_ARGON2ID: Final = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,9})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
)
_PBKDF2_SHA256: Final = re.compile(r"pbkdf2_sha256\$([1-9][0-9]{0,9})\$([^$]+)\$([A-Za-z0-9+/]{43}=)")


class Scheme(StrEnum):
    """How a password hash is written."""

    ARGON2ID = "argon2id"
    DJANGO_ARGON2ID = "argon2"
    DJANGO_PBKDF2_SHA256 = "pbkdf2_sha256"
    DJANGO_PBKDF2_SHA1 = "pbkdf2_sha1"
    DJANGO_SCRYPT = "scrypt"
    DJANGO_BCRYPT_SHA256 = "bcrypt_sha256"
    DJANGO_BCRYPT = "bcrypt"
    UNUSABLE = "unusable"
    """Django's mark of a user whom no password logs in."""
    UNKNOWN = "unknown"
    """No hash that is known here, or one that is damaged or asks for too much."""


SUPPORTED: Final = frozenset({Scheme.ARGON2ID, Scheme.DJANGO_ARGON2ID, Scheme.DJANGO_PBKDF2_SHA256})
"""The schemes that can be verified."""

_ONLY_NAMED: Final = (
    Scheme.DJANGO_PBKDF2_SHA1,
    Scheme.DJANGO_SCRYPT,
    Scheme.DJANGO_BCRYPT_SHA256,
    Scheme.DJANGO_BCRYPT,
)


def scheme_of(stored: str) -> Scheme:
    """Return how the hash *stored* is written."""
    if stored.startswith("!"):
        return Scheme.UNUSABLE
    if _is_argon2id(stored):
        return Scheme.ARGON2ID
    if stored.startswith(_DJANGO) and _is_argon2id(stored.removeprefix(_DJANGO)):
        return Scheme.DJANGO_ARGON2ID
    pbkdf2 = _PBKDF2_SHA256.fullmatch(stored)
    if pbkdf2 and int(pbkdf2[1]) <= MOST_ITERATIONS:
        return Scheme.DJANGO_PBKDF2_SHA256
    return next((scheme for scheme in _ONLY_NAMED if stored.startswith(f"{scheme}$")), Scheme.UNKNOWN)


def _is_argon2id(stored: str) -> bool:
    found = _ARGON2ID.fullmatch(stored)
    if found is None:
        return False
    memory, passes, lanes = map(int, found.groups())
    return 8 * lanes <= memory <= MOST_MEMORY_KIB and passes <= MOST_PASSES and lanes <= MOST_LANES


def is_supported_hash(stored: str) -> bool:
    """Tell whether a password can be verified against *stored*; what an import must ask."""
    return scheme_of(stored) in SUPPORTED


def hash_password(password: str) -> str:
    """Return the argon2id hash of *password* in its NFC form, with a salt of its own."""
    return _HASHER.hash(_typed_forms(password)[0])


def verify_password(password: str, stored: str) -> bool:
    """Tell whether *password* is the one whose hash is *stored*; False where the scheme is not supported."""
    match scheme_of(stored):
        case Scheme.ARGON2ID:
            return _verify_argon2id(_typed_forms(password)[0], stored)
        case Scheme.DJANGO_ARGON2ID:
            argon2id = stored.removeprefix(_DJANGO)
            return any(_verify_argon2id(form, argon2id) for form in _typed_forms(password))
        case Scheme.DJANGO_PBKDF2_SHA256:
            return any(_verify_pbkdf2(form, stored) for form in _typed_forms(password))
        case _:
            return False


@cache
def _nobodys_hash() -> str:
    return hash_password(secrets.token_hex())


def verify_nobody(password: str, like: str) -> None:
    """Take the time that verifying *password* takes where it is stored as *like* is; the result is nobody's.

    Args:
        password: What somebody typed beside a name that has no password.
        like: The hash of some user; where it can't be verified, one of our own making stands in.
    """
    verify_password(password, like if is_supported_hash(like) else _nobodys_hash())


def needs_rehash(stored: str) -> bool:
    """Tell whether *stored* is not how :func:`hash_password` would write it today."""
    return scheme_of(stored) is not Scheme.ARGON2ID or _HASHER.check_needs_rehash(stored)


def _typed_forms(password: str) -> list[bytes]:
    """Return the NFC form, and the form as typed where it differs: Django hashes what the keyboard sent."""
    forms = dict.fromkeys((unicodedata.normalize("NFC", password), password))
    # "surrogatepass": half a character that a client sent is a wrong password, not an error.
    return [form.encode("utf-8", "surrogatepass") for form in forms]


def _verify_argon2id(password: bytes, stored: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except VerificationError:
        return False


def _verify_pbkdf2(password: bytes, stored: str) -> bool:
    _, iterations, salt, expected = stored.split("$")
    found = hashlib.pbkdf2_hmac("sha256", password, salt.encode(), int(iterations))
    return hmac.compare_digest(base64.b64encode(found), expected.encode("ascii"))
