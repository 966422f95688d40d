"""What is over: rows past their ``expires_at``, by the database's clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, any_, delete, func, literal_column, select

from practicus_mfa.storage.types import database_instant

AT_ONCE: Final = 10_000
"""Rows that are deleted in one go, so that the transaction soon ends; the others come later."""

# A query of its own is asked once, and PostgreSQL can look its answer up in an index. The bare function may
# say something else for each row, so all of them would be read.
_NOW: Final[ColumnElement[datetime]] = select(database_instant()).scalar_subquery()


def unexpired(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row of *table*, which is found by another one, is not over."""
    # Nearly every row fulfils it. The bare function keeps PostgreSQL from finding rows by it.
    return table.c.expires_at > database_instant()


def delete_expired(connection: Connection, table: Table) -> int:
    """Delete rows of *table* that are over, :data:`AT_ONCE` at most; return how many.

    A row that somebody else holds is left for the next time: nobody is waited for, so nobody in a ring.
    """
    on_postgresql = connection.dialect.name == "postgresql"
    # Where a row is, under each database's name for it: PostgreSQL goes there straight, whatever the key is.
    place: ColumnElement[Any] = literal_column("ctid" if on_postgresql else "rowid")
    over = (
        select(place)
        .select_from(table)
        .where(table.c.expires_at <= _NOW)
        .order_by(table.c.expires_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    condition = place == any_(func.array(over.scalar_subquery())) if on_postgresql else place.in_(over)
    return connection.execute(delete(table).where(condition)).rowcount
