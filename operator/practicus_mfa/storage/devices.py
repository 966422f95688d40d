"""Known devices: browsers in which a user has logged in, so that strangers' wrong tries don't count there.

What a browser proved is what was asked for then: who asks for more from now on (a new factor, a new password)
knows those of before no longer.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from practicus_mfa.storage import expiry
from practicus_mfa.storage.schema import devices


def create(connection: Connection, user_id: int, token_hash: bytes, *, expires_at: datetime) -> None:
    """Know a browser by the hash of its token."""
    row = {"user_id": user_id, "token_hash": token_hash, "expires_at": expires_at}
    connection.execute(insert(devices).values(row))


def find(connection: Connection, user_id: int, token_hash: bytes) -> int | None:
    """Return the id of this user's browser, ``None`` where it is none."""
    query = select(devices.c.id).where(
        devices.c.token_hash == token_hash,
        devices.c.user_id == user_id,
        expiry.unexpired(devices),
    )
    return connection.execute(query).scalar_one_or_none()


def delete_all(connection: Connection, user_id: int, *, but: int | None = None) -> int:
    """Know none of a user's browsers any more, *but* one where it is given; return how many those were."""
    known = delete(devices).where(devices.c.user_id == user_id)
    if but is not None:
        known = known.where(devices.c.id != but)
    return connection.execute(known).rowcount


def delete_expired(connection: Connection) -> int:
    """Delete what has expired; return how many."""
    return expiry.delete_expired(connection, devices)
