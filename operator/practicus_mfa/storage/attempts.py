"""Counters of wrong tries, and which names have failed from which address.

Counters are locked before they are judged, always in one order, so that tries at the same moment neither pass
a limit together nor wait for each other in a ring. Their names are digests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from practicus_mfa.core.login.throttle import Counter, Kind
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.schema import attempts, failing_names
from practicus_mfa.storage.types import database_instant
from practicus_mfa.storage.upsert import insert_missing, upsert


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Key:
    """Which counter: a digest of what is counted, of whom (a digest too), and what kind of try."""

    counter: str
    kind: Kind
    subject: str


_NEW: Final = Counter()


def lock(connection: Connection, keys: Sequence[Key]) -> Mapping[Key, Counter]:
    """Return the counters, made where they are missing; nobody else gets them until the transaction ends."""
    found = {}
    for key in sorted(keys):
        row = {
            "counter": key.counter,
            "kind": key.kind,
            "subject": key.subject,
            "failures": 0,
            "forever": False,
        }
        insert_missing(connection, attempts, row)
        stored = connection.execute(select(attempts).where(_is(key)).with_for_update()).one()
        expired = stored.expires_at is not None and stored.expires_at <= database_now(connection)
        found[key] = (
            _NEW
            if expired
            else Counter(
                failures=stored.failures,
                last_at=stored.last_at,
                stopped_until=stored.stopped_until,
                forever=stored.forever,
            )
        )
    return found


def save(connection: Connection, key: Key, counter: Counter, *, expires_at: datetime | None) -> None:
    """Store a counter that :func:`lock` gave, counted on.

    Args:
        connection: The transaction that holds the lock.
        key: Which.
        counter: What it is now.
        expires_at: When it begins anew by itself; ``None``: never.
    """
    values = {
        "failures": counter.failures,
        "last_at": counter.last_at,
        "stopped_until": counter.stopped_until,
        "forever": counter.forever,
        "expires_at": expires_at,
    }
    connection.execute(update(attempts).where(_is(key)).values(values))


def clear(connection: Connection, keys: Sequence[Key]) -> None:
    """Let counters begin anew."""
    for key in sorted(keys):
        connection.execute(delete(attempts).where(_is(key)))


def clear_subject(connection: Connection, subject: str, kinds: Sequence[Kind]) -> None:
    """Let all counters of these kinds that are about *subject* begin anew."""
    connection.execute(delete(attempts).where(attempts.c.subject == subject, attempts.c.kind.in_(kinds)))


def _is(key: Key) -> ColumnElement[bool]:
    return and_(attempts.c.counter == key.counter, attempts.c.kind == key.kind)


def failing_name(connection: Connection, address: str, name: str, *, span: timedelta) -> None:
    """Note that a name (a digest of it) has failed from an address; it is forgotten after *span*."""
    row = {"address": address, "name_digest": name, "expires_at": database_now(connection) + span}
    upsert(connection, failing_names, row, key=("address", "name_digest"))


def failing_names_of(connection: Connection, address: str) -> int:
    """Return how many names have failed from an address lately."""
    query = select(func.count()).where(
        failing_names.c.address == address, failing_names.c.expires_at > database_instant()
    )
    return connection.execute(query).scalar_one()


def delete_expired(connection: Connection) -> int:
    """Delete what counts no longer; return how many."""
    counted = delete(attempts).where(
        or_(
            attempts.c.expires_at <= database_instant(),
            # Made to be locked, and nothing was counted.
            and_(attempts.c.expires_at.is_(None), attempts.c.failures == 0),
        )
    )
    named = delete(failing_names).where(failing_names.c.expires_at <= database_instant())
    return len(connection.execute(counted.returning(attempts.c.counter)).all()) + len(
        connection.execute(named.returning(failing_names.c.address)).all()
    )
