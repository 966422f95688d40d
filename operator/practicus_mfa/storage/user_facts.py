"""What else is stored about users, for the pages that an administrator looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from practicus_mfa.core.login.throttle import Counter, Kind
from practicus_mfa.core.usernames import username_key
from practicus_mfa.storage import expiry
from practicus_mfa.storage.schema import attempts, devices, setup_links, users


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """When what happened; ``None``: never."""

    created_at: datetime
    last_login_at: datetime | None
    link_until: datetime | None
    """Until when a set-up link is good that was handed out."""
    has_password: bool


def dates(connection: Connection, user_id: int) -> Dates | None:
    """Return the dates of a user, ``None`` where there is no such user."""
    until = (
        select(setup_links.c.expires_at)
        .where(setup_links.c.user_id == users.c.id, expiry.unexpired(setup_links))
        .scalar_subquery()
    )
    query = select(
        users.c.created_at,
        users.c.last_login_at,
        until.label("link_until"),
        (users.c.password_hash != "").label("has_password"),
    ).where(users.c.id == user_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else Dates(**{**row, "has_password": bool(row["has_password"])})


def known_devices(connection: Connection, user_id: int) -> int:
    """Return in how many browsers a user is known."""
    query = select(func.count()).where(devices.c.user_id == user_id, expiry.unexpired(devices))
    return connection.execute(query).scalar_one()


def counters(connection: Connection, subject: str) -> tuple[tuple[Kind, Counter], ...]:
    """Return the counters of wrong tries that share a *subject*, as they are; nothing is locked."""
    kept = or_(attempts.c.expires_at.is_(None), expiry.unexpired(attempts))
    query = select(attempts).where(attempts.c.subject == subject, kept).order_by(attempts.c.kind)
    return tuple(
        (
            Kind(row.kind),
            Counter(
                failures=row.failures,
                last_at=row.last_at,
                stopped_until=row.stopped_until,
                forever=row.forever,
            ),
        )
        for row in connection.execute(query)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A user as far as a question about many needs to know."""

    id: int
    username: str
    is_administrator: bool


def named(connection: Connection, user_ids: Sequence[int]) -> tuple[Named, ...]:
    """Return those of *user_ids* that there are, by name; at most 1,000 at once."""
    query = (
        select(
            users.c.id,
            users.c.username,
            or_(users.c.is_staff, users.c.is_superuser).label("is_administrator"),
        )
        .where(users.c.id.in_(user_ids))
        .order_by(users.c.username_key)
    )
    rows = connection.execute(query).mappings()
    return tuple(Named(**{**row, "is_administrator": bool(row["is_administrator"])}) for row in rows)


def ids_of_names(connection: Connection, usernames: Sequence[str]) -> dict[str, int]:
    """Return the ids of user names as they are shown; those that nobody has any more are missing."""
    keys = [username_key(name) for name in usernames]
    query = select(users.c.username, users.c.id).where(users.c.username_key.in_(keys))
    return {row.username: row.id for row in connection.execute(query)}
