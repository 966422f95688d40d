"""Lines of the audit as people look for them: by who, what, to whom, how it ended and when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select

from practicus_mfa.core.audit_chain import AuditLine, members
from practicus_mfa.storage.audit import equal_to
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.schema import audit, audit_chain

AT_ONCE: Final = 2000
"""Lines that are read at once where all are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which lines; ``None`` wherever anything will do.

    Attributes:
        actor: Who, exactly.
        action: What, exactly.
        subject: To whom or what, exactly.
        result: How it ended, exactly.
        since: At this time or later.
        until: Before this time.
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    result: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A line, and its place in the chain; ``None`` while it is not sealed."""

    line: AuditLine
    position: int | None
    hash: bytes | None

    def as_json(self) -> str:
        """Return it as one line of JSON, in ASCII: what it says, its place and the hash there."""
        hash_ = None if self.hash is None else self.hash.hex()
        return json.dumps({**members(self.line), "position": self.position, "hash": hash_}, default=repr)


def newest(
    connection: Connection, wanted: Wanted, *, before: int | None = None, limit: int
) -> tuple[Placed, ...]:
    """Return up to *limit* lines, newest first: those with numbers below *before*, where one is given."""
    query = _query(wanted).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    return tuple(map(_placed, connection.execute(query)))


def every(db: Database, wanted: Wanted) -> Iterator[Placed]:
    """Yield all lines, oldest first; what memory it takes does not grow, and no transaction stays open."""
    first = query = _query(wanted).order_by(audit.c.id).limit(AT_ONCE)
    while True:
        with db.read() as connection:
            page = [_placed(row) for row in connection.execute(query)]
        yield from page
        if len(page) < AT_ONCE:
            return
        query = first.where(audit.c.id > page[-1].line.id)


def _query(wanted: Wanted) -> Select[Any]:
    query = (
        select(audit, audit_chain.c.position, audit_chain.c.hash)
        .select_from(audit.outerjoin(audit_chain, audit_chain.c.line_id == audit.c.id))
        .where(
            *equal_to(subject=wanted.subject, actor=wanted.actor, action=wanted.action, result=wanted.result)
        )
    )
    if wanted.since is not None:
        query = query.where(audit.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c.at < wanted.until)
    return query


def _placed(row: Row[Any]) -> Placed:
    members = dict(row._mapping)  # noqa: SLF001 - a row's public mapping
    position, hash_ = members.pop("position"), members.pop("hash")
    return Placed(AuditLine(**members), position, hash_)
