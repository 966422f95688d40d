"""``INSERT … ON CONFLICT``, which both databases have and SQLAlchemy keeps in their dialects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def upsert(connection: Connection, table: Table, row: Mapping[str, Any], *, key: Sequence[str]) -> None:
    """Insert *row*, or give the row of the same *key* the other values of *row*."""
    others = {name: value for name, value in row.items() if name not in key}
    if connection.dialect.name == "postgresql":
        connection.execute(
            postgresql.insert(table).values(row).on_conflict_do_update(index_elements=key, set_=others)
        )
    else:
        connection.execute(
            sqlite.insert(table).values(row).on_conflict_do_update(index_elements=key, set_=others)
        )


def insert_missing(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert *row* unless there is one with its key."""
    if connection.dialect.name == "postgresql":
        connection.execute(postgresql.insert(table).values(row).on_conflict_do_nothing())
    else:
        connection.execute(sqlite.insert(table).values(row).on_conflict_do_nothing())
