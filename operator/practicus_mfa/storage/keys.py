"""Which keys rows may be written under (live keys), and which one writes.

A factor's ``key_id`` refers to a live key, so deleting the live key's row closes the fence: from then on the
database itself refuses a row under it, however late its writer. The write key changes under the exclusive
lock (:mod:`practicus_mfa.storage.writer`), after one last look at the leases: convergence that was observed
before the lock may be out of date.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import Claim, ReaderSeen
from practicus_mfa.errors import SupersededError
from practicus_mfa.storage.claims import guarded_write
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.faults import BusyError
from practicus_mfa.storage.readers import unexpired
from practicus_mfa.storage.rotations import Milestone, mark
from practicus_mfa.storage.schema import factors, key_history, live_keys, rotations, write_key
from practicus_mfa.storage.upsert import insert_missing, upsert
from practicus_mfa.storage.writer import own_write_lock, read_write_key


@dataclass(frozen=True, slots=True)
class Promoted:
    """The key writes; *former* wrote before it, ``None`` at the bootstrap."""

    former: KeyId | None


@dataclass(frozen=True, slots=True)
class NotConverged:
    """Nothing was changed: these readers can't read with the key."""

    readers: tuple[ReaderSeen, ...]


@dataclass(frozen=True, slots=True)
class LockBusy:
    """Nothing was changed: other transactions held a lock for too long. Trying again later helps."""


@dataclass(frozen=True, slots=True)
class Retired:
    """The fence is closed behind the keys."""


@dataclass(frozen=True, slots=True)
class RowsRemain:
    """Nothing was changed: a row is still, or again, under one of the keys."""


def read_live_keys(connection: Connection) -> Mapping[KeyId, str]:
    """Return every live key with its canary: a known text sealed with it."""
    rows = connection.execute(select(live_keys.c.key_id, live_keys.c.canary).order_by(live_keys.c.key_id))
    return {KeyId(row.key_id): row.canary for row in rows}


def add_live_keys(connection: Connection, canaries: Mapping[KeyId, str]) -> None:
    """Let rows be written under these keys too; a canary that is there already stays.

    Args:
        connection: Of a guarded transaction.
        canaries: By key, a known text sealed with it.
    """
    for key, canary in sorted(canaries.items()):
        insert_missing(connection, live_keys, {"key_id": key, "canary": canary})


def set_write_key(
    db: Database, claim: Claim, key: KeyId, canary: str, *, lock_timeout: timedelta
) -> Promoted | NotConverged | LockBusy:
    """Let *key* write at the bootstrap, when there is no rotation; otherwise as :func:`promote`."""
    return _let_write(db, claim, None, key, canary, lock_timeout)


def promote(
    db: Database, claim: Claim, *, rotation_id: int, to_key: KeyId, canary: str, lock_timeout: timedelta
) -> Promoted | NotConverged | LockBusy:
    """Let *to_key* write, in one commit: before it the former key writes, after it nobody writes with that.

    Args:
        db: The database.
        claim: On whose behalf.
        rotation_id: The rotation that is promoted by it, whose target must be *to_key*.
        to_key: The new write key.
        canary: A known text sealed with it.
        lock_timeout: How long writers and registrations that are under way are waited for; those that come
            meanwhile wait behind, so it also limits how long they are held up.

    Raises:
        SupersededError: Somebody else acts for the database, or the rotation has another target.
    """
    return _let_write(db, claim, rotation_id, to_key, canary, lock_timeout)


def _let_write(
    db: Database, claim: Claim, rotation_id: int | None, key: KeyId, canary: str, lock_timeout: timedelta
) -> Promoted | NotConverged | LockBusy:
    try:
        with guarded_write(db, claim, lock_timeout=lock_timeout) as connection:
            own_write_lock(connection)
            lagging = tuple(reader for reader in unexpired(connection) if key not in reader.key_ids)
            if lagging:
                return NotConverged(lagging)
            former = read_write_key(connection)
            add_live_keys(connection, {key: canary})
            _change_write_key(connection, former, key)
            if rotation_id is not None:
                _check_target(connection, rotation_id, key)
                mark(connection, rotation_id, Milestone.PROMOTED)
            return Promoted(former)
    except BusyError:
        return LockBusy()


def _change_write_key(connection: Connection, former: KeyId | None, key: KeyId) -> None:
    if former == key:
        return
    now = database_now(connection)
    upsert(connection, write_key, {"id": 1, "key_id": key, "since": now}, key=("id",))
    revive(connection, key)
    if former is not None:
        upsert(connection, key_history, {"key_id": former, "wrote_until": now}, key=("key_id",))


def _check_target(connection: Connection, rotation_id: int, key: KeyId) -> None:
    target = connection.execute(
        select(rotations.c.to_key).where(rotations.c.id == rotation_id, rotations.c.completed_at.is_(None))
    ).scalar_one_or_none()
    if target != key:
        raise SupersededError(
            f"Rotation {rotation_id} does not lead to key {key} any more.", remedy="Look at the status again."
        )


def retire(
    db: Database, claim: Claim, keys: Collection[KeyId], *, rotation_id: int, lock_timeout: timedelta
) -> Retired | RowsRemain | LockBusy:
    """Close the fence behind *keys*, all of them or none.

    Rows that were cleared by hand (token NULL or empty) keep no hint for it: nothing in them needs a key.

    Args:
        db: The database.
        claim: On whose behalf.
        keys: Live keys that no row needs; those that are not live are passed over.
        rotation_id: The rotation that retires them.
        lock_timeout: How long any one lock may be waited for.

    Raises:
        SupersededError: Somebody else acts for the database, or one of *keys* writes.
    """
    try:
        with guarded_write(db, claim, lock_timeout=lock_timeout) as connection:
            if read_write_key(connection) in keys:
                raise SupersededError("The write key can't be retired.", remedy="Look at the status again.")
            cleared = or_(factors.c.token.is_(None), factors.c.token == "")
            connection.execute(update(factors).where(factors.c.key_id.in_(keys), cleared).values(key_id=None))
            connection.execute(delete(live_keys).where(live_keys.c.key_id.in_(keys)))
            mark(connection, rotation_id, Milestone.RETIRED)
            return Retired()
    except BusyError:
        return LockBusy()
    except IntegrityError:
        # The one constraint that this can violate: a factor refers to a key.
        return RowsRemain()


def former_keys(connection: Connection) -> frozenset[KeyId]:
    """Return the keys that were the write key once and are not now."""
    return _history(connection, "wrote_until") - {read_write_key(connection)}


def retired_keys(connection: Connection) -> frozenset[KeyId]:
    """Return the keys that a completed rotation proved to be needed by no row."""
    return _history(connection, "retired_at")


def _history(connection: Connection, column: str) -> frozenset[KeyId]:
    query = select(key_history.c.key_id).where(key_history.c[column].is_not(None))
    return frozenset(KeyId(key) for key in connection.execute(query).scalars())


def revive(connection: Connection, key: KeyId) -> None:
    """Forget that *key* was retired."""
    connection.execute(update(key_history).where(key_history.c.key_id == key).values(retired_at=None))
