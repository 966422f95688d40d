"""Set-up links, of which only the hash is kept; one a user, good once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from practicus_mfa.storage import expiry
from practicus_mfa.storage.schema import setup_links, users
from practicus_mfa.storage.types import database_instant
from practicus_mfa.storage.upsert import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupLink:
    """A link that is good: whose password it sets, and until when."""

    user_id: int
    username: str
    expires_at: datetime


def create(
    connection: Connection, user_id: int, token_hash: bytes, *, created_by: str, expires_at: datetime
) -> None:
    """Make a link for a user; an earlier one is good no more."""
    row = {
        "user_id": user_id,
        "token_hash": token_hash,
        "created_by": created_by,
        "created_at": database_instant(),
        "expires_at": expires_at,
    }
    upsert(connection, setup_links, row, key=("user_id",))


def find(connection: Connection, token_hash: bytes) -> SetupLink | None:
    """Return what the link of a token is for, ``None`` where it is not good."""
    query = (
        select(setup_links.c.user_id, users.c.username, setup_links.c.expires_at)
        .select_from(setup_links.join(users))
        .where(setup_links.c.token_hash == token_hash, expiry.unexpired(setup_links))
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else SetupLink(**row)


def use(connection: Connection, token_hash: bytes) -> int | None:
    """Use up the link of a token; return whose it was. Of any number that try, one is told."""
    used = connection.execute(
        delete(setup_links)
        .where(setup_links.c.token_hash == token_hash, expiry.unexpired(setup_links))
        .returning(setup_links.c.user_id)
    )
    return used.scalar_one_or_none()


def end_all(connection: Connection, user_id: int) -> None:
    """Make no link of a user good any more."""
    connection.execute(delete(setup_links).where(setup_links.c.user_id == user_id))


def delete_expired(connection: Connection) -> int:
    """Delete what has expired; return how many."""
    return expiry.delete_expired(connection, setup_links)
