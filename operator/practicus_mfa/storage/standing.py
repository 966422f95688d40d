"""How people stand before the policy changes: who administers, and who has a factor."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Connection, func, or_, select

from practicus_mfa.storage.factors import HAS_TOKEN, Factor, to_factor
from practicus_mfa.storage.schema import factors, users
from practicus_mfa.storage.users import is_enrolled

_ADMINISTRATOR: Final = or_(users.c.is_staff, users.c.is_superuser) & users.c.is_active


def administrators(connection: Connection) -> tuple[int, int]:
    """Return how many active administrators there are, and how many of them have a factor."""
    return _count(connection, _ADMINISTRATOR), _count(connection, _ADMINISTRATOR & is_enrolled())


def without_factor(connection: Connection) -> int:
    """Return how many active users have no factor; at the cost of the number of users."""
    return _count(connection, users.c.is_active & ~is_enrolled())


def _count(connection: Connection, condition: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(users).where(condition)
    return int(connection.execute(query).scalar_one())


def factors_of_administrators(connection: Connection, limit: int) -> tuple[Factor, ...]:
    """Return the newest factors of active administrators."""
    query = (
        select(factors)
        .join(users, users.c.id == factors.c.user_id)
        .where(_ADMINISTRATOR, HAS_TOKEN)
        .order_by(factors.c.id.desc())
        .limit(limit)
    )
    return tuple(map(to_factor, connection.execute(query)))
