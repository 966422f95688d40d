"""Counting tries: which counters a try touches, whether it may be made, and what its end means for them.

A password is counted as wrong *before* it is hashed, and taken back if it was right: hashing takes a while,
and many tries at the same moment must not pass a limit that each of them sees unreached. A code is compared
while its counter is locked, so it is counted after.

The names of counters are digests: the table tells nobody who tried to log in from where. Those of codes say
whose they are, for administrators who look for stopped users.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.throttle import (
    ADDRESS_NAMES,
    ADDRESS_SPAN,
    Counter,
    Kind,
    Locked,
    Open,
    Until,
    address_block,
    failed,
    kept_for,
    wait,
)
from practicus_mfa.core.usernames import username_key
from practicus_mfa.crypto.opaque import digest, token_hash
from practicus_mfa.login.context import Acting, Client
from practicus_mfa.storage import attempts, devices
from practicus_mfa.storage.attempts import Key
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.transaction import Transaction

PASSWORD_KINDS: Final = (Kind.PASSWORD_HERE, Kind.PASSWORD_ANYWHERE)
CODE_KINDS: Final = (Kind.CODE, Kind.CODE_DEVICE)

NOBODY: Final = 0
"""No user's id."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Too many wrong tries: none is looked at for now.

    Attributes:
        seconds: How long; ``None``: until a recovery code, or an administrator, ends it.
    """

    seconds: int | None


def subject_of(username: str) -> str:
    """Return what all counters of a user are found by."""
    return digest("subject", username_key(username))


def known_device(connection: Transaction, account: Account | None, asks: Client | Acting) -> int | None:
    """Return the id of the browser that this user has logged in with before, ``None`` for any other."""
    if not asks.device:
        return None
    # Also of a name that nobody has: the same statements run.
    return devices.find(connection, NOBODY if account is None else account.id, token_hash(asks.device))


def password_keys(username: str, client: Client, device: int | None) -> tuple[Key, ...]:
    """Return the counters of a try at *username*'s password, which need not exist."""
    name, subject = username_key(username), subject_of(username)
    if device is not None:
        # Whatever strangers try elsewhere, the owner's own browser is not kept waiting.
        return (_key(Kind.PASSWORD_HERE, subject, name, f"device {device}"),)
    return (
        _key(Kind.PASSWORD_HERE, subject, name, address_block(client.address)),
        _key(Kind.PASSWORD_ANYWHERE, subject, name),
    )


def code_key(account: Account, device: int | None) -> Key:
    """Return the counter of a try at *account*'s codes."""
    subject = subject_of(account.username)
    if device is not None:
        return _key(Kind.CODE_DEVICE, subject, str(account.id), str(device), user_id=account.id)
    return _key(Kind.CODE, subject, str(account.id), user_id=account.id)


def recovery_key(account: Account) -> Key:
    """Return the counter of a try at *account*'s recovery codes."""
    return _key(Kind.RECOVERY, subject_of(account.username), str(account.id), user_id=account.id)


def _key(kind: Kind, subject: str, *what: str, user_id: int | None = None) -> Key:
    return Key(counter=digest(kind, *what), subject=subject, kind=kind, user_id=user_id)


def crowded(connection: Transaction, client: Client) -> Stopped | None:
    """Stop an address from which too many names have failed, where the address is the client's own."""
    if not client.address_real:
        return None
    if attempts.failing_names_of(connection, address_block(client.address)) < ADDRESS_NAMES:
        return None
    return Stopped(math.ceil(ADDRESS_SPAN.total_seconds()))


def stop_of(counters: Mapping[Key, Counter], now: datetime) -> Stopped | None:
    """Return the longest of what the counters order, ``None`` where a try may be made."""
    seconds = 0
    for counter in counters.values():
        match wait(counter, now):
            case Locked():
                return Stopped(None)
            case Until(seconds=some):
                seconds = max(seconds, some)
            case Open():
                pass
    return Stopped(seconds) if seconds else None


def count(connection: Transaction, counters: Mapping[Key, Counter], now: datetime) -> None:
    """Count one more wrong try on each of the *counters*, which :func:`storage.attempts.lock` gave."""
    for key, counter in counters.items():
        kept = kept_for(key.kind)
        expires_at = None if kept is None else now + kept
        attempts.save(connection, key, failed(key.kind, counter, now), expires_at=expires_at)


def lock(connection: Transaction, keys: Sequence[Key]) -> Mapping[Key, Counter]:
    """Return the counters, and let nobody else count on them until the transaction ends."""
    return attempts.lock(connection, keys)


def reserve(connection: Transaction, keys: Sequence[Key]) -> Stopped | None:
    """Count a try as wrong before it is made, unless it may not be made."""
    counters = lock(connection, keys)
    # Asked after the locks were given: others may have been waited for.
    now = database_now(connection)
    stopped = stop_of(counters, now)
    if stopped is None:
        count(connection, counters, now)
    return stopped


def take_back(connection: Transaction, keys: Iterable[Key]) -> None:
    """Begin to count anew: the try was right."""
    attempts.clear(connection, tuple(keys))


def note_failing_name(connection: Transaction, username: str, client: Client) -> None:
    """Note that *username* failed from this address."""
    if client.address_real:
        name = digest("name", username_key(username))
        attempts.failing_name(connection, address_block(client.address), name, span=ADDRESS_SPAN)


def end_stop(connection: Transaction, username: str) -> None:
    """Forget all wrong tries at a user's codes: a recovery code was right, or an administrator says so."""
    attempts.clear_subject(connection, subject_of(username), (*CODE_KINDS, Kind.RECOVERY))


def end_password_stop(connection: Transaction, username: str) -> None:
    """Forget all wrong tries at a user's password: it is another one now."""
    attempts.clear_subject(connection, subject_of(username), PASSWORD_KINDS)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What there was: wrong tries at all, and so many that a further one had to wait."""

    tries: bool
    stopped: bool


def unlock(connection: Transaction, username: str) -> Forgotten:
    """Forget all wrong tries at a user's passwords and codes."""
    counters = attempts.clear_subject(connection, subject_of(username), tuple(Kind))
    now = database_now(connection)
    stopped = any(not isinstance(wait(counter, now), Open) for counter in counters)
    return Forgotten(tries=bool(counters), stopped=stopped)
