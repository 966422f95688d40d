"""Where a database is: a URL taken apart, and the form of it that people may see."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from practicus_mfa.errors import UsageError

FORMS: Final = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME"

_POSTGRES: Final = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_SQLITE: Final = frozenset({"sqlite", "sqlite+pysqlite"})


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A SQLite database in one file."""

    path: Path

    @property
    def shown(self) -> str:
        """The file, for people."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A PostgreSQL database; *url* names psycopg 3 and may hold a password."""

    url: URL = field(repr=False)

    @property
    def name(self) -> str:
        """The database's name."""
        return self.url.database or self.user

    @property
    def user(self) -> str:
        """The role that logs in."""
        return self.url.username or "the default role"

    @property
    def server(self) -> str:
        """Host and port, for people."""
        host = self.url.host or _first(self.url.query.get("host")) or "the local socket"
        port = self.url.port or _first(self.url.query.get("port"))
        return f"{host}:{port}" if port else host

    @property
    def shown(self) -> str:
        """Database and server, for people: no role, no password, no options."""
        return f"{self.name} at {self.server}"


Address = SqliteFile | PostgresAddress


def _first(value: str | tuple[str, ...] | None) -> str | None:
    return value[0] if isinstance(value, tuple) else value


def _malformed(why: str) -> UsageError:
    return UsageError(f"The database URL can't be used: {why}.", remedy=f"Give it as {FORMS}.")


def parse_url(url: str) -> Address:
    """Return where *url* points.

    ``postgresql://`` and ``postgres://`` mean psycopg 3 here, whatever SQLAlchemy's default driver is.

    Raises:
        UsageError: *url* is no SQLAlchemy URL, or of another database; the message quotes no part of it that
            could be a password.
    """
    if not url.strip():
        raise _malformed("it is empty")
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError) as error:
        # The library's message may quote the URL: its cause is not chained.
        why = "its port is not a number" if isinstance(error, ValueError) else "it has no form of a URL"
        raise _malformed(why) from None
    if parsed.drivername in _SQLITE:
        if not parsed.database or parsed.database == ":memory:":
            raise _malformed("SQLite needs a file that several processes can open")
        return SqliteFile(Path(parsed.database))
    if parsed.drivername in _POSTGRES:
        if "@" in (parsed.host or "") or (parsed.password and "@" in (parsed.database or "")):
            # The rest of the password would pass for a host's or a database's name, and be shown as one.
            raise _malformed("its password has an @, which is written %40 there")
        if not parsed.database:
            raise _malformed("it names no database")
        return PostgresAddress(parsed.set(drivername="postgresql+psycopg"))
    raise _malformed(f"{parsed.drivername!r} is neither SQLite nor PostgreSQL")


def redact(url: str) -> str:
    """Return *url* with its password, and anything else that may be one, replaced by stars."""
    try:
        address = parse_url(url)
    except UsageError:
        return "***"
    if isinstance(address, SqliteFile):
        return f"sqlite:///{address.path}"
    return address.url.set(query={}).render_as_string(hide_password=True)
