"""What the drivers complain about, as errors with a remedy.

Every message is written here: a driver's own text may quote a row, a statement or a URL, so none of it is
shown; it stays in the chained cause for ``--debug``.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import DBAPIError

from practicus_mfa.errors import MfaError, UnreachableError, UsageError
from practicus_mfa.storage.addresses import Address, SqliteFile

UPGRADE: Final = "Run `practicus-mfa db upgrade`."


class BusyError(UnreachableError):
    """Another transaction kept a lock for longer than this one may wait."""


class NoWritesError(UnreachableError):
    """The database can be read and not written: a standby, or a server that protects itself."""


def not_set_up(where: object) -> UsageError:
    """Return that the tables, or some of them, are not there."""
    return UsageError(f"The database {where} is not set up for this program.", remedy=UPGRADE)


def translated(error: Exception, address: Address) -> MfaError:
    """Return what *error*, of SQLAlchemy or of a driver, means to the person who runs the program."""
    # Each driver's part is imported when it is needed: psycopg is slow to import, and of no use to SQLite.
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(address, SqliteFile):
        from practicus_mfa.storage.faults_sqlite import of_sqlite

        return of_sqlite(cause, address)
    from practicus_mfa.storage.faults_postgres import of_postgres

    return of_postgres(cause, address)
