"""From what the policy says about a table to what the database has: checked up front, before a row is read.

Each thing that can be wrong has a message of its own, which names the table as the policy spells it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError

from practicus_mfa.core.observed import OWN_TABLE
from practicus_mfa.core.policy import Scalar, TableSpec
from practicus_mfa.errors import UsageError
from practicus_mfa.storage.relations.catalog import ColumnFacts, Holds, TableFacts, find_column, find_table
from practicus_mfa.storage.relations.cells import Relation
from practicus_mfa.storage.relations.foreign import ForeignTable
from practicus_mfa.storage.relations.names import parse_column, parse_table
from practicus_mfa.storage.relations.own import OwnTable

if TYPE_CHECKING:
    from sqlalchemy import Connection

_IDS: Final = frozenset({Holds.INTEGER, Holds.TEXT, Holds.UUID})
_TOKENS: Final = frozenset({Holds.TEXT, Holds.BYTES})
_PROVE_UNIQUE: Final = (
    "Name the primary key as idColumn, or add a unique index on the column (without WHERE) and NOT NULL."
)


def resolve_all(connection: Connection, names: Iterable[str], specs: Iterable[TableSpec]) -> list[Relation]:
    """Return the relations called *names*: ours, and those that *specs* describe.

    Raises:
        UsageError: A name is in no spec, or a table is not as its spec says.
    """
    by_name = {spec.table: spec for spec in specs}
    relations: list[Relation] = []
    for name in names:
        if name == OWN_TABLE:
            relations.append(OwnTable(is_sqlite=connection.dialect.name == "sqlite"))
        elif name in by_name:
            relations.append(resolve(connection, by_name[name]))
        else:
            raise UsageError(
                f"Table {name} is not one of migration.tables.", remedy="Add it there, or leave it out."
            )
    return relations


def resolve(connection: Connection, spec: TableSpec) -> ForeignTable:
    """Return the table that *spec* describes.

    Raises:
        UsageError: It is missing, a column is missing, or a column can't serve as what it is named for.
    """
    facts = find_table(connection, parse_table(spec.table))
    if facts is None:
        raise UsageError(
            f"Table {spec.table} does not exist.",
            remedy='Correct migration.tables; write schema and quotes as in SQL, for example app."Secrets".',
        )
    relation = ForeignTable(
        name=spec.table,
        table_sql=facts.sql,
        id=_id(spec, facts),
        tokens=tuple(_token(spec, facts, name) for name in spec.token_columns),
        where=tuple(
            (_column(spec, facts, name), _where_value(value, is_sqlite=not facts.case_matters))
            for name, value in spec.where.items()
        ),
        is_sqlite=connection.dialect.name == "sqlite",
    )
    _try_where(connection, relation)
    return relation


def _column(spec: TableSpec, facts: TableFacts, name: str) -> ColumnFacts:
    column = find_column(facts, parse_column(name))
    if column is None:
        raise UsageError(
            f"Table {spec.table} has no column {name}.",
            remedy=f"Its columns are: {', '.join(known.name for known in facts.columns)}.",
        )
    return column


def _id(spec: TableSpec, facts: TableFacts) -> ColumnFacts:
    column = _column(spec, facts, spec.id_column)
    if column.holds not in _IDS:
        raise UsageError(
            f"Table {spec.table}: the id column {column.name} is of type {column.type}, "
            "not an integer, a text or a UUID.",
            remedy="Name another column as idColumn.",
        )
    if not column.unique:
        raise UsageError(
            f"Table {spec.table}: the id column {column.name} is not unique.", remedy=_PROVE_UNIQUE
        )
    if not column.required:
        raise UsageError(
            f"Table {spec.table}: the id column {column.name} may be NULL.", remedy=_PROVE_UNIQUE
        )
    return column


def _token(spec: TableSpec, facts: TableFacts, name: str) -> ColumnFacts:
    column = _column(spec, facts, name)
    if column.holds not in _TOKENS:
        raise UsageError(
            f"Table {spec.table}: the token column {column.name} is of type {column.type}, "
            f"not {'text or blob' if not facts.case_matters else 'text, varchar or bytea'}.",
            remedy="Name the columns that hold Fernet tokens as tokenColumns.",
        )
    return column


def _where_value(value: Scalar, *, is_sqlite: bool) -> str | int:
    """Return *value* as the database compares it.

    PostgreSQL gets a text without a type, which it reads as the column's: so true, 1 and "a" need no cast.
    """
    if is_sqlite:
        return int(value) if isinstance(value, bool) else value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _try_where(connection: Connection, relation: ForeignTable) -> None:
    """Have the database compare the ``where`` values with their columns, on no row at all."""
    try:
        relation.probe(connection)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) is None or not error.orig.sqlstate.startswith("22"):  # type: ignore[union-attr]
            raise
        columns = ", ".join(f"{column.name} ({column.type})" for column, _ in relation.where)
        raise UsageError(
            f"Table {relation.name}: a value of where does not fit its column: {columns}.",
            remedy="Correct migration.tables[].where; it compares columns with values of their own type.",
        ) from error
