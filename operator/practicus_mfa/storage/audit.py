"""What happened, who did it, and how it ended: lines that are only ever appended.

The database refuses to change or delete a line. No line holds a key, a token, a code or a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from practicus_mfa.storage.schema import audit

DONE: Final = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One line.

    Attributes:
        id: Its number; later lines have higher ones.
        at: When, by the database's clock.
        actor: Who: a user's name, or a part of the program.
        action: What, as ``noun.verb``.
        subject: To whom or what; empty where that is plain.
        result: How it ended.
        detail: More, as plain values.
    """

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    result: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def append(
    connection: Connection,
    actor: str,
    action: str,
    *,
    subject: str = "",
    result: str = DONE,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append a line in the transaction of what it tells of: both happen, or neither."""
    line = {
        "actor": actor,
        "action": action,
        "subject": subject,
        "result": result,
        "detail": dict(detail or {}),
    }
    connection.execute(insert(audit).values(line))


def read(
    connection: Connection,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    result: str | None = None,
    since: datetime | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> tuple[AuditLine, ...]:
    """Return the lines that all given values fit (*after*: with a higher number), newest first."""
    query = select(audit).order_by(audit.c.id.desc())
    exact = ((audit.c.actor, actor), (audit.c.action, action), (audit.c.subject, subject))
    for column, wanted in (*exact, (audit.c.result, result)):
        if wanted is not None:
            query = query.where(column == wanted)
    if after is not None:
        query = query.where(audit.c.id > after)
    if since is not None:
        query = query.where(audit.c.at >= since)
    rows = connection.execute(query if limit is None else query.limit(limit))
    return tuple(AuditLine(**row._mapping) for row in rows)  # noqa: SLF001 - a row's public mapping
