"""What a backup file is: a ZIP with one part a table and, last, a manifest that vouches for every part.

A part is text, one row a line, each a JSON object of column names and values; encrypted rows stand in it as
they are. The manifest gives each part's rows and SHA-256; the ZIP's comment gives the manifest's own. So a
file that was cut short or edited is noticed, and the part is named. (Whoever sets out to forge a file can:
the checksums guard against accidents and careless edits, the tokens inside guard themselves.)

The same file fits SQLite and PostgreSQL: an instant is ISO 8601 in UTC, a truth value is ``true``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Boolean, Column, Integer, LargeBinary, String, Table

from practicus_mfa.storage.schema import (
    attempts,
    audit,
    devices,
    factors,
    failing_names,
    groups,
    half_logins,
    key_history,
    live_keys,
    memberships,
    pending_factors,
    recovery_codes,
    rotations,
    sessions,
    setup_links,
    shards,
    users,
    write_key,
)
from practicus_mfa.storage.types import Instant

FORMAT: Final = "practicus-mfa backup"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
COMMENT: Final = "practicus-mfa backup, manifest sha256:"
"""The ZIP's comment: this and the manifest's SHA-256 in hex."""

TABLES: Final = (
    live_keys,
    key_history,
    write_key,
    users,
    factors,
    recovery_codes,
    groups,
    memberships,
    rotations,
    shards,
    audit,
)
"""What is kept, each table after those that it refers to.

Left out is what belongs to the place and not to the data: who owns and reads the database at the moment
(``mfa_claim``, ``mfa_readers``), the policy in force (it comes from values.yaml), and counts
(``mfa_factor_deltas`` follows from the rows by triggers, ``mfa_table_counts`` is of other tables). Left out
too is what is good for a while only, see :data:`EMPTIED`.
"""

EMPTIED: Final = (
    sessions,
    half_logins,
    pending_factors,
    setup_links,
    devices,
    attempts,
    failing_names,
)
"""What no backup keeps and a restore empties: after it nobody is logged in and no link is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table of a backup.

    Attributes:
        table: The table's name.
        rows: How many rows it had.
        sha256: Of the part's bytes, in hex.
    """

    table: str
    rows: int
    sha256: str

    @property
    def name(self) -> str:
        """The part's name in the file."""
        return part_name(self.table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds.

    Attributes:
        created_at: The database's time of the snapshot.
        schema: The step of the migrations that the tables were at.
        keys: The IDs of the keys that rows may be under: needed to read them after a restore.
        parts: Every table.
    """

    created_at: datetime
    schema: str
    keys: tuple[str, ...]
    parts: tuple[Part, ...]

    def rows(self, table: Table) -> int:
        """Return how many rows of *table* there are."""
        return sum(part.rows for part in self.parts if part.table == table.name)

    def to_json(self) -> bytes:
        """Return the manifest as it is written."""
        fields = {
            "format": FORMAT,
            "version": VERSION,
            **asdict(self),
            "created_at": _instant(self.created_at),
        }
        return (json.dumps(fields, indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: It is something else.
        """
        match json.loads(data):
            case {
                "format": "practicus-mfa backup",
                "version": 1,
                "created_at": str(created_at),
                "schema": str(schema),
                "keys": list(keys),
                "parts": list(parts),
            }:
                return cls(
                    created_at=datetime.fromisoformat(created_at),
                    schema=schema,
                    keys=tuple(str(key) for key in keys),
                    parts=tuple(_part(part) for part in parts),
                )
            case _:
                msg = "not a manifest of this format"
                raise ValueError(msg)


def _part(fields: object) -> Part:
    match fields:
        case {"table": str(table), "rows": int(rows), "sha256": str(sha256)}:
            return Part(table=table, rows=rows, sha256=sha256)
        case _:
            msg = "not a part of a manifest"
            raise ValueError(msg)


def part_name(table: str) -> str:
    """Return the name that *table*'s part has in the file."""
    return f"{table}.jsonl"


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


def _plain(value: datetime | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else _instant(value)


# Made once: json.dumps() would make one for each row.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)


def encode_row(row: Mapping[str, Any]) -> bytes:
    """Return a row as a line."""
    return (_ENCODER.encode(row) + "\n").encode()


def decode_row(table: Table, line: bytes) -> dict[str, Any]:
    """Return the row of *table* that *line* holds; a column may be missing, its default holds then.

    Raises:
        ValueError: It is no row of that table; the message says why without a value of it.
    """
    try:
        fields = json.loads(line)
    except ValueError:
        msg = "it is not JSON"
        raise ValueError(msg) from None  # the cause quotes the line
    if not isinstance(fields, dict):
        msg = "it is not a JSON object"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for whatever is wrong with the line
    readers = _readers(table)
    for name, value in fields.items():
        reader = readers.get(name)
        if reader is None:
            msg = f"{table.name} has no column {name!r}"
            raise ValueError(msg)
        # SQLite would take any type in any column. The type itself counts: True is an int to isinstance().
        if type(value) not in reader.types:
            msg = f"the value of {name} is of the wrong type"
            raise ValueError(msg)
        if reader.instant and value is not None:
            fields[name] = _parse_instant(name, value)
        elif reader.binary and value is not None:
            fields[name] = _parse_hex(name, value)
    return fields


def _parse_instant(name: str, text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = datetime.min  # noqa: DTZ901 - without a zone, so refused below
    if value.tzinfo is None:
        msg = f"the value of {name} is not a time with its zone"
        raise ValueError(msg)
    return value


def _parse_hex(name: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        msg = f"the value of {name} is not written in hex digits"
        raise ValueError(msg) from None  # the cause quotes the line


class _Reader(NamedTuple):
    """What a column's values are in a line: their types, and whether a text is an instant or bytes in hex."""

    types: frozenset[type]
    instant: bool
    binary: bool


@cache
def _readers(table: Table) -> Mapping[str, _Reader]:
    return {
        column.name: _Reader(
            _types(column), isinstance(column.type, Instant), isinstance(column.type, LargeBinary)
        )
        for column in table.columns
    }


def _types(column: Column[Any]) -> frozenset[type]:
    nothing = frozenset({type(None)}) if column.nullable else frozenset()
    match column.type:
        case Boolean():
            return nothing | {bool}
        case Integer():
            return nothing | {int}
        case String() | Instant() | LargeBinary():
            return nothing | {str}
        case _:  # JSON
            return nothing | {dict, list, str, int, float, bool}
