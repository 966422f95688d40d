"""The places of the chain with their lines, in order, a page at a time; and up to where they were pruned.

The chain has the places 1, 2, 3, …, and pruned ones were sealed before they were pruned. Whoever may seal can
write a place that is none of these: before the first one, or where pruned ones were. The line of such a place
is never sealed, so it is told of, and no pruning takes it for an old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, not_, select

from practicus_mfa.core.audit_chain import NOTHING, AuditLine, Head
from practicus_mfa.storage.schema import audit, audit_chain, audit_checkpoints

PAGE: Final = 2000
"""Places that are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the chain, with its line.

    Attributes:
        position: Which: 1, 2, 3, …
        line_id: The line's number.
        hash: As it is stored.
        line: ``None``: it is not there, or can't be read.
        readable: Whether it can be read.
    """

    position: int
    line_id: int
    hash: bytes
    line: AuditLine | None
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where the chain goes on from.

    Attributes:
        head: The head up to which lines were pruned.
        pruned_at: When they were, by the database's clock; ``None``: none ever was.
    """

    head: Head
    pruned_at: datetime | None


def last_checkpoint(connection: Connection) -> Checkpoint:
    """Return the last checkpoint; that of nothing where no line was ever pruned."""
    table = audit_checkpoints.c
    query = select(table.position, table.hash, table.pruned_at).order_by(table.position.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    if row is None:
        return Checkpoint(NOTHING, None)
    return Checkpoint(Head(row.position, row.hash), row.pruned_at)


def pruned(checkpoint: Checkpoint) -> ColumnElement[bool] | None:
    """Return the condition that a place is one that a pruning has still to delete; ``None``: none can be."""
    if checkpoint.pruned_at is None:
        return None
    place = audit_chain.c
    # When a line was sealed is for the database to say, not for who seals.
    return and_(
        place.position >= 1,
        place.position <= checkpoint.head.count,
        place.sealed_at <= checkpoint.pruned_at,
    )


def out_of_the_chain(connection: Connection, checkpoint: Checkpoint) -> Iterator[tuple[int, int]]:
    """Yield the places that no line can have got, and the numbers of their lines, in the places' order."""
    place, left = audit_chain.c, pruned(checkpoint)
    strange = place.position <= checkpoint.head.count
    if left is not None:
        strange = and_(strange, not_(left))
    query = select(place.position, place.line_id).where(strange).order_by(place.position)
    for row in connection.execute(query, execution_options={"yield_per": PAGE}):
        yield row.position, row.line_id


def places(connection: Connection, after: int, until: int | None) -> Iterator[Place]:
    """Yield the places after *after*, up to *until*, in their order; what memory they take does not grow."""
    size = PAGE
    while True:
        try:
            page = _page(connection, after, until, size)
        except (ValueError, TypeError):
            # SQLite takes any text for a time or a document. Which line it is shows when they come singly.
            if size == 1:
                page = [_unreadable(connection, after)]
            else:
                size = 1
                continue
        yield from page
        if len(page) < size:
            return
        after = page[-1].position
        if not page[-1].readable:
            size = PAGE


def _page(connection: Connection, after: int, until: int | None, size: int) -> list[Place]:
    place = audit_chain.c
    query = (
        select(place.position, place.line_id, place.hash, audit)
        .select_from(audit_chain.outerjoin(audit, audit.c.id == place.line_id))
        .where(place.position > after)
        .order_by(place.position)
        .limit(size)
    )
    if until is not None:
        query = query.where(place.position <= until)
    return [_place(row) for row in connection.execute(query)]


def _place(row: Sequence[Any]) -> Place:
    names, values = audit.c.keys(), row[3:]
    line = None if values[0] is None else AuditLine(**dict(zip(names, values, strict=True)))
    return Place(position=row[0], line_id=row[1], hash=row[2], line=line)


def _unreadable(connection: Connection, after: int) -> Place:
    place = audit_chain.c
    query = (
        select(place.position, place.line_id, place.hash)
        .where(place.position > after)
        .order_by(place.position)
    )
    row = connection.execute(query.limit(1)).one()
    return Place(position=row.position, line_id=row.line_id, hash=row.hash, line=None, readable=False)
