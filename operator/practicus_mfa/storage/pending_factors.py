"""Seeds of the secrets that are offered to users for ten minutes, encrypted; one a user.

No live key is referred to: a rotation need not wait for what nobody depends on yet. A token whose key is gone
is replaced by a new one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from practicus_mfa.storage import expiry
from practicus_mfa.storage.schema import pending_factors
from practicus_mfa.storage.upsert import upsert


def save(connection: Connection, user_id: int, token: str, *, expires_at: datetime) -> None:
    """Offer a user what the seed of *token* gives, in place of what was offered before."""
    row = {"user_id": user_id, "token": token, "expires_at": expires_at}
    upsert(connection, pending_factors, row, key=("user_id",))


def get(connection: Connection, user_id: int) -> str | None:
    """Return the token of what a user is offered, ``None`` where that is nothing, or has expired."""
    query = select(pending_factors.c.token).where(
        pending_factors.c.user_id == user_id, expiry.unexpired(pending_factors)
    )
    return connection.execute(query).scalar_one_or_none()


def delete_of(connection: Connection, user_id: int) -> None:
    """Offer a user nothing any more."""
    connection.execute(delete(pending_factors).where(pending_factors.c.user_id == user_id))


def delete_expired(connection: Connection) -> int:
    """Delete what has expired; return how many."""
    return expiry.delete_expired(connection, pending_factors)
