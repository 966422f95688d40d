"""Tokens that mean nothing by themselves: what a cookie or a link holds, and what is kept of it.

A token is 256 random bits. The database holds its SHA-256 alone: who reads the table can't log in with it,
and since the token is random, there is nothing for a slower hash to protect. A form's token is derived from
the cookie's (HMAC, RFC 2104), so it needs no place of its own and ends with the cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

TOKEN_BYTES: Final = 32

_FORM: Final = b"practicus-mfa form token v1"


def new_token() -> str:
    """Return a new token: 43 characters of base64url without padding (RFC 4648, section 5)."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """Return the 32 bytes that are kept of *token*; any text has some, what is no token matches none."""
    return hashlib.sha256(_raw(token)).digest()


def form_token(token: str) -> str:
    """Return what forms carry where the cookie holds *token*; the way back is closed."""
    return hmac.new(_raw(token), _FORM, hashlib.sha256).hexdigest()


def is_form_token(token: str, given: str) -> bool:
    """Tell, in constant time, whether a form carried *given* rightly where the cookie holds *token*."""
    return bool(token) and hmac.compare_digest(_raw(form_token(token)), _raw(given))


def digest(*parts: str) -> str:
    """Return 64 hex digits that name *parts*: no two lists of parts have the same."""
    hashed = hashlib.sha256()
    for part in map(_raw, parts):
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.hexdigest()


def _raw(text: str) -> bytes:
    # "surrogatepass": half a character that a client sent is a wrong token, not an error.
    return text.encode("utf-8", "surrogatepass")
