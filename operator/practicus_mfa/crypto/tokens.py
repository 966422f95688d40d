"""Tokens of our own table: a TOTP secret under a Fernet key, bound to its owner.

Fernet authenticates a token but not the place where it stands: copied into another user's row it would open
there. So the plaintext carries, before the secret, a version and the owner's id, and each open checks them:

    plaintext = 0x01 | owner's user id, 8 bytes, big-endian, unsigned | the secret's raw bytes

A key's *canary* is a token of a fixed text. It proves that a key is the one it is taken for, without a
user's secret, and it can't stand in for a secret: it does not begin with the version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.faults import Fault, Reason, reason_unopened
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.errors import NeedsPersonError

BOUND_VERSION: Final = 1
OWNER_BYTES: Final = 8
BINDING_BYTES: Final = 1 + OWNER_BYTES
"""What stands before the secret: the version and the owner's id."""

_CANARY: Final = b"practicus-mfa/canary/v1"


@dataclass(frozen=True, slots=True)
class Opened:
    """What a token held.

    Attributes:
        secret: The raw bytes that were sealed; never shown.
        key_id: The key that opened the token.
    """

    secret: bytes = field(repr=False)
    key_id: KeyId


class UnreadableTokenError(NeedsPersonError):
    """A token that can't be read.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: Reason, message: str, *, remedy: str) -> None:
        """Keep the *reason* beside the sentences."""
        super().__init__(message, remedy=remedy)
        self.reason = reason

    @property
    def fault(self) -> Fault:
        """The fault that the database keeps."""
        return self.reason.fault


class UnknownKeyError(UnreadableTokenError):
    """The token is well-formed, but none of the held keys opens it."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(
            Reason.UNKNOWN_KEY,
            "no known key opens the token",
            remedy="Name the key that sealed it as secretStore.rollingKey.",
        )


_CORRUPT: Final = {
    Reason.MALFORMED: "the token is not a Fernet token",
    Reason.TRUNCATED: "the token is cut short",
    Reason.TAMPERED: "the token was changed after it was sealed",
    Reason.SWAPPED: "the token was sealed for another user",
    Reason.VERSION: "the token opens, but its content is of no known version",
}


class CorruptTokenError(UnreadableTokenError):
    """No key will ever give the token's secret back to this owner."""

    def __init__(self, reason: Reason) -> None:
        """Say in which way, by a *reason* whose fault is ``corrupt``."""
        remedy = "Restore the row from a backup, or remove the user's MFA so that it is set up again."
        super().__init__(reason, _CORRUPT[reason], remedy=remedy)


def bound(secret: bytes, owner: int) -> bytes:
    """Return the plaintext that binds *secret* to the user with the id *owner* (0 to 2**64 - 1)."""
    return bytes([BOUND_VERSION]) + owner.to_bytes(OWNER_BYTES, "big") + secret


def reason_unbound(plaintext: bytes, owner: int) -> Reason | None:
    """Say why *plaintext* is not *owner*'s, or None where it is."""
    if len(plaintext) < BINDING_BYTES or plaintext[0] != BOUND_VERSION:
        return Reason.VERSION
    return None if plaintext[1:BINDING_BYTES] == owner.to_bytes(OWNER_BYTES, "big") else Reason.SWAPPED


def seal(secret: bytes, *, owner: int, key: FernetKey, now: int) -> str:
    """Return *secret* as a token that only *key* opens, and only for *owner*.

    Args:
        secret: The raw bytes of a TOTP secret.
        owner: The id of the user in whose row the token will stand.
        key: The write key.
        now: Seconds since 1970, kept in the token in the clear.
    """
    return key.fernet().encrypt_at_time(bound(secret, owner), now).decode("ascii")


def opened_by(token: str | bytes, keys: Iterable[FernetKey]) -> tuple[FernetKey, bytes] | None:
    """Return the first of *keys* that opens *token*, with the plaintext, as ``cryptography`` decides it."""
    # Imported here: who only asks for keys' IDs, as `status` does, need not wait for it.
    from cryptography.fernet import InvalidToken

    for key in keys:
        try:
            return key, key.fernet().decrypt(token)
        except (InvalidToken, ValueError):  # ValueError: a str that is not ASCII
            continue
    return None


def open_sealed(token: str, *, owner: int, keys: HeldKeys, hint: KeyId | None = None) -> Opened:
    """Open a *token* that stands in *owner*'s row.

    Args:
        token: The token.
        owner: The id of the user in whose row it stands.
        keys: The keys to try.
        hint: The key that the row names: tried first, and it tells a changed token from one whose key is
            not held.

    Raises:
        UnknownKeyError: No held key opens it.
        CorruptTokenError: It is not, or no longer, a token of this owner; see its ``reason``.
    """
    opened = opened_by(token, keys.in_order(hint))
    if opened is None:
        reason = reason_unopened(token, hint, keys)
        raise UnknownKeyError if reason is Reason.UNKNOWN_KEY else CorruptTokenError(reason)
    key, plaintext = opened
    if fault := reason_unbound(plaintext, owner):
        raise CorruptTokenError(fault)
    return Opened(plaintext[BINDING_BYTES:], key.id)


def seal_canary(key: FernetKey) -> str:
    """Return a token by which *key* is recognised. Its timestamp is 0: it says nothing."""
    return key.fernet().encrypt_at_time(_CANARY, 0).decode("ascii")


def opens_canary(token: str, key: FernetKey) -> bool:
    """Tell whether *token* is a canary that *key* sealed."""
    opened = opened_by(token, [key])
    return opened is not None and opened[1] == _CANARY
