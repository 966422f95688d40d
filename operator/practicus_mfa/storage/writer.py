"""The one way to write a token: under the lock that a promotion needs for itself, with the key that writes.

A writer takes the lock shared, then reads which key writes, then seals with that key and writes. A promotion
takes the lock exclusively: it waits for writers that began earlier, and later ones wait for it and see the
new key. So after a promotion's commit nobody writes with the former key, and no second convergence is needed.
(A row lock on the write-key row would not do: PostgreSQL lets new sharers overtake a waiting updater.)
On SQLite the file's write lock, held from the first instant, does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.errors import RetryableError, SupersededError
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.schema import write_key

WRITE_LOCK: Final = 0x6D66_615F_7772_6974
"""PostgreSQL's advisory lock of all who write tokens ("mfa_writ" in ASCII)."""

Result = TypeVar("Result")


class NoWriteKeyError(RetryableError):
    """No key writes yet: the first rotation was not set up."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(
            "No key is set up to write with yet.",
            remedy="Run `practicus-mfa up`, or see in `practicus-mfa status` what the operator waits for.",
        )


def share_write_lock(connection: Connection) -> None:
    """Keep promotions away until this transaction ends (a SQLite transaction that writes already does)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": WRITE_LOCK})


def own_write_lock(connection: Connection) -> None:
    """Keep promotions, writers and registrations away until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": WRITE_LOCK})


def read_write_key(connection: Connection) -> KeyId | None:
    """Return the key that writes, ``None`` before the bootstrap."""
    found = connection.execute(select(write_key.c.key_id)).scalar_one_or_none()
    return None if found is None else KeyId(found)


@contextmanager
def token_write(db: Database) -> Iterator[tuple[Connection, KeyId]]:
    """Give a connection in a writing transaction, and the key to seal with in it.

    Keep it short: a promotion waits for it.

    Raises:
        NoWriteKeyError: Before the bootstrap.
        IntegrityError: A constraint was violated; :func:`with_token_write` expects a key retired meanwhile.
    """
    with db.write() as connection:
        share_write_lock(connection)
        key = read_write_key(connection)
        if key is None:
            raise NoWriteKeyError
        yield connection, key


def with_token_write(db: Database, write: Callable[[Connection, KeyId], Result]) -> Result:
    """Run *write* in a :func:`token_write`, once more if the database refused its key.

    *write* may run twice and must have no other effect than its statements. Violations of other constraints
    pass through.

    Raises:
        SupersededError: The key was refused twice.
        NoWriteKeyError: Before the bootstrap.
    """
    try:
        with token_write(db) as (connection, key):
            return write(connection, key)
    except IntegrityError as error:
        if not refused_key(error):
            raise
    try:
        with token_write(db) as (connection, key):
            return write(connection, key)
    except IntegrityError as error:
        if not refused_key(error):
            raise
        raise SupersededError(
            "The key that wrote was retired meanwhile, twice.", remedy="Try again."
        ) from error


def refused_key(error: IntegrityError) -> bool:
    """Whether *error* is a foreign key's: on PostgreSQL, that of ``key_id`` alone.

    SQLite does not say which foreign key was violated; its writers hold the file's lock, so that only a
    missing user can be the reason there, and trying again does no harm.
    """
    cause = error.orig
    constraint = getattr(getattr(cause, "diag", None), "constraint_name", None)
    if constraint is not None:
        return str(constraint) == "fk_mfa_factors_key_id"
    return "FOREIGN KEY" in str(cause)
