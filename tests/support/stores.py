"""A database that is set up, and rows to put into it."""

from __future__ import annotations

import itertools
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, insert, update

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import Claim
from practicus_mfa.storage import readers, schema, versions
from practicus_mfa.storage.claims import Claimed, guarded_write, take_claim
from practicus_mfa.storage.engine import Database, connect, database_now
from practicus_mfa.storage.keys import add_live_keys
from practicus_mfa.storage.schema import factors, users

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_A, KEY_B, KEY_C = (KeyId(letter * 12) for letter in "abc")

IDENTITY: Final = Claim(cluster="east", namespace="platform", policy="mfa", owner="operator-1", epoch=0)


class _Undo(Exception):  # noqa: N818 - a signal, not an error
    """Ends a transaction."""


_numbers = itertools.count(1)


@contextmanager
def ready(url: str) -> Iterator[Database]:
    """The database at *url* with all its tables, closed at the end."""
    database = connect(url, create=True)
    try:
        versions.upgrade(database)
        yield database
    finally:
        database.close()


@contextmanager
def rolled_back(db: Database) -> Iterator[Connection]:
    """A writing transaction that is undone at its end."""
    with suppress(_Undo), db.write() as connection:
        yield connection
        raise _Undo


def claimed(db: Database, identity: Claim = IDENTITY) -> Claim:
    """Own *db*; return the claim to act under."""
    outcome = take_claim(db, identity)
    assert isinstance(outcome, Claimed)
    return outcome.claim


def lagging(db: Database, name: str, *keys: KeyId) -> None:
    """Register a reader that waits for no renewal: a lease of 15 s can be over before anybody has seen it."""
    readers.register(db, name, keys)
    end_lease(db, name, timedelta(hours=1))


def end_lease(db: Database, name: str, span: timedelta) -> None:
    """Have a reader's lease end after *span*."""
    with db.write() as connection:
        until = database_now(connection) + span
        of_it = schema.readers.c.instance == name
        connection.execute(update(schema.readers).where(of_it).values(expires_at=until))


def live(db: Database, claim: Claim, *keys: KeyId) -> None:
    """Let rows be written under *keys*."""
    with guarded_write(db, claim) as connection:
        add_live_keys(connection, {key: f"canary of {key}" for key in keys})


def add_user(
    connection: Connection, *, active: bool = True, staff: bool = False, superuser: bool = False
) -> int:
    """Insert a user of a name that no other has; return the id."""
    name = f"user{next(_numbers)}"
    row = {
        "username": name,
        "username_key": name,
        "is_active": active,
        "is_staff": staff,
        "is_superuser": superuser,
    }
    return int(connection.execute(insert(users).values(row).returning(users.c.id)).scalar_one())


def add_factor(
    connection: Connection,
    user_id: int,
    *,
    token: str | None = "token",
    key: KeyId | None = None,
    fault: str | None = None,
) -> int:
    """Insert a factor with a token that is none; return its id."""
    row = {"user_id": user_id, "token": token, "key_id": key, "fault": fault}
    return int(connection.execute(insert(factors).values(row).returning(factors.c.id)).scalar_one())
