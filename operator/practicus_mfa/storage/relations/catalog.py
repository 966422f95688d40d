"""What the database itself says about a table: its full name, and its columns' names, types and keys.

Both databases answer the same two questions with queries of their own. Types are reduced to what a rotation
needs to know: how an id is compared and how a token is held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, text

from practicus_mfa.storage.relations.names import Name, TableName, quote


class Holds(StrEnum):
    """What a column holds, as far as a rotation cares."""

    INTEGER = "integer"
    TEXT = "text"
    UUID = "uuid"
    BYTES = "bytes"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """A column.

    Attributes:
        name: Its name as the catalog has it.
        type: Its type as the database calls it.
        holds: The same for a rotation.
        required: It is never NULL.
        unique: No two rows have the same value.
    """

    name: str
    type: str
    holds: Holds
    required: bool
    unique: bool


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table.

    Attributes:
        sql: Its name in quotes, with its schema.
        columns: Its columns.
        case_matters: Whether names in quotes that differ in case are different names.
    """

    sql: str
    columns: tuple[ColumnFacts, ...]
    case_matters: bool


_POSTGRESQL_HOLDS: Final = {
    **dict.fromkeys(("int2", "int4", "int8"), Holds.INTEGER),
    **dict.fromkeys(("text", "varchar"), Holds.TEXT),
    "uuid": Holds.UUID,
    "bytea": Holds.BYTES,
}

# Ordinary and partitioned tables. A name without a schema is looked for along the search path.
_POSTGRESQL_TABLE: Final = text("""
    SELECT c.oid, n.nspname, c.relname
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass(:name) AND c.relkind IN ('r', 'p')
""")
# A domain counts as the type it is over. An index proves uniqueness if it has this column alone and all rows.
_POSTGRESQL_COLUMNS: Final = text("""
    SELECT a.attname, format_type(a.atttypid, a.atttypmod),
        (SELECT typname FROM pg_catalog.pg_type
         WHERE oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END),
        a.attnotnull,
        EXISTS (
            SELECT FROM pg_catalog.pg_index AS i
            WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
        )
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = :table AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
""")

_SQLITE_SCHEMA: Final = "main"
# A rowid alias (INTEGER PRIMARY KEY) is unique and never NULL although the schema does not say so.
_SQLITE_COLUMNS: Final = text("""
    SELECT name, type, "notnull",
        pk = 1 AND upper(type) = 'INTEGER'
            AND (SELECT count(*) FROM pragma_table_info(:table) WHERE pk > 0) = 1,
        EXISTS (
            SELECT 1 FROM pragma_index_list(:table) AS i
            WHERE i."unique" AND NOT i.partial
                AND (SELECT count(*) FROM pragma_index_info(i.name)) = 1
                AND (SELECT k.name FROM pragma_index_info(i.name) AS k) = c.name
        )
    FROM pragma_table_info(:table) AS c
""")


def find_table(connection: Connection, name: TableName) -> TableFacts | None:
    """Return what the database knows of the table *name*, ``None`` where there is no such table."""
    if connection.dialect.name == "sqlite":
        return _find_on_sqlite(connection, name)
    schemas: Sequence[str | None] = name.schema.spellings() if name.schema else (None,)
    for table in name.table.spellings():
        for schema in schemas:
            if found := _find_on_postgresql(connection, schema, table):
                return found
    return None


def find_column(table: TableFacts, name: Name) -> ColumnFacts | None:
    """Return what is known of a column of *table*, ``None`` where there is no such column."""
    if not table.case_matters:
        return next((c for c in table.columns if c.name.lower() == name.text.lower()), None)
    by_name = {column.name: column for column in table.columns}
    return next((by_name[text] for text in name.spellings() if text in by_name), None)


def _find_on_postgresql(connection: Connection, schema: str | None, table: str) -> TableFacts | None:
    name = ".".join(quote(part, in_psycopg=False) for part in (schema, table) if part is not None)
    found = connection.execute(_POSTGRESQL_TABLE, {"name": name}).one_or_none()
    if found is None:
        return None
    oid, nspname, relname = found
    columns = [
        ColumnFacts(
            name=column,
            type=spelled,
            holds=_POSTGRESQL_HOLDS.get(base, Holds.OTHER),
            required=required,
            unique=unique,
        )
        for column, spelled, base, required, unique in connection.execute(_POSTGRESQL_COLUMNS, {"table": oid})
    ]
    sql = f"{quote(nspname, in_psycopg=True)}.{quote(relname, in_psycopg=True)}"
    return TableFacts(sql, tuple(columns), case_matters=True)


def _find_on_sqlite(connection: Connection, name: TableName) -> TableFacts | None:
    if name.schema and name.schema.text.lower() != _SQLITE_SCHEMA:
        return None  # no other file is ever attached
    listed = text("SELECT name FROM sqlite_master WHERE type = 'table' AND name = :table COLLATE NOCASE")
    table = connection.execute(listed, {"table": name.table.text}).scalar_one_or_none()
    if table is None:
        return None
    columns = [
        ColumnFacts(
            name=column,
            type=declared or "no declared type",
            holds=_held_on_sqlite(declared),
            required=bool(required or rowid),
            unique=bool(unique or rowid),
        )
        for column, declared, required, rowid, unique in connection.execute(_SQLITE_COLUMNS, {"table": table})
    ]
    sql = f"{_SQLITE_SCHEMA}.{quote(table, in_psycopg=False)}"
    return TableFacts(sql, tuple(columns), case_matters=False)


def _held_on_sqlite(declared: str) -> Holds:
    """Return what a column with this declared type holds (SQLite, "Determination Of Column Affinity")."""
    upper = declared.upper()
    if "INT" in upper:
        return Holds.INTEGER
    if any(part in upper for part in ("CHAR", "CLOB", "TEXT")):
        return Holds.TEXT
    if "UUID" in upper:
        return Holds.UUID
    return Holds.BYTES if "BLOB" in upper or not upper else Holds.OTHER
