from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Executable, delete, text, update
from sqlalchemy.exc import IntegrityError

from practicus_mfa.core.observed import Administrators, DatabaseSeen, ReaderSeen
from practicus_mfa.storage import keys
from practicus_mfa.storage import schema as s
from practicus_mfa.storage.audit import append, read
from practicus_mfa.storage.claims import guarded_write, record_generation
from practicus_mfa.storage.counts import read_counts, save_table_counts
from practicus_mfa.storage.facts import Totals, count_totals, observe
from practicus_mfa.storage.policy_row import read_policy, save_policy
from practicus_mfa.storage.readers import register
from practicus_mfa.storage.rotations import complete_rotation, start_rotation
from tests.support.stores import KEY_A, KEY_B, KEY_C, add_factor, add_user, claimed, live, rolled_back

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

PATIENT = timedelta(seconds=30)


# --- the audit ----------------------------------------------------------------------------------------


def _append_three(db: Database) -> None:
    with db.write() as connection:
        append(connection, "alice", "mfa.removed", subject="bob", detail={"factors": 1})
        append(connection, "operator", "key.promoted", subject=KEY_A)
        append(connection, "alice", "log-in", result="refused")


def test_lines_are_told_newest_first(db: Database) -> None:
    _append_three(db)
    with db.read() as connection:
        lines = read(connection)
    assert [(line.actor, line.action, line.subject, line.result, dict(line.detail)) for line in lines] == [
        ("alice", "log-in", "", "refused", {}),
        ("operator", "key.promoted", KEY_A, "done", {}),
        ("alice", "mfa.removed", "bob", "done", {"factors": 1}),
    ]
    assert lines[0].at >= lines[2].at
    assert lines[0].id > lines[2].id


def test_lines_are_chosen_by_what_they_say(db: Database) -> None:
    _append_three(db)
    with db.read() as connection:
        newest, middle, oldest = read(connection)
        assert read(connection, actor="alice") == (newest, oldest)
        assert read(connection, actor="alice", action="log-in") == (newest,)
        assert read(connection, subject=KEY_A) == (middle,)
        assert read(connection, since=oldest.at) == (newest, middle, oldest)
        assert read(connection, since=newest.at + timedelta(microseconds=1)) == ()
        assert read(connection, limit=2) == (newest, middle)
        assert read(connection, actor="nobody") == ()


def test_a_line_goes_with_what_it_tells_of(db: Database) -> None:
    with rolled_back(db) as connection:
        append(connection, "alice", "user.deleted")
    with db.read() as connection:
        assert read(connection) == ()


def test_no_line_is_ever_changed_or_deleted(db: Database) -> None:
    _append_three(db)
    attempts: list[Executable] = [update(s.audit).values(actor="mallory"), delete(s.audit)]
    if not db.is_sqlite:  # which has no such statement
        attempts.append(text("TRUNCATE practicus_mfa.mfa_audit"))
    for attempt in attempts:
        with pytest.raises(IntegrityError, match="the audit is append-only"), db.write() as connection:
            connection.execute(attempt)
        with db.read() as connection:
            assert len(read(connection)) == 3


# --- the policy in force ------------------------------------------------------------------------------


def test_the_policy_in_force_is_one_row(db: Database) -> None:
    first = {"mfa": {"enabled": True}, "rememberMe": {"days": 30}}
    second = {"mfa": {"enabled": False}, "rememberMe": {"days": 7}}
    with db.write() as connection:
        assert read_policy(connection) is None
        assert save_policy(connection, 1, first) is True
    with db.write() as connection:
        seen = read_policy(connection)
        assert seen is not None
        assert (seen.generation, seen.effective) == (1, first)
        assert save_policy(connection, 1, first) is False
        assert read_policy(connection) == seen
        assert save_policy(connection, 2, first) is True
        assert save_policy(connection, 2, second) is True
        changed = read_policy(connection)
    assert changed is not None
    assert (changed.generation, changed.effective) == (2, second)
    assert changed.updated_at >= seen.updated_at


# --- everything at once -------------------------------------------------------------------------------


def test_a_new_database_knows_nothing(db: Database) -> None:
    with db.read() as connection:
        counted = read_counts(connection)
    seen = observe(db)
    assert seen == DatabaseSeen(
        claim=None,
        keyring_generation=0,
        live_keys=frozenset(),
        write_key=None,
        former_keys=frozenset(),
        retired_keys=frozenset(),
        counts=seen.counts,
        users=0,
        administrators=Administrators(0, 0),
    )
    assert seen.counts.total == counted.total == 0


def test_all_facts_are_seen(db: Database) -> None:
    mine = claimed(db)
    for key in (KEY_A, KEY_B):
        keys.set_write_key(db, mine, key, "canary", lock_timeout=PATIENT)
    live(db, mine, KEY_C)
    register(db, "pod-1", [KEY_A, KEY_B])
    with guarded_write(db, mine) as connection:
        record_generation(connection, 7)
        complete_rotation(connection, start_rotation(connection, KEY_A), {KEY_C})
        under_way = start_rotation(connection, KEY_B)
        save_table_counts(connection, "other", {KEY_A: 4}, unknown=0, corrupt=0)
        add_factor(connection, add_user(connection), key=KEY_A)
        add_factor(connection, add_user(connection, staff=True), key=KEY_B)
        add_factor(connection, add_user(connection, superuser=True), token="")
    seen = observe(db)
    assert seen.claim == mine
    assert seen.keyring_generation == 7
    assert seen.live_keys == {KEY_A, KEY_B, KEY_C}
    assert seen.write_key == KEY_B
    assert seen.former_keys == {KEY_A}
    assert seen.retired_keys == {KEY_C}
    assert dict(seen.counts.by_key) == {KEY_A: 1, KEY_B: 1}
    assert seen.tables["other"].total == 4
    assert seen.users == 3
    assert seen.administrators == Administrators(active=2, enrolled=1)
    assert seen.rotation is not None
    assert (seen.rotation.id, seen.rotation.from_key) == (under_way, KEY_B)
    assert [past.to_key for past in seen.history] == [KEY_A]
    assert seen.readers == (ReaderSeen("pod-1", frozenset({KEY_A, KEY_B})),)


def test_administrators_are_active_staff_and_superusers(db: Database) -> None:
    with db.write() as connection:
        for enrolled in (True, False):
            for active in (True, False):
                for staff, superuser in ((True, False), (False, True), (True, True), (False, False)):
                    user = add_user(connection, active=active, staff=staff, superuser=superuser)
                    add_factor(connection, user, token="token" if enrolled else None)
                    add_factor(connection, user, token="another" if enrolled else "")
        assert count_totals(connection) == Totals(16, Administrators(active=6, enrolled=3))


def test_totals_that_the_caller_keeps_are_not_counted_again(db: Database) -> None:
    kept = Totals(1_000, Administrators(3, 2))
    seen = observe(db, kept)
    assert (seen.users, seen.administrators) == (1_000, Administrators(3, 2))
