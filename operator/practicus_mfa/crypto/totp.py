"""Time-based one-time passwords (RFC 6238 over RFC 4226).

A *step* is a number of periods since 1970. Matching returns the step whose code was typed, not a yes: who
stores the last step that a factor used refuses the same code a second time.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b32decode, b32encode
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, urlencode

from practicus_mfa.errors import UsageError

Algorithm = Literal["sha1", "sha256", "sha512"]

SECRET_BYTES: Final = 20
"""160 bits, the length that RFC 4226 (section 4, R6) recommends."""

_NEIGHBOURS: Final = (-1, 0, 1)
"""Steps that count as now: the clock of a telephone, and a person's typing, may be one period off."""

_NOT_BASE32: Final = re.compile(r"[^A-Z2-7]")
_CHARACTERS_LEFT: Final = frozenset({0, 2, 4, 5, 7})
"""How many characters may be left after whole groups of eight (RFC 4648, section 6)."""


class MalformedSecretError(UsageError):
    """A text that is not a TOTP secret in base32. The message never quotes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How a factor makes its codes.

    Attributes:
        algorithm: The hash; authenticator apps know ``sha1``, many know nothing else.
        digits: Digits of a code, 6 to 8.
        period: Seconds of a step.
        drift: Steps by which the device's clock is known to be ahead of ours.
    """

    algorithm: Algorithm = "sha1"
    digits: int = 6
    period: int = 30
    drift: int = 0


USUAL: Final = Parameters()
"""What this product issues."""


def new_secret() -> bytes:
    """Return a new secret from the system's random numbers."""
    return secrets.token_bytes(SECRET_BYTES)


def secret_for(seed: bytes, whom: str) -> bytes:
    """Return the secret that is *whom*'s share of a random *seed*: who is shown one knows no other.

    Args:
        seed: :data:`SECRET_BYTES` random bytes, shown to nobody.
        whom: Tells those apart who are to be shown different secrets.
    """
    return hmac.digest(seed, b"practicus-mfa/offered-secret/v1:" + whom.encode(), "sha256")[:SECRET_BYTES]


def secret_text(secret: bytes) -> str:
    """Return *secret* as a person types it into an app: base32 without padding."""
    return b32encode(secret).decode("ascii").rstrip("=")


def parse_secret(text: str, *, name: str = "the TOTP secret") -> bytes:
    """Read a secret in base32, forgiving white space, lower case and missing padding.

    Args:
        text: The secret's text.
        name: What the message calls it.

    Raises:
        MalformedSecretError: *text* is empty or not base32; the message says in which way.
    """
    letters = "".join(text.split()).upper().rstrip("=")
    remedy = "Give the secret in base32, as the authenticator app shows it: letters A to Z and digits 2 to 7."
    if not letters:
        raise MalformedSecretError(f"{name} is empty", remedy=remedy)
    if junk := _NOT_BASE32.search(letters):
        place = junk.start() + 1
        msg = f"{name} is not base32: character {place} (white space aside) is not of its alphabet"
        raise MalformedSecretError(msg, remedy=remedy)
    if len(letters) % 8 not in _CHARACTERS_LEFT:
        msg = f"{name} is not base32: {len(letters)} characters can't be a whole secret (is its end missing?)"
        raise MalformedSecretError(msg, remedy=remedy)
    return b32decode(letters + "=" * (-len(letters) % 8))


def key_uri(secret: bytes, *, issuer: str, account: str) -> str:
    """Return *secret* as an ``otpauth:`` address with :data:`USUAL` parameters: what a QR code shows.

    The form is the one that authenticator apps share (Google Authenticator's "Key URI Format").
    """
    label = f"{quote(issuer, safe='')}:{quote(account, safe='@')}"
    query = {
        "secret": secret_text(secret),
        "issuer": issuer,
        "algorithm": USUAL.algorithm.upper(),
        "digits": USUAL.digits,
        "period": USUAL.period,
    }
    return f"otpauth://totp/{label}?{urlencode(query, quote_via=quote)}"


def step_at(now: int, parameters: Parameters = USUAL) -> int:
    """Return the step that the device is in at *now*, in seconds since 1970."""
    return now // parameters.period + parameters.drift


def code_at(secret: bytes, step: int, parameters: Parameters = USUAL) -> str:
    """Return the code of a *step* (RFC 4226, section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), parameters.algorithm)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**parameters.digits).zfill(parameters.digits)


def matching_step(secret: bytes, typed: str, *, now: int, parameters: Parameters = USUAL) -> int | None:
    """Return the step, of the one at *now* and its two neighbours, whose code was *typed*.

    All three codes are made and compared in constant time, whichever matches. Where two have the same code
    it is the later step, so that neither can be used again.

    Args:
        secret: The secret's raw bytes.
        typed: What the person typed, without white space; ASCII digits only can match.
        now: Seconds since 1970.
        parameters: How the factor makes its codes.
    """
    if not (typed.isascii() and typed.isdigit()):
        return None
    present = step_at(now, parameters)
    found = None
    for step in (present + neighbour for neighbour in _NEIGHBOURS):
        if hmac.compare_digest(code_at(secret, step, parameters), typed):
            found = step
    return found
