from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from practicus_mfa.errors import EXIT_UNREACHABLE, EXIT_USAGE
from practicus_mfa.storage.addresses import SqliteFile, parse_url
from practicus_mfa.storage.driver_faults import translated
from practicus_mfa.storage.faults import BusyError

FILE = SqliteFile(Path("/nowhere/mfa.db"))
SERVER = parse_url("postgresql://mfa:s3cr3t@db:5432/mfa")

CHECK_URL = "Check host and port in the database URL"


def _of_sqlite(code: int, said: str = "…") -> sqlite3.Error:
    error = sqlite3.OperationalError(said)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "message", "remedy"),
    [
        (
            psycopg.OperationalError('FATAL: role "mfa" does not exist'),
            "There is no role mfa on the server db:5432.",
            "Correct the user name in the database URL, or make it with `createuser`.",
        ),
        (
            psycopg.errors.ConnectionTimeout("connection timeout expired"),
            "The server db:5432 did not answer in time.",
            f"{CHECK_URL}, and the network in between.",
        ),
        (
            pg.DiskFull("could not extend file"),
            "The server of the database mfa at db:5432 has no room left.",
            "Free space on the server.",
        ),
        (
            pg.InternalError_("…"),
            "The database mfa at db:5432 answered with an error.",
            "See the cause with --debug, and the server's log.",
        ),
        (
            psycopg.OperationalError("server closed the connection unexpectedly"),
            "The connection to mfa at db:5432 failed.",
            "Check that the server runs; see the cause with --debug.",
        ),
    ],
)
def test_what_postgresql_complains_about(error: psycopg.Error, message: str, remedy: str) -> None:
    found = translated(error, SERVER)
    assert (found.message, found.remedy) == (message, remedy)
    assert found.exit_code == EXIT_UNREACHABLE


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            pg.LockNotAvailable("…"),
            "Another transaction holds a lock in the database mfa at db:5432.",
        ),
        (
            pg.DeadlockDetected("…"),
            "Two transactions got in each other's way in the database mfa at db:5432.",
        ),
        (
            pg.SerializationFailure("…"),
            "Two transactions got in each other's way in the database mfa at db:5432.",
        ),
        (pg.QueryCanceled("…"), "The database mfa at db:5432 took longer than it was given."),
        (PoolTimeoutError("…"), "All connections of this program to mfa at db:5432 are in use."),
    ],
)
def test_what_passes_by_itself(error: psycopg.Error | PoolTimeoutError, message: str) -> None:
    found = translated(error, SERVER)
    assert isinstance(found, BusyError)
    assert found.message == message


@pytest.mark.parametrize(
    ("error", "message", "exit_code"),
    [
        (
            _of_sqlite(sqlite3.SQLITE_FULL),
            "There is no room to write the database file /nowhere/mfa.db.",
            EXIT_UNREACHABLE,
        ),
        (
            _of_sqlite(sqlite3.SQLITE_IOERR),
            "The database file /nowhere/mfa.db can't be used.",
            EXIT_UNREACHABLE,
        ),
        (
            sqlite3.ProgrammingError("Cannot operate on a closed database."),
            "The database file /nowhere/mfa.db can't be used.",
            EXIT_UNREACHABLE,
        ),
        (
            _of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT),
            "The database file /nowhere/mfa.db is locked by another process.",
            EXIT_UNREACHABLE,
        ),
        (
            _of_sqlite(sqlite3.SQLITE_ERROR, "no such column: x"),
            "The database /nowhere/mfa.db is not set up for this program.",
            EXIT_USAGE,
        ),
        (
            _of_sqlite(sqlite3.SQLITE_ERROR, 'near "SELEC": syntax error'),
            "The database file /nowhere/mfa.db can't be used.",
            EXIT_UNREACHABLE,
        ),
    ],
)
def test_what_sqlite_complains_about(error: sqlite3.Error, message: str, exit_code: int) -> None:
    found = translated(error, FILE)
    assert (found.message, found.exit_code) == (message, exit_code)


def test_the_drivers_error_is_what_counts() -> None:
    wrapped = DBAPIError("SELECT 's3cr3t'", {}, _of_sqlite(sqlite3.SQLITE_READONLY, "s3cr3t"))
    found = translated(wrapped, FILE)
    assert found.message == "The database file /nowhere/mfa.db is read-only."


def test_a_folder_that_can_not_be_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "is_dir", refuse)
    found = translated(_of_sqlite(sqlite3.SQLITE_CANTOPEN), FILE)
    assert found.message == "The database file /nowhere/mfa.db can't be opened."
