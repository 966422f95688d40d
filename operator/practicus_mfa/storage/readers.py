"""Leases: who reads tokens at the moment, and with which keys.

A reader registers, renews its lease well before it expires, and registers again whenever the keys that it can
read with change. Registering and renewing take the lock that a promotion owns, so a reader is either counted
by the promotion or sees it: a lease that a promotion held to be expired can't come back to life, and who
can't read with the new write key gets no lease. All times are the database's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select, update

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import ReaderSeen
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.schema import readers
from practicus_mfa.storage.upsert import upsert
from practicus_mfa.storage.writer import read_write_key, share_write_lock

LEASE: Final = timedelta(seconds=15)
"""How long a reader is counted without a renewal."""

KEPT: Final = timedelta(hours=1)
"""How long an expired lease is kept, for people who look for a reader that died."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The lease holds until *expires_at*; *write_key* is what writes, ``None`` before the bootstrap."""

    write_key: KeyId | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CannotReadWriteKey:
    """Not ready: what is being written can't be read with the keys at hand. There is no lease."""

    write_key: KeyId


@dataclass(frozen=True, slots=True)
class Expired:
    """The lease ran out, or there was none: neither open nor write anything before registering again."""


def register(db: Database, instance: str, key_ids: Iterable[KeyId]) -> Registered | CannotReadWriteKey:
    """Begin a lease for *instance*, which can read with *key_ids*, in place of the one that it had."""
    keys = sorted(set(key_ids))
    with db.write() as connection:
        share_write_lock(connection)
        write_key = read_write_key(connection)
        now = database_now(connection)
        connection.execute(delete(readers).where(readers.c.expires_at < now - KEPT))
        if write_key is not None and write_key not in keys:
            connection.execute(delete(readers).where(readers.c.instance == instance))
            return CannotReadWriteKey(write_key)
        expires_at = now + LEASE
        lease = {"instance": instance, "key_ids": keys, "expires_at": expires_at}
        upsert(connection, readers, lease, key=("instance",))
        return Registered(write_key, expires_at)


def renew(db: Database, instance: str) -> Registered | CannotReadWriteKey | Expired:
    """Prolong the lease of *instance* with the keys that it was registered with."""
    with db.write() as connection:
        share_write_lock(connection)
        # Asked after the lock was given: a promotion may have been waited for.
        now = database_now(connection)
        mine = readers.c.instance == instance
        keys = connection.execute(
            select(readers.c.key_ids).where(mine, readers.c.expires_at > now)
        ).scalar_one_or_none()
        if keys is None:
            return Expired()
        write_key = read_write_key(connection)
        if write_key is not None and write_key not in keys:
            connection.execute(delete(readers).where(mine))
            return CannotReadWriteKey(write_key)
        expires_at = now + LEASE
        connection.execute(update(readers).where(mine).values(expires_at=expires_at))
        return Registered(write_key, expires_at)


def withdraw(db: Database, instance: str) -> None:
    """End the lease of *instance*, which reads no more; nothing where there is none."""
    with db.write() as connection:
        connection.execute(delete(readers).where(readers.c.instance == instance))


def unexpired(connection: Connection) -> tuple[ReaderSeen, ...]:
    """Return who holds a lease at this moment, by name."""
    rows = connection.execute(
        select(readers.c.instance, readers.c.key_ids)
        .where(readers.c.expires_at > database_now(connection))
        .order_by(readers.c.instance)
    )
    return tuple(ReaderSeen(row.instance, frozenset(map(KeyId, row.key_ids))) for row in rows)
