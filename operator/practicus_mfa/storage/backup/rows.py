"""A row of a table as a line of a backup: JSON, the same for SQLite and PostgreSQL, and checked when read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, SmallInteger, String, Table

from practicus_mfa.storage.types import Instant

_FIRST_YEAR: Final = 1
_LAST_YEAR: Final = 9999


def written(value: datetime) -> str:
    """Return an instant as a backup has it: ISO 8601 in UTC."""
    return value.astimezone(UTC).isoformat()


def _plain(value: datetime | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else written(value)


# Made once: json.dumps() would make one for each row, and json.loads() look for the encoding of each.
_DECODER: Final = json.JSONDecoder()
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
        text = line.decode()
        fields = _DECODER.decode(text)
    except (ValueError, RecursionError):
        msg = "it is not JSON"
        raise ValueError(msg) from None  # the cause quotes the line
    if not isinstance(fields, dict):
        msg = "it is not a JSON object"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for whatever is wrong with the line
    # Only what is escaped can be a NUL or half a character, which no database takes; few lines have that.
    if "\\u" in text and not all(map(_is_text, fields.values())):
        msg = "it has a character that no text can have"
        raise ValueError(msg)
    readers = _readers(table)
    for name, value in fields.items():
        reader = readers.get(name)
        if reader is None:
            msg = f"{table.name} has no column {name!r}"
            raise ValueError(msg)
        types, convert = reader
        # SQLite would take any type in any column. The type itself counts: True is an int to isinstance().
        if type(value) not in types:
            msg = f"the value of {name} is of the wrong type"
            raise ValueError(msg)
        if convert is not None and value is not None:
            fields[name] = convert(name, value)
    return fields


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _fitting(bits: int) -> Callable[[str, Any], object]:
    bound = 2 ** (bits - 1)

    def checked(name: str, value: int) -> int:
        if -bound <= value < bound:
            return value
        msg = f"the value of {name} is too large"
        raise ValueError(msg)

    return checked


def _parse_instant(name: str, text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = datetime.min  # noqa: DTZ901 - without a zone, so refused below
    # Of the first and the last year another zone may have none that can be counted.
    if value.tzinfo is None or not _FIRST_YEAR < value.year < _LAST_YEAR:
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
    """What a column has in a line: the types, and what makes the column's value of one of these."""

    types: frozenset[type]
    convert: Callable[[str, Any], object] | None


@cache
def _readers(table: Table) -> Mapping[str, _Reader]:
    return {column.name: _Reader(_types(column), _converter(column)) for column in table.columns}


def _converter(column: Column[Any]) -> Callable[[str, Any], object] | None:
    match column.type:
        case SmallInteger():
            return _fitting(16)
        case Integer() as kind:
            return _fitting(64 if isinstance(kind, BigInteger) else 32)
        case Instant():
            return _parse_instant
        case LargeBinary():
            return _parse_hex
        case _:
            return None


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
