"""Types that mean the same on both databases: instants, aware, in UTC, to the microsecond; documents.

PostgreSQL keeps ``timestamptz``; SQLite has no such type and keeps text, always of one width and in UTC, so
that comparing texts compares instants. The time of day comes from the database (:class:`database_instant`):
readers and operators run on different machines, and only the database's clock is common to them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, DateTime, Dialect, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
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
