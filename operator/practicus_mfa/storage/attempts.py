"""Counters of wrong tries, and which names have failed from which address.

Counters are locked before they are judged, so that tries at the same moment never pass a limit together. All
counters of a name share a *subject*, and the lock is one on the subject: tries at one name come one after
the other, and who locks some counters of a name never waits in a ring with who forgets all of them, in
whatever order their rows are. Nothing is written for a counter that is only looked at. On SQLite the file's
write lock, held from the first instant, does the same. Subjects and names of counters are digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, delete, func, or_, select, text, tuple_

from practicus_mfa.core.login.throttle import Counter, Kind
from practicus_mfa.storage import expiry
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.schema import attempts, failing_names
from practicus_mfa.storage.upsert import upsert

SUBJECT_LOCKS: Final = 0x6D66_6174
"""One half of PostgreSQL's advisory locks on subjects ("mfat" in ASCII); the subject gives the other half."""

_SIGNED: Final = 2**31
"""PostgreSQL's 32-bit numbers begin at minus this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Which counter: a digest of what is counted, of whom (a digest too), and what kind of try.

    *user_id* is given where a user's password was right before: then the name is no secret to be kept.
    """

    counter: str
    kind: Kind
    subject: str
    user_id: int | None = None


_NEW: Final = Counter()


def lock(connection: Connection, keys: Sequence[Key]) -> Mapping[Key, Counter]:
    """Return the counters; nobody else gets one of their subjects' until the transaction ends.

    Call it once a transaction, with all that are needed: who waits must hold no other counters.
    """
    _lock_subjects(connection, (key.subject for key in keys))
    # A statement of its own: it sees what was committed when the lock was given.
    counted = or_(attempts.c.expires_at.is_(None), expiry.unexpired(attempts))
    rows = connection.execute(select(attempts).where(_is_one_of(keys), counted))
    found = {(row.counter, row.kind): _counter(row) for row in rows}
    return {key: found.get((key.counter, key.kind.value), _NEW) for key in keys}


def _counter(row: Row[Any]) -> Counter:
    return Counter(
        failures=row.failures, last_at=row.last_at, stopped_until=row.stopped_until, forever=row.forever
    )


def _lock_subjects(connection: Connection, subjects: Iterable[str]) -> None:
    if connection.dialect.name != "postgresql":
        return
    # Two subjects whose digests begin alike only wait for each other.
    for number in sorted({int(subject[:8], 16) - _SIGNED for subject in subjects}):
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:locks, :subject)"),
            {"locks": SUBJECT_LOCKS, "subject": number},
        )


def save(connection: Connection, key: Key, counter: Counter, *, expires_at: datetime | None) -> None:
    """Store a counter that :func:`lock` gave, counted on.

    Args:
        connection: The transaction that holds the lock.
        key: Which.
        counter: What it is now.
        expires_at: When it begins anew by itself; ``None``: never.
    """
    row = {**asdict(key), "kind": key.kind.value, **asdict(counter), "expires_at": expires_at}
    upsert(connection, attempts, row, key=("counter", "kind"))


def clear(connection: Connection, keys: Sequence[Key]) -> None:
    """Let counters begin anew."""
    _lock_subjects(connection, (key.subject for key in keys))
    connection.execute(delete(attempts).where(_is_one_of(keys)))


def clear_subject(connection: Connection, subject: str, kinds: Sequence[Kind]) -> tuple[Counter, ...]:
    """Let all counters of these kinds that are about *subject* begin anew; return what they were."""
    _lock_subjects(connection, [subject])
    mine = delete(attempts).where(attempts.c.subject == subject, attempts.c.kind.in_(kinds))
    return tuple(_counter(row) for row in connection.execute(mine.returning(*attempts.c)))


def _is_one_of(keys: Sequence[Key]) -> ColumnElement[bool]:
    return tuple_(attempts.c.counter, attempts.c.kind).in_([(key.counter, key.kind.value) for key in keys])


def failing_name(connection: Connection, address: str, name: str, *, span: timedelta) -> None:
    """Note that a name (a digest of it) has failed from an address; it is forgotten after *span*."""
    row = {"address": address, "name_digest": name, "expires_at": database_now(connection) + span}
    upsert(connection, failing_names, row, key=("address", "name_digest"))


def failing_names_of(connection: Connection, address: str) -> int:
    """Return how many names have failed from an address lately."""
    query = select(func.count()).where(failing_names.c.address == address, expiry.unexpired(failing_names))
    return connection.execute(query).scalar_one()


def delete_expired(connection: Connection) -> int:
    """Delete what counts no longer; return how many."""
    return sum(expiry.delete_expired(connection, table) for table in (attempts, failing_names))
