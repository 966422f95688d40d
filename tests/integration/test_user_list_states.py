"""The list of users: what is known of each one, and of all of them."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, update

from practicus_mfa.core.login.throttle import Kind
from practicus_mfa.storage import schema
from practicus_mfa.storage.claims import guarded_write
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.rotations import Milestone, complete_rotation, mark, start_rotation
from practicus_mfa.storage.user_list import (
    KeyHint,
    Progress,
    Summary,
    Wanted,
    count,
    every,
    ids_page,
    summary,
    waiting_readers,
)
from practicus_mfa.storage.users import set_must_change_password
from tests.support.people import NEW, OLD, People, let_write
from tests.support.stores import add_factor, claimed, lagging

if TYPE_CHECKING:
    from datetime import datetime

    from practicus_mfa.storage.engine import Database


def stop(
    db: Database,
    user_id: int | None,
    *,
    kind: Kind = Kind.CODE,
    forever: bool = False,
    until: timedelta | None = None,
    expires: timedelta | None = None,
) -> None:
    """Count wrong tries of a user, whose consequences begin and end so long from now."""
    with db.write() as connection:
        now = database_now(connection)

        def at(span: timedelta | None) -> datetime | None:
            return None if span is None else now + span

        digest = hashlib.sha256(f"{user_id} {kind}".encode()).hexdigest()
        row = {
            "counter": digest,
            "kind": kind.value,
            "subject": digest,
            "failures": 5,
            "stopped_until": at(until),
            "forever": forever,
            "expires_at": at(expires),
            "user_id": user_id,
        }
        connection.execute(insert(schema.attempts).values(row))


def test_users_whose_codes_are_stopped_are_told(db: Database) -> None:
    people = People(db)
    ids = {
        name: people.add(name).id for name in ("free", "forever", "soon", "over", "past", "counted", "both")
    }
    minute = timedelta(minutes=1)
    stop(db, ids["forever"], forever=True)
    stop(db, ids["soon"], until=minute, expires=2 * minute)
    stop(db, ids["over"], until=-minute, expires=minute)
    # A counter that is over counts nothing, though nobody deleted it yet.
    stop(db, ids["past"], forever=True, expires=-minute)
    stop(db, ids["counted"])
    stop(db, ids["both"], until=-minute)
    stop(db, ids["both"], kind=Kind.RECOVERY, until=minute)
    # Of a name, which is not told.
    stop(db, None, forever=True)
    told = {one.user.username for one in every(db, Wanted()) if one.stopped}
    asked_for = [one.user.username for one in every(db, Wanted(stopped=True))]
    assert (told, asked_for) == ({"forever", "soon", "both"}, ["both", "forever", "soon"])
    with db.read() as connection:
        assert count(connection, Wanted(stopped=True)) == 3
        assert ids_page(connection, Wanted(stopped=True), 0, 9) == sorted(
            ids[name] for name in ("forever", "soon", "both")
        )


def test_a_line_tells_of_log_ins_and_of_a_password_to_be_changed(db: Database) -> None:
    anna, bob = People(db).add("anna"), People(db).add("bob")
    with db.write() as connection:
        now = database_now(connection)
        connection.execute(update(schema.users).where(schema.users.c.id == anna.id).values(last_login_at=now))
        set_must_change_password(connection, bob.id, must_change=True)
    assert [(one.user, one.last_login_at, one.must_change_password) for one in every(db, Wanted())] == [
        (anna, now, False),
        (bob, None, True),
    ]


@pytest.fixture
def two_keys(db: Database) -> Database:
    """A database with MFA under an old key and under the one that writes, some of it trouble."""
    people = People(db)
    let_write(db, OLD)
    people.add("old", key=OLD)
    let_write(db, NEW)
    people.add("new", key=NEW)
    people.add("newer", key=NEW)
    people.add("none")
    lost, broken, untried = (people.add(name).id for name in ("lost", "broken", "untried"))
    with db.write() as connection:
        add_factor(connection, lost, fault="unknown")
        add_factor(connection, broken, fault="corrupt")
        add_factor(connection, untried)
    return db


def hints(db: Database) -> dict[str, KeyHint]:
    return {one.user.username: one.key for one in every(db, Wanted())}


def rolling(db: Database) -> list[str]:
    return [one.user.username for one in every(db, Wanted(on_rolling_key=True))]


def sums(db: Database) -> Summary:
    with db.read() as connection:
        return summary(connection)


def test_without_a_rotation_what_writes_counts(two_keys: Database) -> None:
    assert rolling(two_keys) == ["old", "untried"]
    assert sums(two_keys) == Summary(total=7, enrolled=6, active=2, rolling=2, undecryptable=2, rotation=None)


def test_the_key_of_a_rotation_counts_from_its_beginning_on(two_keys: Database) -> None:
    claim = claimed(two_keys)
    with guarded_write(two_keys, claim) as connection:
        rotation = start_rotation(connection, OLD.id)
    assert rolling(two_keys) == ["new", "newer", "untried"]
    assert {name: str(hint) for name, hint in hints(two_keys).items()} == {
        "broken": "undecryptable",
        "lost": "undecryptable",
        "new": "rolling",
        "newer": "rolling",
        "none": "-",
        "old": "active",
        "untried": "rolling",
    }
    progress = Progress(to_key=OLD.id, promoted=False, done=1, total=4)
    assert sums(two_keys) == Summary(
        total=7, enrolled=6, active=1, rolling=3, undecryptable=2, rotation=progress
    )
    with guarded_write(two_keys, claim) as connection:
        mark(connection, rotation, Milestone.PROMOTED)
    assert sums(two_keys).rotation == Progress(to_key=OLD.id, promoted=True, done=1, total=4)
    with guarded_write(two_keys, claim) as connection:
        complete_rotation(connection, rotation, ())
    # Nothing was really promoted here: the other key still writes, and counts again.
    assert rolling(two_keys) == ["old", "untried"]


def test_nobody_and_nothing_is_counted_too(db: Database) -> None:
    assert sums(db) == Summary(total=0, enrolled=0, active=0, rolling=0, undecryptable=0, rotation=None)


def test_a_rotation_waits_for_replicas_until_it_is_promoted(db: Database) -> None:
    let_write(db, OLD)

    def waiting() -> int:
        with db.read() as connection:
            return waiting_readers(connection)

    for instance, keys in (("a", [OLD.id]), ("b", [OLD.id]), ("c", [NEW.id, OLD.id]), ("d", [OLD.id])):
        lagging(db, instance, *keys)
    assert waiting() == 0
    claim = claimed(db)
    with guarded_write(db, claim) as connection:
        rotation = start_rotation(connection, NEW.id)
    assert waiting() == 3
    with db.write() as connection:
        late = {"expires_at": database_now(connection) - timedelta(seconds=1)}
        connection.execute(update(schema.readers).where(schema.readers.c.instance == "d").values(late))
    assert waiting() == 2
    lagging(db, "a", NEW.id, OLD.id)
    assert waiting() == 1
    with guarded_write(db, claim) as connection:
        mark(connection, rotation, Milestone.PROMOTED)
    assert waiting() == 0
