"""A database: SQLite in one file, or PostgreSQL. Whatever touches it does so in one explicit transaction.

* :meth:`Database.read` is a read-only transaction; with ``snapshot=True`` all its statements see one moment.
* :meth:`Database.write` is a writing one; on SQLite it holds the file's write lock from its first instant
  (``BEGIN IMMEDIATE``), so that what it reads can't be overtaken by what it writes.

Nothing relies on the state of a session, so PgBouncer may pool by transaction: no session locks, no
``SET`` but ``SET LOCAL``, no prepared statements. Errors of the drivers leave as errors with a remedy
(:mod:`practicus_mfa.storage.faults`), except for violated constraints, which are answers and not faults.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from practicus_mfa.storage.addresses import Address, SqliteFile, parse_url
from practicus_mfa.storage.driver_faults import translated
from practicus_mfa.storage.postgres_engine import postgres_engine
from practicus_mfa.storage.schema import SCHEMA
from practicus_mfa.storage.types import database_instant, read_document

BUSY_TIMEOUT: Final = timedelta(seconds=30)
"""How long a writer waits for another one on SQLite."""

_WAL_PAUSE_SECONDS: Final = 0.05

_WRITES: Final = "practicus_mfa_writes"
_LOCK_TIMEOUT: Final = "practicus_mfa_lock_timeout"


def _milliseconds(span: timedelta) -> int:
    return max(1, round(span / timedelta(milliseconds=1)))


class Database:
    """One database, whose connections are pooled; safe to share between threads."""

    def __init__(self, engine: Engine, address: Address) -> None:
        """Wrap *engine*; use :func:`connect`."""
        self._engine = engine
        self.address = address

    def __repr__(self) -> str:
        return f"Database({self.address.shown!r})"

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite; otherwise it is PostgreSQL."""
        return isinstance(self.address, SqliteFile)

    @property
    def shown(self) -> str:
        """Where it is, for people: without a password."""
        return self.address.shown

    @contextmanager
    def read(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """Give a connection in a transaction that can't write.

        Args:
            snapshot: Every statement sees the same moment (REPEATABLE READ); always so on SQLite.

        Raises:
            UnreachableError: The database can't be used at the moment.
            UsageError: It isn't set up for this program.
        """
        options: dict[str, Any] = {} if self.is_sqlite else {"postgresql_readonly": True}
        if snapshot and not self.is_sqlite:
            options["isolation_level"] = "REPEATABLE READ"
        with self._transaction(options) as connection:
            yield connection

    @contextmanager
    def write(self, *, lock_timeout: timedelta | None = None) -> Iterator[Connection]:
        """Give a connection in a transaction that is committed at the end, and rolled back on an error.

        Args:
            lock_timeout: How long any one lock may be waited for, then :class:`~.faults.BusyError`.

        Raises:
            BusyError: A lock was not free in time.
            UnreachableError: The database can't be used at the moment.
            UsageError: It isn't set up for this program.
            IntegrityError: A constraint was violated (SQLAlchemy's: the caller knows what it means).
        """
        options: dict[str, Any] = {_WRITES: True, _LOCK_TIMEOUT: lock_timeout}
        if not self.is_sqlite:
            # As the server wants it: after a read SQLAlchemy would say READ WRITE, and override a server that
            # was told to protect itself (default_transaction_read_only).
            options["postgresql_readonly"] = None
        with self._transaction(options) as connection:
            if lock_timeout is not None and not self.is_sqlite:
                connection.execute(
                    text("SELECT set_config('lock_timeout', :span, true)"),
                    {"span": f"{_milliseconds(lock_timeout)}ms"},
                )
            yield connection

    @contextmanager
    def outside_transactions(self) -> Iterator[Connection]:
        """Give a connection to PostgreSQL whose statements are transactions of their own.

        Raises:
            BusyError: A lock was not free in time.
            UnreachableError: The database can't be used at the moment.
            UsageError: The role may not do it.
        """
        with self._transaction({"isolation_level": "AUTOCOMMIT", "postgresql_readonly": None}) as connection:
            yield connection

    @contextmanager
    def _transaction(self, options: Mapping[str, Any]) -> Iterator[Connection]:
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(**options)
                with connection.begin():
                    yield connection
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeoutError, self._engine.dialect.loaded_dbapi.Error) as error:
            # Not SQLAlchemyError: its other kinds are mistakes in this program.
            raise translated(error, self.address) from error

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


def connect(url: str, *, create: bool = False) -> Database:
    """Return the database at *url*; nothing is contacted before the first transaction.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user:password@host:port/name``.
        create: A SQLite file that is not there is made.

    Raises:
        UsageError: *url* can't be understood.
    """
    address = parse_url(url)
    if isinstance(address, SqliteFile):
        return Database(_sqlite(address.path, create=create), address)
    return Database(postgres_engine(address.url), address)


def database_now(connection: Connection) -> datetime:
    """Return the database's time, aware, in UTC."""
    return connection.execute(select(database_instant())).scalar_one()


def _sqlite(path: Path, *, create: bool) -> Engine:
    mode = "rwc" if create else "rw"
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def opened() -> sqlite3.Connection:
        if create:
            # Password hashes and tokens are for nobody else; SQLite gives its other files the same mode. What
            # stands in the way (no folder, no right) SQLite itself reports below.
            with suppress(OSError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # isolation_level=None: the module begins no transaction of its own, on any version of Python.
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout = {_milliseconds(BUSY_TIMEOUT)}")
            connection.execute("PRAGMA foreign_keys = ON")
            _use_wal(connection)
            # A rotation forgets a key after the rows' commit, which no power cut may take back.
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine(
        URL.create("sqlite"),
        creator=opened,
        poolclass=QueuePool,
        hide_parameters=True,
        json_deserializer=read_document,
    )
    event.listen(engine, "begin", _begin_on_sqlite)
    return engine.execution_options(schema_translate_map={SCHEMA: None})


def _use_wal(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        return
    end = time.monotonic() + BUSY_TIMEOUT.total_seconds()
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # The busy timeout does not hold here: SQLite refuses at once to go from reading to writing beside
            # another writer, who may be another first user of a new file.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_WAL_PAUSE_SECONDS)
        else:
            return


def _begin_on_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    writes = bool(options.get(_WRITES))
    driver = connection.connection.driver_connection
    if driver is None:  # pragma: no cover - only of a connection that was closed
        return
    span = options.get(_LOCK_TIMEOUT) or BUSY_TIMEOUT
    try:
        driver.execute(f"PRAGMA busy_timeout = {_milliseconds(span)}")
        driver.execute(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    except sqlite3.Error as error:
        raise DBAPIError.instance("BEGIN", None, error, sqlite3.Error) from error
