"""The worker on our own table: what becomes of each kind of row, on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, select, text, update

from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.core.sharding import Share
from practicus_mfa.crypto.keys import HeldKeys, generate_key
from practicus_mfa.crypto.tokens import seal
from practicus_mfa.errors import EXIT_RETRY, RetryableError, SupersededError
from practicus_mfa.rotation import worker
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.rotation.worker import BUSY_SECONDS, Progress, Report, run_pass, run_shards
from practicus_mfa.storage import audit
from practicus_mfa.storage.counts import read_counts, scan_counts
from practicus_mfa.storage.faults import BusyError
from practicus_mfa.storage.relations.own import OwnTable
from practicus_mfa.storage.relations.pages import Pass, write_page
from practicus_mfa.storage.schema import factors, shards
from practicus_mfa.storage.shards import Tally, read_shards
from practicus_mfa.storage.writer import token_write
from tests.support.rotating import (
    SEALED_AT,
    Rotating,
    enroll,
    new_secrets,
    opened,
    promote_to,
    rotating,
    run_sql,
    stored,
)
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from practicus_mfa.storage.engine import Database
    from practicus_mfa.storage.relations.cells import Cells, Page, Treat, Treated
    from practicus_mfa.storage.shards import Shard

PAGE = 4
ROWS = 11


def _pass(world: Rotating, mode: Mode, treat: Treat | None = None) -> Pass:
    return Pass(
        rotation_id=world.rotation_id,
        mode=mode,
        to_key=world.new.id,
        relation=OwnTable(is_sqlite=world.db.is_sqlite),
        treat=treat or treatment(OWN_TABLE, world.keys, world.new.id),
        page_rows=PAGE,
    )


def _run(
    world: Rotating, work: Pass, share: Share | None = None, stop_after: int | None = None
) -> list[Tally]:
    seen: list[Progress] = []
    run_pass(
        world.db,
        work,
        share or Share(),
        should_stop=lambda: stop_after is not None and len(seen) >= stop_after,
        on_progress=seen.append,
    )
    # A full page may be the last one: then an empty one follows.
    return [progress.tally for progress in seen if progress.tally != Tally()]


def _interrupted(world: Rotating, change: Callable[[], object]) -> Treat:
    """Return a treatment in whose middle, after the first page was read, *change* happens."""
    treat = treatment(OWN_TABLE, world.keys, world.new.id)
    pending = [change]

    def treated(cells: Cells) -> Treated:
        result = treat(cells)
        if pending:
            pending.pop()()
        return result

    return treated


def test_a_whole_rotation_brings_every_row_under_the_new_key(db: Database) -> None:
    secrets = new_secrets(ROWS)
    world = rotating(db, secrets=secrets)
    for mode, expected in ((Mode.MIGRATE, Tally(migrated=ROWS)), (Mode.VERIFY, Tally(current=ROWS))):
        job = world.job(mode, page_rows=PAGE)
        world.plan(job)
        assert run_shards(world.db, world.keys, job) == Report(finished=True, tally=expected)
    assert opened(world.db, world.new) == dict(enumerate(secrets, 1))
    with world.db.read() as connection:
        counts = read_counts(connection)
        assert counts.by_key == {world.new.id: ROWS}
        assert scan_counts(connection).by_key == counts.by_key


def test_parts_are_shared_between_workers(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(ROWS))
    world.plan(world.job(Mode.MIGRATE), shards=3)
    assert [tally.migrated for tally in _run(world, _pass(world, Mode.MIGRATE), Share(1, 2))] == [4]
    assert {n for n, (_, key, _) in stored(world.db).items() if key == world.new.id} == {5, 6, 7, 8}
    _run(world, _pass(world, Mode.MIGRATE), Share(0, 2))
    with world.db.read() as connection:
        parts = read_shards(connection, world.rotation_id)
    assert [(part.lower, part.upper, part.done) for part in parts] == [
        (None, "4", True),
        ("4", "8", True),
        ("8", None, True),
    ]


def test_a_stopped_worker_ends_after_its_page_and_the_next_one_goes_on_there(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(ROWS))
    work = _pass(world, Mode.VERIFY)
    world.plan(world.job(Mode.VERIFY))
    assert [tally.migrated for tally in _run(world, work, stop_after=1)] == [PAGE]
    with world.db.read() as connection:
        (shard,) = read_shards(connection, world.rotation_id)
    assert (shard.position, shard.tally, shard.done) == ("4", Tally(migrated=PAGE), False)
    assert [tally.migrated for tally in _run(world, work)] == [4, 3]
    with world.db.read() as connection:
        (shard,) = read_shards(connection, world.rotation_id)
    assert (shard.position, shard.tally, shard.done) == ("11", Tally(migrated=ROWS), True)


def test_a_row_that_is_enrolled_anew_while_its_page_is_treated_keeps_the_new_secret(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(3))
    world.plan(world.job(Mode.MIGRATE))
    fresh = new_secrets(1)[0]

    def enrol() -> None:
        with token_write(world.db) as (connection, key):
            assert key == world.new.id
            token = seal(fresh, owner=2, key=world.new, now=SEALED_AT)
            change = f"UPDATE {world.table} SET token = '{token}', key_id = '{key}' WHERE id = 2"
            connection.exec_driver_sql(change)

    tallies = _run(world, _pass(world, Mode.MIGRATE, _interrupted(world, enrol)))
    assert tallies == [Tally(migrated=2, current=1)]
    assert opened(world.db, world.new)[2] == fresh


def test_a_row_that_gets_another_old_token_meanwhile_is_migrated_from_that_one(db: Database) -> None:
    secrets = new_secrets(3)
    world = rotating(db, secrets=secrets)
    world.plan(world.job(Mode.MIGRATE))
    secrets[1] = b"another secret"
    again = seal(secrets[1], owner=2, key=world.old, now=SEALED_AT)
    table = world.table
    work = _pass(
        world,
        Mode.MIGRATE,
        _interrupted(world, lambda: run_sql(world.db, f"UPDATE {table} SET token = '{again}' WHERE id = 2")),
    )
    assert _run(world, work) == [Tally(migrated=3)]
    assert opened(world.db, world.new) == dict(enumerate(secrets, 1))


def test_a_row_that_is_removed_or_cleared_meanwhile_is_not_counted(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(4))
    world.plan(world.job(Mode.MIGRATE))
    table = world.table
    work = _pass(
        world,
        Mode.MIGRATE,
        _interrupted(
            world,
            lambda: run_sql(
                world.db,
                f"DELETE FROM {table} WHERE id = 1",
                f"UPDATE {table} SET token = '' WHERE id = 2",
                f"UPDATE {table} SET token = NULL WHERE id = 3",
            ),
        ),
    )
    assert _run(world, work) == [Tally(migrated=1)]
    assert {n: token for n, (token, _, _) in stored(world.db).items() if n < 4} == {2: "", 3: None}


def test_a_cleared_row_is_no_row(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(3))
    table = world.table
    run_sql(
        world.db,
        f"UPDATE {table} SET token = '' WHERE id = 1",
        f"UPDATE {table} SET token = NULL WHERE id = 2",
    )
    for mode, expected in ((Mode.MIGRATE, Tally(migrated=1)), (Mode.VERIFY, Tally(current=1))):
        world.plan(world.job(mode))
        assert _run(world, _pass(world, mode)) == [expected]


def test_unreadable_rows_keep_their_token_and_are_named_once(db: Database) -> None:
    secrets = new_secrets(8)
    world = rotating(db, secrets=secrets)
    table = world.table
    stranger = seal(secrets[1], owner=2, key=generate_key(), now=SEALED_AT)
    token = stored(world.db)[4][0] or ""
    flipped = token[:60] + ("A" if token[60] != "A" else "B") + token[61:]
    run_sql(
        world.db,
        f"UPDATE {table} SET token = '{stranger}', key_id = NULL WHERE id = 2",
        f"UPDATE {table} SET token = 'not a token' WHERE id = 3",
        f"UPDATE {table} SET token = '{flipped}' WHERE id = 4",
        f"UPDATE {table} SET token = (SELECT token FROM {table} WHERE id = 6) WHERE id = 5",
    )
    before = stored(world.db)
    world.plan(world.job(Mode.MIGRATE))
    tallies = _run(world, _pass(world, Mode.MIGRATE))
    assert tallies == [Tally(migrated=1, unknown=1, corrupt=2), Tally(migrated=3, corrupt=1)]
    after = stored(world.db)
    assert {n: after[n][1:] for n in (2, 3, 4, 5)} == {
        2: (None, "unknown"),
        3: (None, "corrupt"),
        4: (None, "corrupt"),
        5: (None, "corrupt"),
    }
    assert all(after[n][0] == before[n][0] for n in (2, 3, 4, 5))
    with world.db.read() as connection:
        counts = read_counts(connection)
        lines = audit.read(connection, action="rows.unreadable")
    assert (counts.under(world.new.id), counts.unknown, counts.corrupt) == (4, 1, 3)
    named = {"unknown-key": [2], "malformed": [3], "tampered": [4]}
    assert [line.detail["rows"] for line in reversed(lines)] == [named, {"swapped": [5]}]
    assert {(line.actor, line.subject, line.detail["mode"]) for line in lines} == {
        ("rotation", OWN_TABLE, "migrate")
    }
    # They are tried again, in case a key has come back, and not named again.
    world.plan(world.job(Mode.MIGRATE), again=True)
    assert _run(world, _pass(world, Mode.MIGRATE)) == [Tally(unknown=1, corrupt=3)]
    world.plan(world.job(Mode.VERIFY))
    _run(world, _pass(world, Mode.VERIFY))
    with world.db.read() as connection:
        assert len(audit.read(connection, action="rows.unreadable")) == len(lines)


def test_a_row_whose_key_came_back_is_migrated_and_loses_its_fault(db: Database) -> None:
    secrets = new_secrets(2)
    world = rotating(db, secrets=secrets)
    lost = generate_key()
    table = world.table
    token = seal(secrets[0], owner=1, key=lost, now=SEALED_AT)
    run_sql(world.db, f"UPDATE {table} SET token = '{token}', key_id = NULL WHERE id = 1")
    world.plan(world.job(Mode.MIGRATE))
    assert _run(world, _pass(world, Mode.MIGRATE)) == [Tally(migrated=1, unknown=1)]
    world.plan(world.job(Mode.MIGRATE), again=True)
    more = HeldKeys([world.new, world.old, lost])
    assert _run(world, _pass(world, Mode.MIGRATE, treatment(OWN_TABLE, more, world.new.id))) == [
        Tally(migrated=1)
    ]
    assert stored(world.db)[1][1:] == (world.new.id, None)
    assert opened(world.db, world.new) == dict(enumerate(secrets, 1))


def test_a_row_that_names_a_key_which_nobody_has_keeps_that_hint(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(2))
    before = stored(world.db)
    world.plan(world.job(Mode.MIGRATE))
    only_new = treatment(OWN_TABLE, HeldKeys([world.new]), world.new.id)
    assert _run(world, _pass(world, Mode.MIGRATE, only_new)) == [Tally(unknown=2)]
    assert stored(world.db) == before


def test_a_verification_mends_hints_and_rewrites_what_the_hint_hid(db: Database) -> None:
    secrets = new_secrets(3)
    world = rotating(db, secrets=secrets)
    table = world.table
    token = seal(secrets[1], owner=2, key=world.new, now=SEALED_AT)
    run_sql(
        world.db,
        f"UPDATE {table} SET key_id = '{world.new.id}' WHERE id = 1",  # under the old key in truth
        f"UPDATE {table} SET token = '{token}', key_id = NULL WHERE id = 2",  # under the new one in truth
    )
    world.plan(world.job(Mode.VERIFY))
    assert _run(world, _pass(world, Mode.VERIFY)) == [Tally(migrated=2, current=1)]
    assert {hint for _, hint, _ in stored(world.db).values()} == {world.new.id}
    assert stored(world.db)[2][0] == token
    assert opened(world.db, world.new) == dict(enumerate(secrets, 1))


def test_another_write_key_stops_the_worker_before_it_changes_a_row(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(ROWS))
    world.plan(world.job(Mode.MIGRATE))
    third = generate_key()
    work = _pass(world, Mode.MIGRATE, _interrupted(world, lambda: promote_to(world, third)))
    with pytest.raises(SupersededError) as caught:
        _run(world, work)
    assert caught.value.message == (
        f"Rotation {world.rotation_id} leads to key {world.new.id}, but key {third.id} writes."
    )
    assert caught.value.exit_code == EXIT_RETRY
    assert {hint for _, hint, _ in stored(world.db).values()} == {world.old.id}


def test_a_worker_without_the_write_key_does_not_begin(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(1))
    job = world.job(Mode.MIGRATE)
    world.plan(job)
    with pytest.raises(SupersededError) as caught:
        run_shards(world.db, HeldKeys([world.old]), job)
    assert caught.value.message == (
        f"This worker does not hold key {world.new.id}, which rows are to come under."
    )
    assert caught.value.remedy == "Start it again with the present keyring."


def test_a_pass_that_is_not_planned_is_not_begun(sqlite_db: Database) -> None:
    world = rotating(sqlite_db, secrets=new_secrets(1))
    with pytest.raises(SupersededError, match=r"has no plan to verify mfa_factors\.$"):
        run_shards(world.db, world.keys, world.job(Mode.VERIFY))


def test_two_workers_on_one_shard_count_no_row_twice(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(ROWS))
    world.plan(world.job(Mode.VERIFY))
    other = _pass(world, Mode.VERIFY)
    work = _pass(world, Mode.VERIFY, _interrupted(world, lambda: _run(world, other, stop_after=2)))
    assert [tally.migrated for tally in _run(world, work)] == [3]
    with world.db.read() as connection:
        (shard,) = read_shards(connection, world.rotation_id)
    assert (shard.tally, shard.done) == (Tally(migrated=ROWS), True)


def test_a_worker_whose_shard_another_one_has_finished_is_done(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(ROWS))
    world.plan(world.job(Mode.MIGRATE))
    other = _pass(world, Mode.MIGRATE)
    work = _pass(world, Mode.MIGRATE, _interrupted(world, lambda: _run(world, other)))
    assert _run(world, work) == []


def test_a_rotation_that_is_removed_while_it_is_worked_on_ends_the_worker(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(ROWS))
    world.plan(world.job(Mode.MIGRATE))

    def forget() -> None:
        with world.db.write() as connection:
            connection.execute(delete(shards))

    with pytest.raises(SupersededError, match="Another worker has gone on"):
        _run(world, _pass(world, Mode.MIGRATE, _interrupted(world, forget)))


def test_rows_that_are_enrolled_during_the_pass_are_current(db: Database) -> None:
    world = rotating(db, secrets=new_secrets(6))
    world.plan(world.job(Mode.MIGRATE), shards=2)
    work = _pass(
        world,
        Mode.MIGRATE,
        _interrupted(world, lambda: enroll(world.db, new_secrets(3), key=world.new, first=7)),
    )
    assert sum(tally.migrated for tally in _run(world, work)) == 6
    world.plan(world.job(Mode.VERIFY))
    assert sum(tally.current for tally in _run(world, _pass(world, Mode.VERIFY))) == 9


def test_an_empty_table_is_done_at_once(db: Database) -> None:
    world = rotating(db)
    job = world.job(Mode.MIGRATE)
    world.plan(job)
    assert run_shards(world.db, world.keys, job) == Report(finished=True, tally=Tally())
    with world.db.read() as connection:
        assert [shard.done for shard in read_shards(connection, world.rotation_id)] == [True]


def test_a_row_that_never_stops_changing_is_given_up(postgres_db: Database) -> None:
    world = rotating(postgres_db, secrets=new_secrets(2))
    world.plan(world.job(Mode.MIGRATE))
    treat = treatment(OWN_TABLE, world.keys, world.new.id)

    def treated(cells: Cells) -> Treated:
        again = seal(new_secrets(1)[0], owner=2, key=world.old, now=SEALED_AT)
        run_sql(postgres_db, f"UPDATE {world.table} SET token = '{again}' WHERE id = 2")
        return treat(cells)

    with pytest.raises(RetryableError) as caught:
        _run(world, _pass(world, Mode.MIGRATE, treated))
    assert caught.value.message == "Rows of mfa_factors change faster than they can be re-encrypted."
    assert {hint for _, hint, _ in stored(postgres_db).values()} == {world.old.id}


@pytest.mark.parametrize("seconds", [BUSY_SECONDS, BUSY_SECONDS + 2])
def test_a_page_that_meets_locks_is_tried_again_for_some_minutes(
    sqlite_db: Database, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    world = rotating(sqlite_db, secrets=new_secrets(2))
    world.plan(world.job(Mode.MIGRATE))
    now = 1.0

    def pause(span: float) -> None:
        nonlocal now
        now += span

    def write(db: Database, work: Pass, shard: Shard, page: Page) -> Tally:
        if now <= seconds:
            raise BusyError("Another transaction holds a lock.", remedy="Try again.")
        return write_page(db, work, shard, page)

    monkeypatch.setattr(worker, "write_page", write)
    monkeypatch.setattr(worker, "sleep", pause)
    monkeypatch.setattr(worker, "monotonic", lambda: now)
    if seconds == BUSY_SECONDS:
        assert _run(world, _pass(world, Mode.MIGRATE)) == [Tally(migrated=2)]
    else:
        with pytest.raises(BusyError):
            _run(world, _pass(world, Mode.MIGRATE))


def test_a_row_in_an_open_transaction_holds_up_no_other_rows_user(postgres_db: Database) -> None:
    world = rotating(postgres_db, secrets=new_secrets(PAGE))
    world.plan(world.job(Mode.MIGRATE))
    pages: list[Tally] = []
    running = threading.Thread(target=lambda: pages.extend(_run(world, _pass(world, Mode.MIGRATE))))
    with postgres_db.write() as somebody:
        somebody.execute(select(factors.c.id).where(factors.c.id == PAGE).with_for_update())
        running.start()
        until(lambda: _waiting(postgres_db), "the page to wait for the last row")
        # Log-ins wait longer than a page does.
        with postgres_db.write(lock_timeout=timedelta(seconds=20)) as log_in:
            log_in.execute(update(factors).where(factors.c.id == 1).values(last_step=1))
        assert pages == []
    running.join()
    assert pages == [Tally(migrated=PAGE)]


def _waiting(db: Database) -> bool:
    with db.read() as connection:
        return bool(connection.scalar(text("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")))
