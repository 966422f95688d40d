"""Types that mean the same on both databases: instants, aware, in UTC, to the microsecond; documents.

PostgreSQL keeps ``timestamptz``; SQLite has no such type and keeps text, always of one width and in UTC, so
that comparing texts compares instants. The time of day comes from the database (:class:`database_instant`):
readers and operators run on different machines, and only the database's clock is common to them.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import JSON, DateTime, Dialect, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.types import TypeEngine


class Instant(TypeDecorator[datetime]):
    """An aware time in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* in UTC, without its zone where the database keeps none.

        Raises:
            ValueError: *value* is naive; nobody could tell what it means.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            msg = "a time without a zone can't be stored"
            raise ValueError(msg)
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class gives it
        """Return the stored time, aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Document(TypeDecorator[Any]):
    """A tree of JSON values; ``jsonb`` on PostgreSQL."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the database's own type."""
        if dialect.name == "postgresql":
            # Imported where it is used: it brings all its drivers.
            from sqlalchemy.dialects.postgresql import JSONB

            return dialect.type_descriptor(JSONB())
        return dialect.type_descriptor(JSON())


DEEPEST: Final = 50
"""Levels of a document. Ours have five; whoever goes through one level by level must get to its end."""


class UnreadableDocument(dict[str, Any]):
    """Stands for a document that is none of ours: no JSON, too deep, or with a number of thousands of digits.

    Lesser roles may write some documents, and PostgreSQL takes any. One of them must not keep everybody from
    reading the rows beside it. It says the SHA-256 of what is stored, so another one stands for another text.
    """


def read_document(stored: str | bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return the tree of values that is *stored*, or an :class:`UnreadableDocument` in its place."""
    data = stored.encode() if isinstance(stored, str) else stored
    try:
        value = json.loads(data)
        # What has fewer brackets than levels needs no look.
        readable = data.count(b"[") + data.count(b"{") <= DEEPEST or not _is_deep(value)
    except (ValueError, RecursionError):
        readable = False
    return value if readable else UnreadableDocument(unreadable=hashlib.sha256(data).hexdigest())


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [child for each in level for child in _children(each)]
    return bool(level)


def _children(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


class database_instant(FunctionElement[datetime]):  # noqa: N801 - an SQL function, spelled like one
    """The database's clock at the moment the statement reads it (not when its transaction began)."""

    type = Instant()
    inherit_cache = True


@compiles(database_instant, "postgresql")
def _on_postgresql(_element: database_instant, _compiler: object, **_: object) -> str:
    return "clock_timestamp()"


@compiles(database_instant, "sqlite")
def _on_sqlite(_element: database_instant, _compiler: object, **_: object) -> str:
    # SQLite's clock gives milliseconds; the zeros make the text as wide as a stored instant.
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
