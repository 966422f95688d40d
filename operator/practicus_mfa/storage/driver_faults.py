"""What the drivers complain about, as errors with a remedy.

Every message is written here and in the two modules of the drivers: a driver's own text may quote a row, a
statement or a URL, so none of it is shown; it stays in the chained cause for ``--debug``.
"""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from practicus_mfa.errors import MfaError
from practicus_mfa.storage.addresses import Address, SqliteFile


def translated(error: Exception, address: Address) -> MfaError:
    """Return what *error*, of SQLAlchemy or of a driver, means to the person who runs the program."""
    # Each driver's part is imported when it is needed: psycopg is slow to import, and of no use to SQLite.
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(address, SqliteFile):
        from practicus_mfa.storage.faults_sqlite import of_sqlite

        return of_sqlite(cause, address)
    from practicus_mfa.storage.faults_postgres import of_postgres

    return of_postgres(cause, address)
