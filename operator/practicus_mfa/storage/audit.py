"""What happened, who did it, and how it ended: lines that are only ever appended.

The database refuses to change or delete a line. No line holds a key, a token, a code or a password.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, insert, select

from practicus_mfa.core.audit_chain import AuditLine
from practicus_mfa.storage.schema import audit

DONE: Final = "done"


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
    conditions = equal_to(subject=subject, actor=actor, action=action, result=result)
    query = select(audit).where(*conditions).order_by(audit.c.id.desc())
    if after is not None:
        query = query.where(audit.c.id > after)
    if since is not None:
        query = query.where(audit.c.at >= since)
    rows = connection.execute(query if limit is None else query.limit(limit))
    return as_lines(rows)


def as_lines(rows: Iterable[Row[Any]]) -> tuple[AuditLine, ...]:
    """Return *rows* of the table as lines."""
    return tuple(AuditLine(**row._mapping) for row in rows)  # noqa: SLF001 - a row's public mapping


def equal_to(
    *, subject: str | None, actor: str | None, action: str | None, result: str | None
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a line says all of these; ``None``: whatever it says."""
    given = [
        (column, value)
        for column, value in (
            (audit.c.subject, subject),
            (audit.c.actor, actor),
            (audit.c.action, action),
            (audit.c.result, result),
        )
        if value is not None
    ]
    # Lines are found by the first, which few lines share: SQLite, which keeps no statistics of its own
    # accord, would go through all log-ins for those of one user. An expression is looked up in no index.
    return tuple(
        (column if place == 0 else column + "") == value for place, (column, value) in enumerate(given)
    )
