"""Second factors of a user: sealed under the key that writes at that instant, opened with any that is held.

A user whose MFA can't be decrypted is not a user without MFA: enrolling over it is refused, whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from practicus_mfa.clock import Clock
from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.crypto.tokens import Opened, open_sealed, seal
from practicus_mfa.errors import RetryableError, UsageError
from practicus_mfa.storage import audit, devices, factors, users
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.factors import USUAL, Factor, NewFactor, TotpParameters
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.users import User
from practicus_mfa.storage.writer import with_token_write


class AlreadyEnrolledError(UsageError):
    """The user has MFA, readable or not."""

    def __init__(self, username: str) -> None:
        """Name the user."""
        super().__init__(
            f"The user {username!r} has MFA already.",
            remedy="Remove it first: practicus-mfa users remove-mfa.",
        )


class WriteKeyNotHeldError(RetryableError):
    """The key that writes is not among those that this process holds."""

    def __init__(self, key: KeyId) -> None:
        """Name it."""
        super().__init__(
            f"The key {key} writes now, and it is not in the keyring.",
            remedy="Load the newest keyring, try again.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A TOTP secret of a user, to be sealed.

    Attributes:
        user_id: The owner.
        secret: The raw bytes; never shown.
        totp: How codes are made from it, and which were used.
    """

    user_id: int
    secret: bytes = field(repr=False)
    totp: TotpParameters = USUAL


def enrol(
    db: Database,
    username: str,
    secret: bytes,
    *,
    keys: HeldKeys,
    clock: Clock,
    actor: str,
    totp: TotpParameters = USUAL,
) -> User:
    """Give a user who has no MFA a factor.

    Args:
        db: The database.
        username: Whose.
        secret: The raw bytes of the TOTP secret.
        keys: The keys that this process holds, the write key among them.
        clock: The time that the token is sealed at.
        actor: Who does it, for the audit.
        totp: How codes are made; ``last_step`` is the step of the code that proved the enrolment.

    Raises:
        AlreadyEnrolledError: The user has MFA, readable or not.
        NoSuchUserError: There is no such user.
        WriteKeyNotHeldError: *keys* lacks the write key.
    """

    def write(connection: Transaction, key: KeyId) -> User:
        user = users.get(connection, username, lock=True)
        if factors.of_user(connection, user.id):
            raise AlreadyEnrolledError(user.username)
        factors.remove_all(connection, user.id)  # those without a token: cleared by hand
        add_factors(connection, key, [Secret(user_id=user.id, secret=secret, totp=totp)], keys, clock)
        devices.delete_all(connection, user.id)  # a password made them known
        audit.append(connection, actor, "mfa.enrol", subject=user.username)
        return user

    return with_token_write(db, write)


def add_factors(
    connection: Transaction, key: KeyId, secrets: Sequence[Secret], keys: HeldKeys, clock: Clock
) -> None:
    """Seal *secrets* with *key*, the write key of this transaction of the one writer, and add them.

    Raises:
        WriteKeyNotHeldError: *keys* lacks it.
    """
    factors.write(connection, key, [_sealed(one, key, keys, clock) for one in secrets])


def add_factor(connection: Transaction, key: KeyId, one: Secret, keys: HeldKeys, clock: Clock) -> int:
    """Do the same for *one* secret; return the factor's id.

    Raises:
        WriteKeyNotHeldError: *keys* lacks the write key.
    """
    return factors.write_one(connection, key, _sealed(one, key, keys, clock))


def _sealed(one: Secret, key: KeyId, keys: HeldKeys, clock: Clock) -> NewFactor:
    now = int(clock().timestamp())
    token = seal(one.secret, owner=one.user_id, key=held_key(keys, key), now=now)
    return NewFactor(user_id=one.user_id, token=token, totp=one.totp)


def held_key(keys: HeldKeys, key: KeyId) -> FernetKey:
    """Return the key that writes.

    Raises:
        WriteKeyNotHeldError: *keys* lacks it.
    """
    try:
        return keys[key]
    except KeyError:
        raise WriteKeyNotHeldError(key) from None


def open_factor(factor: Factor, keys: HeldKeys) -> Opened:
    """Open a factor with the keys that are held.

    Raises:
        UnreadableTokenError: No key opens it for its owner; that is not the same as having no MFA.
    """
    return open_sealed(factor.token, owner=factor.user_id, keys=keys, hint=factor.key_id)
