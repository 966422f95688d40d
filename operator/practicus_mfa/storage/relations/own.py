"""Our own table: one token a row, with a hint (``key_id``), a fault and an owner.

A migration reads the rows whose hint is not the write key, those without a hint included: a key may have
come back that opens them. A verification reads every row. Whatever was found out is written into hint and
fault; the token changes only where it was re-encrypted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, select

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.storage.relations.cells import Cells, Kind, Page, RowId, Span, Treated
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
# An enumeration's member is looked up in steps that a page would take thousands of times.
_CURRENT: Final = Kind.CURRENT
_MIGRATED: Final = Kind.MIGRATED


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

    def reread(self, connection: Connection, ids: Sequence[RowId]) -> Cells:
        """Return the cells of these rows as they are now."""
        query = select(*_COLUMNS).where(factors.c.id.in_(ids), factors.c.token != "")
        return _cells(connection.execute(query).all())

    def changes(self, treated: Treated, write_key: KeyId) -> Treated:
        """Return those whose token, hint or fault is not yet what was found."""
        known = zip(treated.kinds, treated.cells.hints, treated.cells.faults, strict=True)
        return treated.only(
            [
                kind is _MIGRATED
                or (hint != write_key if kind is _CURRENT else _tells_more(kind, hint, fault))
                for kind, hint, fault in known
            ]
        )

    def swap(self, connection: Connection, changes: Treated, write_key: KeyId) -> int:
        """Write *changes* by compare-and-swap; return how many rows still had the token that was read."""
        readable = [kind is _MIGRATED or kind is _CURRENT for kind in changes.kinds]
        swapped = self._seal(connection, changes.only(readable), write_key) if any(readable) else 0
        if all(readable):
            return swapped
        return swapped + self._blame(connection, changes.only([not each for each in readable]))

    def _seal(self, connection: Connection, changes: Treated, write_key: KeyId) -> int:
        """Give rows their new token, and the hint that it is under the write key."""
        cells = changes.cells
        if self.is_sqlite:
            swaps = zip(cells.ids, cells.tokens, changes.tokens, strict=True)
            rows = [(new, write_key, row_id, old) for row_id, old, new in swaps]
            return connection.exec_driver_sql(_SEAL_ON_SQLITE, rows).rowcount
        page = {
            "key": write_key,
            "ids": list(cells.ids),
            "old": list(cells.tokens),
            "new": list(changes.tokens),
        }
        return connection.exec_driver_sql(_SEAL_ON_POSTGRESQL, page).rowcount

    def _blame(self, connection: Connection, changes: Treated) -> int:
        """Mark rows that can't be read; their token stays."""
        cells, faults = changes.cells, [_FAULTS[kind] for kind in changes.kinds]
        if self.is_sqlite:
            rows = list(zip(faults, cells.ids, cells.tokens, strict=True))
            return connection.exec_driver_sql(_BLAME_ON_SQLITE, rows).rowcount
        page = {"ids": list(cells.ids), "old": list(cells.tokens), "faults": faults}
        return connection.exec_driver_sql(_BLAME_ON_POSTGRESQL, page).rowcount


def _cells(rows: Sequence[Any]) -> Cells:
    ids, tokens, hints, faults, owners = zip(*rows, strict=True) if rows else ((),) * len(_COLUMNS)
    columns = [0] * len(ids)
    return Cells(ids=ids, tokens=tokens, columns=columns, hints=hints, faults=faults, owners=owners)


def _tells_more(kind: Kind, hint: KeyId | None, fault: str | None) -> bool:
    """Say whether a token that can't be read is not yet known to be so."""
    # A hint that names a key which nobody has says more than that its key is unknown: it stays.
    named = kind is Kind.UNKNOWN and hint is not None
    return not named and fault != _FAULTS[kind]
