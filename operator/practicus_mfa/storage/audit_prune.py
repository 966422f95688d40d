"""Pruning the audit: old lines go, and a checkpoint stays, from which the chain goes on.

Only a beginning of the chain can go: all lines up to some place. The checkpoint, that place with its hash,
is written first and for good; the database lets no line go that no checkpoint covers. So a pruning that was
cut short is completed by the next one, and a verification begins at the checkpoint in any case. The line that
the mark is taken from stays (:mod:`practicus_mfa.storage.audit_chain`): without it, nobody could tell lines
that were put in from lines that wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, delete, func, insert, select

from practicus_mfa.core.audit_chain import Head, written_instant
from practicus_mfa.storage import audit as lines
from practicus_mfa.storage.audit_chain import SETTLED, place_settled
from practicus_mfa.storage.audit_places import last_checkpoint, pruned
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.schema import audit, audit_chain, audit_checkpoints

PRUNED: Final = "audit.prune"

AT_ONCE: Final = 10_000
"""Lines that are deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class Prunable:
    """What can go: all lines up to *head*, so many of them."""

    head: Head
    lines: int


def prunable(connection: Connection, before: datetime, *, settled: timedelta = SETTLED) -> Prunable | None:
    """Return what is older than *before*; ``None``: nothing is, that could go."""
    start, settled_place = last_checkpoint(connection).head, place_settled(connection, settled=settled)
    if settled_place is None:
        return None
    younger = (
        select(audit_chain.c.position)
        .join(audit, audit.c.id == audit_chain.c.line_id)
        .where(audit_chain.c.position > start.count, audit.c.at >= before)
        .order_by(audit_chain.c.position)
        .limit(1)
    )
    first_to_stay = connection.execute(younger).scalar()
    last = settled_place[0] if first_to_stay is None else min(first_to_stay, settled_place[0])
    query = select(audit_chain.c.position, audit_chain.c.hash).where(audit_chain.c.position < last)
    row = connection.execute(query.order_by(audit_chain.c.position.desc()).limit(1)).one_or_none()
    if row is None or row.position <= start.count:
        return None
    return Prunable(Head(row.position, row.hash), row.position - start.count)


def write_checkpoint(connection: Connection, what: Prunable, *, before: datetime, actor: str) -> None:
    """Decide that *what* goes: the checkpoint, and a line of the audit that tells of it."""
    row = {"position": what.head.count, "hash": what.head.hash, "before": before, "actor": actor}
    connection.execute(insert(audit_checkpoints).values(row))
    detail = {"before": written_instant(before), "lines": what.lines, "head": str(what.head)}
    lines.append(connection, actor, PRUNED, detail=detail)


def delete_pruned(db: Database) -> int:
    """Delete the lines that the last checkpoint covers, and their places; return how many lines went.

    Raises:
        UsageError: This role may not: it is for the owner of the tables.
        UnreachableError: The database can't be used at the moment; the rest goes the next time.
    """
    gone = 0
    while True:
        with db.write() as connection:
            left = pruned(last_checkpoint(connection))
            if left is None:
                return gone
            first = connection.execute(select(func.min(audit_chain.c.position)).where(left)).scalar()
            if first is None:
                return gone
            some = and_(left, audit_chain.c.position < first + AT_ONCE)
            of_them = select(audit_chain.c.line_id).where(some)
            gone += connection.execute(delete(audit).where(audit.c.id.in_(of_them))).rowcount
            connection.execute(delete(audit_chain).where(some))
