from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update

from practicus_mfa.core.observed import ReaderSeen
from practicus_mfa.storage import keys
from practicus_mfa.storage.claims import guarded_write
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.readers import (
    KEPT,
    LEASE,
    CannotReadWriteKey,
    Expired,
    Registered,
    register,
    renew,
    unexpired,
    withdraw,
)
from practicus_mfa.storage.schema import readers
from tests.support.stores import KEY_A, KEY_B, claimed

if TYPE_CHECKING:
    from datetime import datetime

    from practicus_mfa.storage.engine import Database

PATIENT = timedelta(seconds=30)


def _readers(db: Database) -> tuple[ReaderSeen, ...]:
    with db.read() as connection:
        return unexpired(connection)


def _now(db: Database) -> datetime:
    with db.read() as connection:
        return database_now(connection)


def _shift_lease(db: Database, instance: str, expires_at: datetime) -> None:
    with db.write() as connection:
        connection.execute(
            update(readers).where(readers.c.instance == instance).values(expires_at=expires_at)
        )


def _let_write(db: Database, key: str) -> None:
    """Change the write key as somebody would who did not look at the leases."""
    mine = claimed(db)
    with guarded_write(db, mine) as connection:
        keys.add_live_keys(connection, {KEY_A: "a", KEY_B: "b"})
        schema = "" if db.is_sqlite else "practicus_mfa."
        connection.execute(text(f"DELETE FROM {schema}mfa_write_key"))
        connection.execute(text(f"INSERT INTO {schema}mfa_write_key (id, key_id) VALUES (1, '{key}')"))


def test_a_lease_begins_with_the_keys_that_can_be_read(db: Database) -> None:
    before = _now(db)
    outcome = register(db, "pod-1", [KEY_B, KEY_A, KEY_A])
    assert isinstance(outcome, Registered)
    assert outcome.write_key is None
    assert before + LEASE <= outcome.expires_at <= _now(db) + LEASE
    assert _readers(db) == (ReaderSeen("pod-1", frozenset({KEY_A, KEY_B})),)


def test_readers_are_told_of_by_name(db: Database) -> None:
    for name in ("pod-2", "pod-1"):
        register(db, name, [KEY_A])
    assert [reader.instance for reader in _readers(db)] == ["pod-1", "pod-2"]


def test_registering_again_replaces_the_keys(db: Database) -> None:
    register(db, "pod-1", [KEY_A])
    register(db, "pod-1", [KEY_B])
    assert _readers(db) == (ReaderSeen("pod-1", frozenset({KEY_B})),)


def test_the_write_key_is_told(db: Database) -> None:
    _let_write(db, KEY_A)
    outcome = register(db, "pod-1", [KEY_A])
    assert isinstance(outcome, Registered)
    assert outcome.write_key == KEY_A


def test_who_can_not_read_what_is_written_gets_no_lease(db: Database) -> None:
    _let_write(db, KEY_A)
    assert register(db, "pod-1", [KEY_B]) == CannotReadWriteKey(KEY_A)
    assert _readers(db) == ()


def test_who_no_longer_reads_the_write_key_loses_its_lease(db: Database) -> None:
    _let_write(db, KEY_A)
    register(db, "pod-1", [KEY_A])
    assert register(db, "pod-1", [KEY_B]) == CannotReadWriteKey(KEY_A)
    assert _readers(db) == ()


def test_a_renewal_prolongs_the_lease(db: Database) -> None:
    register(db, "pod-1", [KEY_A])
    soon = _now(db) + LEASE - timedelta(milliseconds=1)
    _shift_lease(db, "pod-1", soon)
    outcome = renew(db, "pod-1")
    assert isinstance(outcome, Registered)
    assert outcome.expires_at > soon
    with db.read() as connection:
        assert connection.execute(select(readers.c.expires_at)).scalar_one() == outcome.expires_at
    assert _readers(db) == (ReaderSeen("pod-1", frozenset({KEY_A})),)


def test_an_expired_reader_must_register_again(db: Database) -> None:
    register(db, "pod-1", [KEY_A])
    _shift_lease(db, "pod-1", _now(db) - timedelta(milliseconds=1))
    assert _readers(db) == ()
    assert renew(db, "pod-1") == Expired()
    assert _readers(db) == ()
    register(db, "pod-1", [KEY_A])
    assert len(_readers(db)) == 1


def test_a_reader_that_never_registered_has_nothing_to_renew(db: Database) -> None:
    assert renew(db, "pod-1") == Expired()


def test_a_renewal_finds_out_that_another_key_writes(db: Database) -> None:
    register(db, "pod-1", [KEY_A])
    _let_write(db, KEY_B)
    assert renew(db, "pod-1") == CannotReadWriteKey(KEY_B)
    assert renew(db, "pod-1") == Expired()


def test_a_reader_that_ends_says_so(db: Database) -> None:
    register(db, "pod-1", [KEY_A])
    withdraw(db, "pod-1")
    withdraw(db, "never")
    assert _readers(db) == ()


@pytest.mark.parametrize(("age", "kept"), [(KEPT - timedelta(minutes=1), True), (KEPT * 2, False)])
def test_leases_of_the_dead_are_cleared_away_in_time(db: Database, age: timedelta, kept: bool) -> None:
    register(db, "dead", [KEY_A])
    _shift_lease(db, "dead", _now(db) - age)
    register(db, "pod-1", [KEY_A])
    with db.read() as connection:
        names = set(connection.execute(select(readers.c.instance)).scalars())
    assert names == ({"dead", "pod-1"} if kept else {"pod-1"})


def test_an_application_may_keep_its_lease_in_sql(db: Database) -> None:
    """The upsert that another application does for its own table (``table:<table>``)."""
    statement = (
        "INSERT INTO mfa_readers (instance, key_ids, expires_at)"
        " VALUES ('table:app.secrets', '[\"aaaaaaaaaaaa\"]', {expiry})"
        " ON CONFLICT (instance) DO UPDATE SET key_ids = excluded.key_ids, expires_at = excluded.expires_at"
    )
    if db.is_sqlite:
        statement = statement.format(expiry="strftime('%Y-%m-%d %H:%M:%f000', 'now', '+15 seconds')")
    else:
        statement = statement.format(expiry="clock_timestamp() + interval '15 seconds'")
        statement = statement.replace("mfa_readers", "practicus_mfa.mfa_readers")
    for _ in range(2):
        with db.write() as connection:
            connection.exec_driver_sql(statement)
    assert _readers(db) == (ReaderSeen("table:app.secrets", frozenset({KEY_A})),)
