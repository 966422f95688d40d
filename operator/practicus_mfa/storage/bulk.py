"""Many rows in one statement.

On PostgreSQL each column is one parameter, an array that the server unnests: a statement of thousands of
placeholders takes the driver longer to read than the server to run, and one statement a row would run the
triggers that count once a row. On SQLite the driver repeats a prepared statement, which is quick there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Boolean, Column, Connection, Integer, LargeBinary, SmallInteger, Table, insert
from sqlalchemy.dialects import sqlite

from practicus_mfa.storage.types import Document, Instant

Row = Mapping[str, Any]
"""A row's values by the names of columns; all rows of a call have the same."""

_CASTS: Final = (
    (Boolean, "boolean"),
    (SmallInteger, "smallint"),
    (Integer, "bigint"),
    (Instant, "timestamptz"),
    (LargeBinary, "bytea"),
)


def insert_all(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert *rows*.

    Raises:
        IntegrityError: One of them violates a constraint (of SQLAlchemy).
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_statement(table, rows[0]), _arrays(table, rows))
    else:
        connection.execute(insert(table), rows)


def insert_new(
    connection: Connection, table: Table, rows: Sequence[Row], *, key: str, returning: str
) -> dict[Any, Any]:
    """Insert those of *rows* whose *key* no row has yet.

    Args:
        connection: A writing transaction.
        table: The table.
        rows: The rows.
        key: A column that is unique.
        returning: Another column.

    Returns:
        By its key, the *returning* column's value of each row that was inserted.
    """
    if not rows:
        return {}
    if connection.dialect.name == "postgresql":
        statement = _statement(table, rows[0])
        statement += (
            f" ON CONFLICT ({_quoted(key)}) DO NOTHING RETURNING {_quoted(key)}, {_quoted(returning)}"
        )
        done = connection.exec_driver_sql(statement, _arrays(table, rows))
    else:
        new = sqlite.insert(table).on_conflict_do_nothing(index_elements=[key])
        done = connection.execute(new.returning(table.c[key], table.c[returning]), rows)
    return {row[0]: row[1] for row in done}


def _statement(table: Table, row: Row) -> str:
    columns = ", ".join(_quoted(name) for name in row)
    arrays = ", ".join(f"%({name})b::{_cast(table.c[name])}[]" for name in row)
    values = ", ".join(f"{_quoted(name)}{'::jsonb' if _is_json(table.c[name]) else ''}" for name in row)
    into = f"{_quoted(str(table.schema))}.{_quoted(table.name)}"
    return f"INSERT INTO {into} ({columns}) SELECT {values} FROM unnest({arrays}) AS given ({columns})"  # noqa: S608 - quoted names


def _quoted(name: str) -> str:
    """Return a name of this package's own schema, quoted."""
    return f'"{name}"'


def _cast(column: Column[Any]) -> str:
    # A text, also for a column of limited length: a cast to that would cut a longer one without a word.
    return next((name for kind, name in _CASTS if isinstance(column.type, kind)), "text")


def _is_json(column: Column[Any]) -> bool:
    return isinstance(column.type, Document)


def _arrays(table: Table, rows: Sequence[Row]) -> dict[str, list[Any]]:
    arrays = {name: [row[name] for row in rows] for name in rows[0]}
    for name in (name for name in arrays if _is_json(table.c[name])):
        arrays[name] = [json.dumps(value) for value in arrays[name]]
    return arrays
