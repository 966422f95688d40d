"""Requests of the settings page to change the policy: one row each, written by the login service.

The operator handles them, oldest first. When a request was made is the database's word, and who made it is
looked up when it is handled: the row only says which user that was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    case,
    cast,
    func,
    insert,
    null,
    select,
    update,
)

from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.schema import policy_requests, users
from practicus_mfa.storage.types import database_instant

APPLIED: Final = "applied"
REFUSED: Final = "refused"

LONGEST_CHANGES: Final = 10_000
"""Characters of JSON; a change of everything has a few hundred."""

_OPEN: Final = policy_requests.c.handled_at.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """A request that waits for the operator.

    Attributes:
        id: Its number.
        at: When it was made.
        age: How long ago that is.
        changes: What it asks for, as somebody wrote it.
        author_id: Whose it is.
        author: The user's name as of now; '' where there is no such user.
        may: The user is an active superuser as of now.
    """

    id: int
    at: datetime
    age: timedelta
    changes: Any
    author_id: int
    author: str
    may: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRequest:
    """A request as the settings page shows it.

    Attributes:
        id: Its number.
        at: When it was made.
        author: Who made it, as was written then.
        changes: What it asks for.
        handled_at: When it was handled; ``None`` while it waits.
        outcome: ``applied`` or ``refused``; ``None`` while it waits.
        message: Why it was refused.
    """

    id: int
    at: datetime
    author: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    handled_at: datetime | None
    outcome: str | None
    message: str


def ask(connection: Connection, *, author_id: int, author: str, changes: Mapping[str, Any]) -> int:
    """Write a request, and return its number. The rest of the row is not for who asks to say."""
    row = {"author_id": author_id, "author": author, "changes": dict(changes)}
    inserted = connection.execute(insert(policy_requests).values(row).returning(policy_requests.c.id))
    return int(inserted.scalar_one())


def is_any_open(connection: Connection) -> bool:
    """Whether a request waits."""
    return connection.execute(select(policy_requests.c.id).where(_OPEN).limit(1)).first() is not None


def oldest_open(connection: Connection) -> OpenRequest | None:
    """Return the request that waits for the longest time, ``None`` where none does."""
    plain = (policy_requests.c.id, policy_requests.c.at, policy_requests.c.author_id)
    query = (
        select(*plain, _changes(), users.c.username, _active_superuser().label("may"))
        .select_from(policy_requests.outerjoin(users, users.c.id == policy_requests.c.author_id))
        .where(_OPEN)
        .order_by(policy_requests.c.id)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return OpenRequest(
        id=row.id,
        at=row.at,
        age=database_now(connection) - row.at,
        changes=row.changes,
        author_id=row.author_id,
        author=row.username or "",
        may=bool(row.may),
    )


def _changes() -> ColumnElement[Any]:
    """Return what a row asks for, nothing where that is too long: no operator runs out of memory by it."""
    column = policy_requests.c.changes
    is_short = func.length(cast(column, Text())) <= LONGEST_CHANGES
    return case((is_short, column), else_=null()).label("changes")


def _active_superuser() -> ColumnElement[bool]:
    return users.c.is_active & users.c.is_superuser


def close(connection: Connection, request_id: int, *, outcome: str, message: str = "") -> bool:
    """Say what became of a request; return whether nobody had said so before."""
    closed = connection.execute(
        update(policy_requests)
        .where(policy_requests.c.id == request_id, _OPEN)
        .values(handled_at=database_instant(), outcome=outcome, message=message)
        .returning(policy_requests.c.id)
    )
    return closed.first() is not None


def find(connection: Connection, request_id: int) -> tuple[PolicyRequest, timedelta] | None:
    """Return a request and how long ago it was made; ``None`` where there is none of that number."""
    row = connection.execute(_all().where(policy_requests.c.id == request_id)).one_or_none()
    return None if row is None else (_request(row), database_now(connection) - row.at)


def newest_applied(connection: Connection, limit: int) -> tuple[PolicyRequest, ...]:
    """Return the last *limit* requests that were applied, newest first."""
    query = _all().where(policy_requests.c.outcome == APPLIED).order_by(policy_requests.c.id.desc())
    return tuple(map(_request, connection.execute(query.limit(limit))))


def _all() -> Select[Any]:
    c = policy_requests.c
    return select(c.id, c.at, c.author, c.changes, c.handled_at, c.outcome, c.message)


def _request(row: Row[Any]) -> PolicyRequest:
    changes = row.changes if isinstance(row.changes, Mapping) else {}
    return PolicyRequest(**{**row._mapping, "changes": changes})  # noqa: SLF001 - a row's public mapping
