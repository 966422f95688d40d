"""What PostgreSQL complains about, as errors with a remedy."""

from __future__ import annotations

import psycopg
from psycopg import errors as pg
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from practicus_mfa.errors import MfaError, UnreachableError, UsageError
from practicus_mfa.storage.addresses import PostgresAddress
from practicus_mfa.storage.faults import BusyError, NoWritesError, not_set_up


def of_postgres(error: BaseException | None, address: PostgresAddress) -> MfaError:
    """Return what *error* means to the person who runs the program."""
    match error:
        case pg.LockNotAvailable():
            return BusyError(
                f"Another transaction holds a lock in the database {address.shown}.",
                remedy="Try again; if it stays, look in pg_stat_activity for a transaction left open.",
            )
        case pg.DeadlockDetected() | pg.SerializationFailure():
            return BusyError(
                f"Two transactions got in each other's way in the database {address.shown}.",
                remedy="Try again.",
            )
        case pg.QueryCanceled():
            return BusyError(
                f"The database {address.shown} took longer than it was given.",
                remedy="Try again; if it stays, look at the server's load.",
            )
        case pg.UndefinedTable() | pg.InvalidSchemaName() | pg.UndefinedColumn() | pg.UndefinedFunction():
            return not_set_up(address.shown)
        case pg.InsufficientPrivilege():
            return UsageError(
                f"The role {address.user} lacks a right in the database {address.shown}.",
                remedy="Grant it what `practicus-mfa db grants` prints, or use the owner of the schema.",
            )
        case pg.ReadOnlySqlTransaction():
            return NoWritesError(
                f"The database {address.shown} accepts no writes at the moment.",
                remedy="Point the URL at the primary server, or wait until it has taken over.",
            )
        case pg.DiskFull():
            return UnreachableError(
                f"The server of the database {address.shown} has no room left.",
                remedy="Free space on the server.",
            )
        case _ if isinstance(error, psycopg.OperationalError):
            return _cannot_connect(error, address)
        case _ if isinstance(error, PoolTimeoutError):
            return BusyError(
                f"All connections of this program to {address.shown} are in use.", remedy="Try again."
            )
        case _:
            return UnreachableError(
                f"The database {address.shown} answered with an error.",
                remedy="See the cause with --debug, and the server's log.",
            )


def _cannot_connect(error: psycopg.OperationalError, address: PostgresAddress) -> UnreachableError:
    # A refused start of a session has no SQLSTATE in libpq: its text is all there is.
    said = str(error)
    if fault := _tls_refused(said, address):
        return fault
    if isinstance(error, pg.InvalidPassword | pg.InvalidAuthorizationSpecification) or (
        "authentication failed" in said or "no password supplied" in said
    ):
        return UnreachableError(
            f"The server {address.server} refused the password of the role {address.user}.",
            remedy="Correct the user name or password in the database URL.",
        )
    if isinstance(error, pg.InvalidCatalogName) or ("database" in said and "does not exist" in said):
        return UnreachableError(
            f"There is no database {address.name} on the server {address.server}.",
            remedy="Correct the name in the database URL, or make it with `createdb`.",
        )
    if "role" in said and "does not exist" in said:
        return UnreachableError(
            f"There is no role {address.user} on the server {address.server}.",
            remedy="Correct the user name in the database URL, or make it with `createuser`.",
        )
    if "Connection refused" in said or "No such file" in said:
        return UnreachableError(
            f"Nothing answers at {address.server}.",
            remedy="Check host and port in the database URL, and that the server runs.",
        )
    if "resolve" in said or "Name or service not known" in said:
        return UnreachableError(
            f"The host name of {address.server} is not known.", remedy="Check the host in the database URL."
        )
    if "timeout expired" in said or "timed out" in said:
        return UnreachableError(
            f"The server {address.server} did not answer in time.",
            remedy="Check host and port in the database URL, and the network in between.",
        )
    return UnreachableError(
        f"The connection to {address.shown} failed.",
        remedy="Check that the server runs; see the cause with --debug.",
    )


def _tls_refused(said: str, address: PostgresAddress) -> UnreachableError | None:
    """Return what keeps a connection from being made over TLS, by libpq's words; ``None`` for all else.

    Asked first: the name of a file is among these words, and may hold those of any other refusal.
    """
    if "root certificate file" in said:
        return UnreachableError(
            "The file that sslrootcert names in the database URL is not there or can't be read.",
            remedy="Put the authority's certificate there (extraVolumes of the chart), or correct the name.",
        )
    if "certificate verify failed" in said:
        return UnreachableError(
            f"The certificate of {address.server} is not valid, or not by sslrootcert's authority.",
            remedy="Take the authority that signed it, and see that it has not expired.",
        )
    if "does not match host name" in said:
        return UnreachableError(
            f"The certificate of {address.server} is for another host.",
            remedy="Write the host in the database URL as the certificate has it.",
        )
    if "does not support SSL" in said:
        return UnreachableError(
            f"The server {address.server} has no TLS, and sslmode in the database URL asks for it.",
            remedy="Switch it on at the server (ssl = on).",
        )
    return None
