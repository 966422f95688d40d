"""Half-logins: the password was right, something is missing still. They grant nothing, and end soon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from practicus_mfa.storage import expiry
from practicus_mfa.storage.schema import half_logins


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfLogin:
    """A half-login: whose it is, and where the user wants to go afterwards."""

    id: int
    user_id: int
    target: str
    created_at: datetime
    expires_at: datetime


_COLUMNS: Final = tuple(column for column in half_logins.c if column.name != "token_hash")


def create(
    connection: Connection, user_id: int, token_hash: bytes, *, target: str, expires_at: datetime
) -> None:
    """Begin a half-login that is found by the hash of its token."""
    row = {"user_id": user_id, "token_hash": token_hash, "target": target, "expires_at": expires_at}
    connection.execute(insert(half_logins).values(row))


def find(connection: Connection, token_hash: bytes) -> HalfLogin | None:
    """Return the half-login of a token, ``None`` where there is none that has not expired."""
    query = select(*_COLUMNS).where(half_logins.c.token_hash == token_hash, expiry.unexpired(half_logins))
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else HalfLogin(**row)


def end(connection: Connection, half_login_id: int) -> bool:
    """End a half-login; of any number that try, one is told True."""
    ended = connection.execute(
        delete(half_logins).where(half_logins.c.id == half_login_id).returning(half_logins.c.id)
    )
    return ended.first() is not None


def end_all(connection: Connection, user_id: int) -> None:
    """End a user's half-logins: the password that they began with is no more."""
    connection.execute(delete(half_logins).where(half_logins.c.user_id == user_id))


def delete_expired(connection: Connection) -> int:
    """Delete what has expired; return how many."""
    return expiry.delete_expired(connection, half_logins)
