"""Sealing the audit: committed lines get a place in the chain of hashes, in batches, beside those who append.

Who appends knows nothing of the chain and waits for nobody. Who seals looks for lines that are in no place
yet, and only one does so at a time. A transaction may commit a line after others with higher numbers, so a
place is given in the order in which lines are *found*, and lines are looked for a little below those that
were sealed last: above the *mark*, the number of the line that was sealed last before :data:`SETTLED` began.
What turns up below the mark came too late, or was put in: it gets no place, and verifying tells of it.

Nearly all lines are found a second after they were committed, near the end. So who seals each second looks
near the end alone (:data:`NEAR`), and all the way back to the mark now and then.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, exists, func, insert, or_, select, text

from practicus_mfa.core.audit_chain import NOTHING, AuditLine, Head, link
from practicus_mfa.storage.audit import as_lines
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.schema import audit, audit_chain, audit_checkpoints

SETTLED: Final = timedelta(minutes=2)
"""How long a line is waited for whose number is lower than that of a sealed one: its transaction is open."""

NEAR: Final = 1000
"""Places that are near the end."""

BATCH: Final = 2000
"""Lines that are sealed in one transaction: on SQLite it keeps everybody else from writing."""

SEALING_LOCK: Final = 0x6D66_6173
"""PostgreSQL's advisory lock of who seals ("mfas" in ASCII, one before the locks on subjects)."""


def head(connection: Connection) -> Head:
    """Return the head of the chain: of all lines that were ever sealed, pruned ones included."""
    for table in (audit_chain, audit_checkpoints):
        query = select(table.c.position, table.c.hash).order_by(table.c.position.desc()).limit(1)
        if found := connection.execute(query).one_or_none():
            return Head(found.position, found.hash)
    return NOTHING


def mark(connection: Connection, *, settled: timedelta = SETTLED) -> int:
    """Return the number of a line up to which, by now, no other line can still be under way.

    Args:
        connection: The transaction.
        settled: How long ago that line must have been sealed.
    """
    place = place_settled(connection, settled=settled)
    return place[1] if place else 0


def place_settled(
    connection: Connection, *, settled: timedelta = SETTLED, or_up_to: int = 0
) -> tuple[int, int] | None:
    """Return the last place that was given at least *settled* ago, and the number of its line.

    Args:
        connection: The transaction.
        settled: How long ago.
        or_up_to: This place, and those before it, may have been given later too.
    """
    place = audit_chain.c
    old_enough = place.sealed_at <= database_now(connection) - settled
    # From the end backwards: as many as are sealed in that time, none of an idle service.
    found = connection.execute(
        select(place.position, place.line_id)
        .where(or_(old_enough, place.position <= or_up_to))
        .order_by(place.position.desc())
        .limit(1)
    ).one_or_none()
    return (found.position, found.line_id) if found else None


def seal(db: Database, limit: int = BATCH, *, near: int | None = None, settled: timedelta = SETTLED) -> Head:
    """Give lines that have none their places, up to *limit* of them; return the head.

    Nothing is written, and on SQLite nobody is kept from writing, where there is nothing to seal. Where
    somebody else seals at the moment, that is enough.

    Args:
        db: The database.
        limit: As many at most.
        near: Look no further back than so many places; ``None``: back to the mark.
        settled: How long lines are waited for.

    Raises:
        UnreachableError: The database can't be used at the moment.
        UsageError: This role may not seal.
    """
    with db.read() as connection:
        end = head(connection)
        if not _unsealed(connection, end, 1, near, settled):
            return end
    with db.write() as connection:
        # A statement of its own before all others: they see what the one before has sealed.
        if not _alone(connection):
            return head(connection)
        end = head(connection)
        places = []
        for line in _unsealed(connection, end, limit, near, settled):
            end = link(end, line)
            places.append({"position": end.count, "line_id": line.id, "hash": end.hash})
        if places:
            connection.execute(insert(audit_chain), places)
        return end


def unsealed_above(mark: int) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a line has a number above *mark* and no place."""
    # The mark is told of both tables, so that no plan reads more of either.
    place = exists().where(audit_chain.c.line_id == audit.c.id, audit_chain.c.line_id > mark)
    return audit.c.id > mark, ~place


def count_unsealed(connection: Connection, above: int | None = None) -> int:
    """Return how many lines wait for a place: those above the mark, or *above* another number."""
    conditions = unsealed_above(mark(connection) if above is None else above)
    return connection.execute(select(func.count()).select_from(audit).where(*conditions)).scalar_one()


def hold(connection: Connection) -> None:
    """Let nobody seal until the transaction ends: what it appends may take longer than :data:`SETTLED`."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SEALING_LOCK})


def _unsealed(
    connection: Connection, end: Head, limit: int, near: int | None, settled: timedelta
) -> tuple[AuditLine, ...]:
    or_up_to = 0 if near is None else end.count - near
    place = place_settled(connection, settled=settled, or_up_to=or_up_to)
    conditions = unsealed_above(place[1] if place else 0)
    return as_lines(connection.execute(select(audit).where(*conditions).order_by(audit.c.id).limit(limit)))


def _alone(connection: Connection) -> bool:
    """Whether nobody else seals until the transaction ends; on SQLite nobody else writes at all."""
    if connection.dialect.name != "postgresql":
        return True
    taken = connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": SEALING_LOCK})
    return bool(taken.scalar_one())
