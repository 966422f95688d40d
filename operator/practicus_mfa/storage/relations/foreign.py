"""Another application's table: bare tokens in one or more columns, no hint, no fault, no owner.

Nothing but the token columns is ever written, and those only from one readable token to another. Each column
of a row is a cell of its own, so that one unreadable token does not keep the row's others back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import Mode
from practicus_mfa.errors import UsageError
from practicus_mfa.storage.relations.catalog import ColumnFacts, Holds
from practicus_mfa.storage.relations.cells import Cells, Kind, Page, RowId, Span, Token, Treated
from practicus_mfa.storage.relations.names import quote

if TYPE_CHECKING:
    from sqlalchemy import Connection

# An enumeration's member is looked up in steps that a page would take thousands of times.
_MIGRATED: Final = Kind.MIGRATED

_CASTS: Final = {Holds.INTEGER: "bigint", Holds.TEXT: "text", Holds.UUID: "uuid", Holds.BYTES: "bytea"}
"""PostgreSQL's type for what a column holds."""

# Statements are made of quoted names and these fixed parts; every value is a parameter.
_SWAP_ON_POSTGRESQL: Final = (
    "UPDATE {table} AS stored SET {column} = page.new "
    "FROM unnest(%(ids)b::{id_type}[], %(old)b::{type}[], %(new)b::{type}[]) AS page (id, old, new) "
    "WHERE stored.{id} = page.id AND stored.{column} = page.old{where}"
)
_SWAP_ON_SQLITE: Final = "UPDATE {table} SET {column} = :new WHERE {id} = :id AND {column} = :old{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignTable:
    """A table of ``migration.tables``, found in the database; see :func:`~.resolve.resolve`.

    Attributes:
        name: As the policy spells it.
        table_sql: The table, quoted, with its schema.
        id: The id column.
        tokens: The token columns.
        where: Only rows in which each of these columns equals the value.
        is_sqlite: Which database it is in.
    """

    name: str
    table_sql: str
    id: ColumnFacts
    tokens: tuple[ColumnFacts, ...]
    where: tuple[tuple[ColumnFacts, str | int], ...]
    is_sqlite: bool

    @property
    def id_sql(self) -> str:
        """The id column, quoted for a statement."""
        return self._quoted(self.id)

    def read(self, connection: Connection, rows: Span, mode: Mode, write_key: KeyId) -> Page:  # noqa: ARG002 - without a hint every mode and key reads every row
        """Return the next page."""
        conditions, values = [self._has_token()], dict(self._where_values())
        for operator, bound in ((">", rows.after), ("<=", rows.upper)):
            if bound is not None:
                name = "after" if operator == ">" else "upper"
                conditions.append(f"{self.id_sql} {operator} {self._bound(name)}")
                values[name] = bound
        values["limit"] = rows.limit
        query = (
            f"SELECT {self._columns()} FROM {self.table_sql} "  # noqa: S608 - quoted names
            f"WHERE {' AND '.join(conditions)}{self._where()} "
            f"ORDER BY {self.id_sql} LIMIT {self._value('limit')}"
        )
        found = connection.exec_driver_sql(query, values).all()
        return Page(_cells(found), self._last(found), more=len(found) == rows.limit)

    def probe(self, connection: Connection) -> None:
        """Have the database compare the ``where`` values with their columns, on no row at all."""
        query = (
            f"SELECT {self._columns()} FROM {self.table_sql} WHERE {self._has_token()}{self._where()} LIMIT 0"  # noqa: S608 - quoted names
        )
        connection.exec_driver_sql(query, self._where_values())

    def reread(self, connection: Connection, ids: Sequence[RowId]) -> Cells:
        """Return the cells of these rows as they are now."""
        query = (
            f"SELECT {self._columns()} FROM {self.table_sql} WHERE {self._has_token()}{self._where()} AND "  # noqa: S608 - quoted names
        )
        where = self._where_values()
        if not self.is_sqlite:
            query += f"{self.id_sql} = ANY (%(ids)b::{_CASTS[self.id.holds]}[])"
            return _cells(connection.exec_driver_sql(query, {**where, "ids": list(ids)}).all())
        query += f"{self.id_sql} = :id"
        found = [
            connection.exec_driver_sql(query, {**where, "id": row_id}).all() for row_id in dict.fromkeys(ids)
        ]
        return _cells([row for rows in found for row in rows])

    def changes(self, treated: Treated, write_key: KeyId) -> Treated:  # noqa: ARG002 - there is no hint to compare it with
        """Return the migrated ones: nothing else is ever written."""
        return treated.only([kind is _MIGRATED for kind in treated.kinds])

    def swap(self, connection: Connection, changes: Treated, write_key: KeyId) -> int:  # noqa: ARG002 - as above
        """Write *changes* by compare-and-swap; return how many cells still had the token that was read."""
        columns = changes.cells.columns
        return sum(
            self._swap_column(connection, self.tokens[at], changes.only([column == at for column in columns]))
            for at in dict.fromkeys(columns)
        )

    def _swap_column(self, connection: Connection, column: ColumnFacts, changes: Treated) -> int:
        template = _SWAP_ON_SQLITE if self.is_sqlite else _SWAP_ON_POSTGRESQL
        statement = template.format(
            table=self.table_sql,
            column=self._quoted(column),
            id=self.id_sql,
            id_type=_CASTS.get(self.id.holds),
            type=_CASTS.get(column.holds),
            where=self._where("stored."),
        )
        where = self._where_values()
        ids, old, new = changes.cells.ids, changes.cells.tokens, changes.tokens
        if self.is_sqlite:
            swaps = zip(ids, old, new, strict=True)
            rows = [{**where, "id": row_id, "old": was, "new": token} for row_id, was, token in swaps]
            return connection.exec_driver_sql(statement, rows).rowcount
        page = {**where, "ids": list(ids), "old": list(old), "new": list(new)}
        return connection.exec_driver_sql(statement, page).rowcount

    def _quoted(self, column: ColumnFacts) -> str:
        return quote(column.name, in_psycopg=not self.is_sqlite)

    def _last(self, found: Sequence[Sequence[Any]]) -> str | None:
        """Return where the page ended.

        SQLite lets a column hold values of any type; an id that does not compare as its column's type does
        would make a scan go round in circles.
        """
        if not found:
            return None
        last = found[-1][0]
        if isinstance(last, bytes | float) or (self.id.holds is Holds.INTEGER and not isinstance(last, int)):
            raise UsageError(
                f"Table {self.name}: the id column {self.id.name} holds values that are not of its type "
                f"{self.id.type}.",
                remedy="Mend those rows; ids have to be of one type.",
            )
        return str(last)

    def _columns(self) -> str:
        return ", ".join([self.id_sql, *(self._quoted(column) for column in self.tokens)])

    def _has_token(self) -> str:
        # octet_length does not unpack a compressed value; SQLite's length is of text and bytes alike.
        length = "length" if self.is_sqlite else "octet_length"
        return "(" + " OR ".join(f"{length}({self._quoted(column)}) > 0" for column in self.tokens) + ")"

    def _value(self, name: str) -> str:
        return f":{name}" if self.is_sqlite else f"%({name})s"

    def _bound(self, name: str) -> str:
        """Return the parameter *name*, an id as text, as a value of the id's type."""
        if self.is_sqlite:
            return f"CAST(:{name} AS INTEGER)" if self.id.holds is Holds.INTEGER else f":{name}"
        return f"%({name})s::{_CASTS[self.id.holds]}"

    def _where(self, stored: str = "") -> str:
        prefix = "" if self.is_sqlite else stored
        return "".join(
            f" AND {prefix}{self._quoted(column)} = {self._value(f'where{at}')}"
            for at, (column, _) in enumerate(self.where)
        )

    def _where_values(self) -> dict[str, Any]:
        return {f"where{at}": value for at, (_, value) in enumerate(self.where)}


def _cells(rows: Sequence[Sequence[Any]]) -> Cells:
    cells = [
        (row_id if isinstance(row_id, int | UUID) else str(row_id), column, _token(token))
        for row_id, *tokens in rows
        for column, token in enumerate(tokens)
        if token
    ]
    ids, columns, tokens = zip(*cells, strict=True) if cells else ((), (), ())
    unknown = [None] * len(ids)
    return Cells(ids=ids, tokens=tokens, columns=columns, hints=unknown, faults=unknown)


def _token(value: Any) -> Token:  # noqa: ANN401 - whatever a column of SQLite happens to hold
    return value if isinstance(value, str | bytes) else str(value)
