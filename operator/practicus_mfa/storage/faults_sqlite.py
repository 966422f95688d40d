"""What SQLite complains about, as errors with a remedy."""

from __future__ import annotations

import sqlite3

from practicus_mfa.errors import MfaError, UnreachableError, UsageError
from practicus_mfa.storage.addresses import SqliteFile
from practicus_mfa.storage.faults import BusyError, not_set_up


def of_sqlite(error: BaseException | None, address: SqliteFile) -> MfaError:
    """Return what *error* means to the person who runs the program."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None  # the upper bits refine it
    path = address.path
    match primary:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return BusyError(
                f"The database file {path} is locked by another process.",
                remedy="Try again; if it stays, look for a program that holds the file open.",
            )
        case sqlite3.SQLITE_READONLY:
            return _read_only(address)
        case sqlite3.SQLITE_CANTOPEN:
            return _cannot_open(address)
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return UsageError(
                f"{path} is not a SQLite database, or it is damaged.",
                remedy="Check the path; if it is the right file, restore it from a backup.",
            )
        case sqlite3.SQLITE_FULL:
            return UnreachableError(
                f"There is no room to write the database file {path}.", remedy="Free space on its disk."
            )
        case sqlite3.SQLITE_ERROR if str(error).startswith("no such "):
            return not_set_up(path)
        case _:
            return UnreachableError(
                f"The database file {path} can't be used.",
                remedy="See the cause with --debug; check the file and its disk.",
            )


def _read_only(address: SqliteFile) -> UnreachableError:
    return UnreachableError(
        f"The database file {address.path} is read-only.",
        remedy="Give this user the right to write the file and its folder.",
    )


def _cannot_open(address: SqliteFile) -> UnreachableError:
    path = address.path
    try:
        if not path.parent.is_dir():
            return UnreachableError(
                f"The folder {path.parent} of the database file is missing.",
                remedy="Make the folder, or correct the path.",
            )
        if not path.exists():
            return UnreachableError(
                f"There is no database file {path}.",
                remedy="Correct the path, or make the file with `practicus-mfa db upgrade`.",
            )
    except OSError:
        pass  # a folder on the way can't be looked into: the same remedy as below
    return UnreachableError(
        f"The database file {path} can't be opened.",
        remedy="Give this user the right to read and write the file and its folder.",
    )
