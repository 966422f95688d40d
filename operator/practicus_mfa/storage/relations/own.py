"""Our own table: one token a row, with a hint (``key_id``), a fault and an owner.

A migration reads the rows whose hint is not the write key, those without a hint included: a key may have
come back that opens them. A verification reads every row. Whatever was found out is written into hint and
fault; the token changes only where it was re-encrypted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

from sqlalchemy import ColumnElement, Connection, select

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.storage.relations.cells import Cell, Kind, Page, RowId, Span, Treated
from practicus_mfa.storage.schema import SCHEMA, factors

# Binary parameters ("%b"): the driver writes a list of texts so many times faster than as an array literal.
# The statement names rows by id and token: what else the planner might think of is turned off by the caller.
_SEAL_ON_POSTGRESQL: Final = f"""
    UPDATE {SCHEMA}.mfa_factors AS stored SET token = page.new, key_id = %(key)s, fault = NULL
    FROM unnest(%(ids)b::bigint[], %(old)b::text[], %(new)b::text[]) AS page (id, old, new)
    WHERE stored.id = page.id AND stored.token = page.old
"""  # noqa: S608 - a constant of this module
_BLAME_ON_POSTGRESQL: Final = f"""
    UPDATE {SCHEMA}.mfa_factors AS stored SET key_id = NULL, fault = page.fault
    FROM unnest(%(ids)b::bigint[], %(old)b::text[], %(faults)b::text[]) AS page (id, old, fault)
    WHERE stored.id = page.id AND stored.token = page.old
"""  # noqa: S608 - as above
_SEAL_ON_SQLITE: Final = (
    "UPDATE mfa_factors SET token = ?, key_id = ?, fault = NULL WHERE id = ? AND token = ?"
)
_BLAME_ON_SQLITE: Final = "UPDATE mfa_factors SET key_id = NULL, fault = ? WHERE id = ? AND token = ?"
_COLUMNS: Final = (factors.c.id, factors.c.token, factors.c.key_id, factors.c.fault, factors.c.user_id)
_FAULTS: Final = {Kind.UNKNOWN: "unknown", Kind.CORRUPT: "corrupt"}


@dataclass(frozen=True, slots=True)
class OwnTable:
    """``mfa_factors``."""

    is_sqlite: bool

    @property
    def name(self) -> str:
        """How policy, shards and audit call it."""
        return OWN_TABLE

    @property
    def table_sql(self) -> str:
        """The table, as a statement names it."""
        return OWN_TABLE if self.is_sqlite else f"{SCHEMA}.{OWN_TABLE}"

    @property
    def id_sql(self) -> str:
        """The id column, as a statement names it."""
        return "id"

    def read(self, connection: Connection, rows: Span, mode: Mode, write_key: KeyId) -> Page:
        """Return the next page of rows that this *mode* looks at."""
        wanted: list[ColumnElement[bool]] = [factors.c.token != ""]
        if mode is Mode.MIGRATE:
            wanted.append(factors.c.key_id.is_distinct_from(write_key))
        if rows.after is not None:
            wanted.append(factors.c.id > int(rows.after))
        if rows.upper is not None:
            wanted.append(factors.c.id <= int(rows.upper))
        query = select(*_COLUMNS).where(*wanted).order_by(factors.c.id).limit(rows.limit)
        found = connection.execute(query).all()
        last = str(found[-1].id) if found else None
        return Page(_cells(found), last, more=len(found) == rows.limit)

    def reread(self, connection: Connection, ids: Sequence[RowId]) -> list[Cell]:
        """Return the cells of these rows as they are now."""
        query = select(*_COLUMNS).where(factors.c.id.in_(ids), factors.c.token != "")
        return list(_cells(connection.execute(query).all()))

    def changes(self, treated: Sequence[Treated], write_key: KeyId) -> list[Treated]:
        """Return those whose token, hint or fault is not yet what was found."""
        return [done for done in treated if _tells_more(done, write_key)]

    def swap(self, connection: Connection, changes: Sequence[Treated], write_key: KeyId) -> int:
        """Write *changes* by compare-and-swap; return how many rows still had the token that was read."""
        readable = [change for change in changes if change.kind not in _FAULTS]
        unreadable = [change for change in changes if change.kind in _FAULTS]
        swapped = self._seal(connection, readable, write_key) if readable else 0
        return swapped + (self._blame(connection, unreadable) if unreadable else 0)

    def _seal(self, connection: Connection, changes: Sequence[Treated], write_key: KeyId) -> int:
        """Give rows their new token, and the hint that it is under the write key."""
        if self.is_sqlite:
            rows = [(change.token, write_key, change.cell.id, change.cell.token) for change in changes]
            return connection.exec_driver_sql(_SEAL_ON_SQLITE, rows).rowcount
        page = {
            "key": write_key,
            "ids": [change.cell.id for change in changes],
            "old": [change.cell.token for change in changes],
            "new": [change.token for change in changes],
        }
        return connection.exec_driver_sql(_SEAL_ON_POSTGRESQL, page).rowcount

    def _blame(self, connection: Connection, changes: Sequence[Treated]) -> int:
        """Mark rows that can't be read; their token stays."""
        faults = [_FAULTS[change.kind] for change in changes]
        if self.is_sqlite:
            rows = [(fault, c.cell.id, c.cell.token) for fault, c in zip(faults, changes, strict=True)]
            return connection.exec_driver_sql(_BLAME_ON_SQLITE, rows).rowcount
        page = {
            "ids": [change.cell.id for change in changes],
            "old": [change.cell.token for change in changes],
            "faults": faults,
        }
        return connection.exec_driver_sql(_BLAME_ON_POSTGRESQL, page).rowcount


def _cells(rows: Sequence[Any]) -> tuple[Cell, ...]:
    return tuple([Cell(row_id, 0, token, hint, fault, owner) for row_id, token, hint, fault, owner in rows])


def _tells_more(done: Treated, write_key: KeyId) -> bool:
    match done.kind:
        case Kind.MIGRATED:
            return True
        case Kind.CURRENT:
            return done.cell.hint != write_key
        case Kind.UNKNOWN:
            # A hint that names a key which nobody has says more than a fault: it stays.
            return done.cell.hint is None and done.cell.fault != _FAULTS[done.kind]
        case Kind.CORRUPT:
            return done.cell.fault != _FAULTS[done.kind]
        case _:
            assert_never(done.kind)
