"""Which policy a database belongs to, and who acts for it: one row, checked in every operator transaction.

A session's lock would break under PgBouncer's transaction pooling, and a lock that expires proves nothing
about a process that was asleep. A row with an epoch does: whoever takes over raises it, and the transaction
of the one before, however late it wakes up, finds another epoch and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection, Row, select, update

from practicus_mfa.core.observed import Claim
from practicus_mfa.errors import SupersededError
from practicus_mfa.storage import schema
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.upsert import insert_missing


@dataclass(frozen=True, slots=True)
class Claimed:
    """The database is this policy's; act under this *claim*, whose epoch is the one to check."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class ClaimedByOther:
    """Another policy owns the database."""

    claim: Claim


def read_claim(connection: Connection) -> Claim | None:
    """Return who owns the database, ``None`` before the first claim."""
    row = connection.execute(select(schema.claim)).one_or_none()
    return None if row is None else _claim(row)


def read_generation(connection: Connection) -> int:
    """Return the highest keyring generation that was recorded, 0 before the first."""
    found = connection.execute(select(schema.claim.c.keyring_generation)).scalar_one_or_none()
    return found or 0


def _claim(row: Row[tuple[object, ...]]) -> Claim:
    return Claim(
        cluster=row.cluster, namespace=row.namespace, policy=row.policy, owner=row.owner, epoch=row.epoch
    )


def take_claim(db: Database, identity: Claim, *, adopt: bool = False) -> Claimed | ClaimedByOther:
    """Own the database in the name of *identity*, with an epoch above every earlier one.

    The owner's own claim stays as it is. *identity*'s epoch is not looked at.

    Args:
        db: The database.
        identity: The policy and the process that acts for it.
        adopt: Take it from another policy too.
    """
    with db.write() as connection:
        first = {"id": 1, **_columns(replace(identity, epoch=1))}
        insert_missing(connection, schema.claim, first)
        row = connection.execute(select(schema.claim).with_for_update()).one()
        present = _claim(row)
        if not present.same_policy(identity) and not adopt:
            return ClaimedByOther(present)
        if present.same_policy(identity) and present.owner == identity.owner:
            return Claimed(present)
        taken = replace(identity, epoch=present.epoch + 1)
        connection.execute(update(schema.claim).values(_columns(taken)))
        return Claimed(taken)


def _columns(claim: Claim) -> dict[str, object]:
    return {
        "cluster": claim.cluster,
        "namespace": claim.namespace,
        "policy": claim.policy,
        "owner": claim.owner,
        "epoch": claim.epoch,
    }


@contextmanager
def guarded_write(
    db: Database, claim: Claim, *, lock_timeout: timedelta | None = None
) -> Iterator[Connection]:
    """Give a writing transaction that only the holder of *claim* may make.

    Who takes over meanwhile waits until it is committed.

    Raises:
        SupersededError: Somebody else owns the database by now.
        BusyError: A lock was not free within *lock_timeout*.
    """
    with db.write(lock_timeout=lock_timeout) as connection:
        row = connection.execute(select(schema.claim).with_for_update(read=True)).one_or_none()
        if row is None or _claim(row) != claim:
            raise SupersededError(
                "Another operator has taken over this database.",
                remedy="Nothing was changed; this one goes on when it holds the claim again.",
            )
        yield connection


def record_generation(connection: Connection, generation: int) -> None:
    """Remember *generation* of the keyring, unless a higher one is known."""
    connection.execute(
        update(schema.claim)
        .where(schema.claim.c.keyring_generation < generation)
        .values(keyring_generation=generation)
    )
