"""The index of the words of users, built on PostgreSQL while everybody goes on logging in.

It takes seconds for each hundred thousand users, too long for the transaction of an upgrade, in which users
are locked. So it is built after that, outside of any transaction (``CREATE INDEX CONCURRENTLY``). Searches
work without it too, only slower.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, column, text

from practicus_mfa.errors import MfaError
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.schema import SCHEMA, users
from practicus_mfa.storage.user_list.search import indexed_words

NAME: Final = "ix_mfa_users_words"

BUILD_LOCK: Final = 0x6D66_615F_776F_7264
"""PostgreSQL's advisory lock of who builds it ("mfa_word" in ASCII)."""

LOCK_TIMEOUT_SECONDS: Final = 60
"""How long transactions that began before it are waited for; then it is built another time."""

log = logging.getLogger(__name__)


def build(db: Database) -> bool:
    """Build the index where it is missing or was left half built; return whether it is there at the end.

    What keeps it from being built is logged: nobody needs it to log in, and the next start tries again.
    """
    if db.is_sqlite:
        return True
    try:
        with db.outside_transactions() as connection, _alone(connection) as alone:
            if _is_valid(connection):
                return True
            if not alone:
                return False
            _build(connection)
    except MfaError as error:
        log.warning("the index of users' words was not built, searching them is slow: %s", error)
        return False
    log.info("the index of users' words was built")
    return True


def _is_valid(connection: Connection) -> bool:
    valid = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return bool(connection.execute(valid, {"name": f"{SCHEMA}.{NAME}"}).scalar_one_or_none())


def _build(connection: Connection) -> None:
    words = indexed_words(column("username_key"), column("email"), column("name"))
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
    try:
        # What an interrupted attempt has left can't be used.
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {SCHEMA}.{NAME}")
        connection.exec_driver_sql(f"CREATE INDEX CONCURRENTLY {NAME} ON {users} USING gin ({words})")
    finally:
        connection.execute(text("RESET lock_timeout"))


@contextmanager
def _alone(connection: Connection) -> Iterator[bool]:
    """Tell whether no other process builds, and keep others from it meanwhile."""
    lock = {"lock": BUILD_LOCK}
    alone = bool(connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), lock).scalar_one())
    try:
        yield alone
    finally:
        if alone:
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), lock)
