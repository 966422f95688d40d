"""What administrators ask to be done to many users: done once to each, whatever goes wrong on the way."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest
from sqlalchemy import delete, select, update

from practicus_mfa.core.login.rights import Action
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.errors import NotReadyError, UnreachableError, UsageError
from practicus_mfa.login import bulk, bulk_migration
from practicus_mfa.login.acts import one
from practicus_mfa.login.acts.by import By, Outcome
from practicus_mfa.login.administer import set_password
from practicus_mfa.login.bulk import AT_ONCE, MOST_IDS, Runner
from practicus_mfa.login.bulk_run import NOTABLE, Run, Stop
from practicus_mfa.login.bulk_work import IDLE_SECONDS, BulkWork
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.storage import bulk_runs, factors, rotations, schema, sessions
from practicus_mfa.storage.claims import guarded_write
from practicus_mfa.storage.user_list import Wanted
from tests.support.logging_in import Desk
from tests.support.people import NEW, OLD, OTHER, PASSWORD, People, audited, let_write
from tests.support.stores import add_user, claimed, lagging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from practicus_mfa.storage.engine import Database
    from practicus_mfa.storage.transaction import Transaction


class Hall:
    """A database with an administrator and many users."""

    def __init__(self, db: Database) -> None:
        """Let a key write, and add the administrator."""
        self.db = db
        let_write(db, OLD)
        self.root = People(db).add("root", is_superuser=True)
        self.by = By(account_id=self.root.id, username="root", address="203.0.113.9")
        self.held = HeldKeys([OLD, NEW])

    def runner(self, name: str = "one", db: Database | None = None) -> Runner:
        """A replica's worker."""
        return Runner(db=db or self.db, name=name, keys=lambda: self.held, treatment=treatment)

    def users(self, count: int, *, staff: bool = False) -> list[int]:
        """Add users; return their ids."""
        with self.db.write() as connection:
            return [add_user(connection, staff=staff) for _ in range(count)]

    def start(self, action: Action, selection: list[int] | Wanted) -> Run:
        """Ask for something."""
        return bulk.start(self.runner(), self.by, action, selection)

    def run(self, run_id: int) -> Run:
        """The run as it is now."""
        with self.db.read() as connection:
            found = bulk.find(connection, run_id)
        assert found is not None
        return found

    def to_the_end(self, runner: Runner, *, steps: int = 100) -> None:
        """Step until there is nothing more."""
        for _ in range(steps):
            if not bulk.step(runner):
                return
        raise AssertionError("it does not come to an end")

    def active(self) -> Counter[bool]:
        """How many users may log in."""
        with self.db.read() as connection:
            return Counter(connection.execute(select(schema.users.c.is_active)).scalars())

    def told(self, action: str) -> Counter[str]:
        """Of whom the audit tells that something was done, and how often."""
        return Counter(line[2] for line in audited(self.db) if line[1] == action)


@pytest.fixture
def hall(db: Database, monkeypatch: pytest.MonkeyPatch) -> Hall:
    """The place, on each database in turn, where a claim is over when the test says so."""
    monkeypatch.setattr(bulk_runs, "CLAIM", timedelta(hours=1))
    return Hall(db)


def test_few_are_done_within_the_request(hall: Hall) -> None:
    ids = hall.users(AT_ONCE - 1)
    run = hall.start(Action.DISABLE, [*ids, hall.root.id, ids[0]])
    assert (run.total, run.done, run.done_at) == (AT_ONCE, 0, None)
    # The thread leaves it to the request.
    assert not bulk.step(hall.runner())
    done = bulk.finish_now(hall.runner(), run.id)
    assert done is not None
    assert done.done_at is not None
    assert done == hall.run(run.id)
    assert (done.total, done.done, done.actor) == (AT_ONCE, AT_ONCE, "root")
    assert done.counts == {Outcome.DISABLED: AT_ONCE - 1, Outcome.LAST_SUPERUSER: 1}
    assert done.notable == (("root", Outcome.LAST_SUPERUSER),)
    assert hall.active() == {False: AT_ONCE - 1, True: 1}


def test_more_are_done_by_whoever_comes(hall: Hall) -> None:
    hall.users(AT_ONCE + 60)
    run = hall.start(Action.DISABLE, Wanted(search=""))
    assert run.total == AT_ONCE + 61
    assert bulk.finish_now(hall.runner(), run.id) == hall.run(run.id)
    assert hall.run(run.id).done == 0
    hall.to_the_end(hall.runner("two"))
    assert hall.run(run.id).counts == {Outcome.DISABLED: AT_ONCE + 60, Outcome.LAST_SUPERUSER: 1}
    assert set(hall.told("user.disable").values()) == {1}
    assert len(hall.told("user.disable")) == AT_ONCE + 60


def test_each_line_says_of_which_run_it_is(hall: Hall) -> None:
    (user,) = hall.users(1)
    run = hall.start(Action.DISABLE, [user])
    bulk.finish_now(hall.runner(), run.id)
    with hall.db.read() as connection:
        details = connection.execute(
            select(schema.audit.c.detail).where(schema.audit.c.action == "user.disable")
        )
        assert details.scalars().all() == [{"address": "203.0.113.9", "run": run.id}]


class Dying:
    """A database whose process dies before the commit of its n-th writing transaction."""

    def __init__(self, db: Database, *, lives: int) -> None:
        self._db, self.lives = db, lives

    @contextmanager
    def write(self, **how: object) -> Iterator[Transaction]:
        with self._db.write(**how) as connection:  # type: ignore[arg-type]
            yield connection
            self.lives -= 1
            if self.lives < 0:
                raise KeyboardInterrupt

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)


@pytest.mark.parametrize("action", [Action.DISABLE, Action.MIGRATE_KEY])
def test_a_worker_that_dies_loses_nothing_and_repeats_nothing(
    hall: Hall, action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_migration, "BATCH", 7)
    ids = hall.users(AT_ONCE + 1)
    run = hall.start(action, ids)
    for lives in range(6):
        dying = cast("Database", Dying(hall.db, lives=lives))
        with pytest.raises(KeyboardInterrupt):
            hall.to_the_end(hall.runner(f"dying {lives}", dying))
        _let_the_claim_expire(hall.db)
        assert hall.run(run.id).done_at is None
    assert hall.run(run.id).done > 0
    hall.to_the_end(hall.runner("living"))
    done = hall.run(run.id)
    assert (done.done, done.done_at is None) == (AT_ONCE + 1, False)
    told = hall.told("user.disable" if action is Action.DISABLE else "mfa.migrate-key")
    assert (len(told), set(told.values())) == (AT_ONCE + 1, {1})


def _let_the_claim_expire(db: Database) -> None:
    with db.write() as connection:
        past = schema.bulk_runs.c.created_at
        connection.execute(update(schema.bulk_runs).values(worker_until=past))


def test_nobody_takes_up_what_somebody_is_at_until_that_one_is_silent(hall: Hall) -> None:
    run = hall.start(Action.DISABLE, hall.users(AT_ONCE + 100))
    assert bulk.step(hall.runner("one"))
    assert not bulk.step(hall.runner("two"))
    done = hall.run(run.id).done
    assert 0 < done < AT_ONCE + 100
    _let_the_claim_expire(hall.db)
    assert bulk.step(hall.runner("two"))
    assert hall.run(run.id).done == AT_ONCE + 100
    assert not bulk.step(hall.runner("one"))


def test_who_ends_leaves_its_run_to_others_at_once(hall: Hall) -> None:
    hall.start(Action.DISABLE, hall.users(AT_ONCE + 100))
    work = BulkWork(hall.runner("one"))
    assert work.step() == 0.0
    assert not bulk.step(hall.runner("two"))
    work.leave()
    assert bulk.step(hall.runner("two"))


def test_who_is_told_to_end_begins_with_no_other_user(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    run = hall.start(Action.DISABLE, hall.users(AT_ONCE + 100))
    work, act_named = BulkWork(hall.runner("one")), one.act_named

    def told_meanwhile(connection: Transaction, by: By, action: Action, user_id: int) -> tuple[Outcome, str]:
        work.end()
        return act_named(connection, by, action, user_id)

    monkeypatch.setattr(one, "act_named", told_meanwhile)
    work.step()
    assert hall.run(run.id).done == 1


def test_workers_at_once_do_each_user_once(postgres_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a worker says is not believed: the locks alone keep them apart.
    monkeypatch.setattr(bulk_runs, "CLAIM", timedelta(0))
    hall = Hall(postgres_db)
    runs = [hall.start(action, Wanted()) for action in (Action.DISABLE, Action.MIGRATE_KEY)]
    hall.users(120)
    runs += [hall.start(action, Wanted()) for action in (Action.DISABLE, Action.MIGRATE_KEY)]
    ended = threading.Event()

    def work(name: str) -> None:
        while not ended.is_set():
            bulk.step(hall.runner(name))
            if all(hall.run(run.id).done_at for run in runs):
                ended.set()

    threads = [threading.Thread(target=work, args=(f"worker {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [hall.run(run.id).done for run in runs] == [1, 1, 121, 121]
    assert set(hall.told("user.disable").values()) == {1}
    assert Counter(hall.told("mfa.migrate-key").values()) == {1: 120, 2: 1}


def test_whoever_came_after_the_question_is_not_meant(hall: Hall) -> None:
    hall.users(AT_ONCE + 5)
    run = hall.start(Action.DISABLE, Wanted())
    late = hall.users(3)
    hall.to_the_end(hall.runner())
    assert hall.run(run.id).done == AT_ONCE + 6
    with hall.db.read() as connection:
        active = select(schema.users.c.is_active).where(schema.users.c.id.in_(late))
        assert set(connection.execute(active).scalars()) == {True}


def test_users_who_are_gone_or_changed_meanwhile_are_told_of(hall: Hall) -> None:
    ids = hall.users(4)
    run = hall.start(Action.DISABLE, ids)
    with hall.db.write() as connection:
        connection.execute(delete(schema.users).where(schema.users.c.id == ids[1]))
        connection.execute(update(schema.users).where(schema.users.c.id == ids[2]).values(is_active=False))
    done = bulk.finish_now(hall.runner(), run.id)
    assert done is not None
    assert done.counts == {Outcome.DISABLED: 2, Outcome.DISABLED_BEFORE: 1, Outcome.GONE: 1}
    assert done.notable == ()


@pytest.mark.parametrize("action", [Action.DISABLE, Action.MIGRATE_KEY])
@pytest.mark.parametrize("change", [{"is_superuser": False}, {"is_active": False}])
def test_who_is_no_administrator_any_more_does_nothing_more(
    hall: Hall, action: Action, change: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH", 20)
    monkeypatch.setattr(bulk_migration, "BATCH", 20)
    run = hall.start(action, hall.users(AT_ONCE + 1))
    bulk.step(hall.runner())
    with hall.db.write() as connection:
        connection.execute(update(schema.users).where(schema.users.c.id == hall.root.id).values(change))
    hall.to_the_end(hall.runner())
    stopped = hall.run(run.id)
    assert stopped.stopped is Stop.NO_ADMINISTRATOR
    assert stopped.done_at is not None
    assert stopped.done == 20


def test_staff_do_nothing_to_administrators(hall: Hall) -> None:
    stan = People(hall.db).add("stan", is_staff=True)
    hall.by = By(account_id=stan.id, username="stan")
    plain, others = hall.users(2), hall.users(NOTABLE + 3, staff=True)
    for action, good in ((Action.DISABLE, Outcome.DISABLED), (Action.MIGRATE_KEY, Outcome.NO_MFA)):
        run = hall.start(action, [*plain, *others])
        done = bulk.finish_now(hall.runner(), run.id)
        assert done is not None
        assert done.counts == {good: 2, Outcome.SUPERUSERS_ONLY: NOTABLE + 3}
        assert len(done.notable) == NOTABLE
        assert {outcome for _, outcome in done.notable} == {Outcome.SUPERUSERS_ONLY}


def test_the_acting_session_goes_on_in_a_run_too(hall: Hall) -> None:
    desk = Desk(hall.db)
    set_password(hall.db, "root", PASSWORD, actor="test")
    kept = desk.current(desk.log_in("root")).session.id
    desk.log_in("root")
    hall.by = replace(hall.by, session_id=kept)
    run = hall.start(Action.END_SESSIONS, [hall.root.id])
    done = bulk.finish_now(hall.runner(), run.id)
    assert done is not None
    assert done.counts == {Outcome.SESSIONS_ENDED: 1}
    with hall.db.read() as connection:
        assert [session.id for session in sessions.of_user(connection, hall.root.id)] == [kept]


def _enrolled(hall: Hall, *names: str) -> list[int]:
    return [People(hall.db).add(name, key=OLD).id for name in names]


def test_keys_are_migrated_and_each_outcome_is_told(hall: Hall) -> None:
    fine, broken, stays = _enrolled(hall, "fine", "broken", "stays")
    (none,) = hall.users(1)
    let_write(hall.db, OTHER)
    lost = People(hall.db).add("lost", key=OTHER).id
    let_write(hall.db, NEW)
    active = People(hall.db).add("active", key=NEW).id
    with hall.db.write() as connection:
        mine = schema.factors.c.user_id == broken
        connection.execute(update(schema.factors).where(mine).values(token="broken"))
    run = hall.start(Action.MIGRATE_KEY, [fine, broken, none, lost, active])
    done = bulk.finish_now(hall.runner(), run.id)
    assert done is not None
    assert done.counts == {
        Outcome.NO_MFA: 1,
        Outcome.MIGRATED: 1,
        Outcome.ACTIVE: 1,
        Outcome.UNDECRYPTABLE: 2,
    }
    assert done.notable == (("broken", Outcome.UNDECRYPTABLE), ("lost", Outcome.UNDECRYPTABLE))
    with hall.db.read() as connection:
        found = [factors.of_user(connection, user)[0].key_id for user in (fine, stays)]
    assert found == [NEW.id, OLD.id]
    assert hall.told("mfa.migrate-key")["fine"] == 1


def test_whoever_is_on_the_rolling_key_is_migrated_though_the_filter_fits_fewer_each_time(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_migration, "BATCH", 2)
    monkeypatch.setattr(bulk, "AT_ONCE", 0)
    _enrolled(hall, *"abcde")
    let_write(hall.db, NEW)
    run = hall.start(Action.MIGRATE_KEY, Wanted(on_rolling_key=True))
    assert run.total == 5
    hall.to_the_end(hall.runner())
    assert hall.run(run.id).counts == {Outcome.MIGRATED: 5}


def test_before_a_rotation_s_promotion_it_says_how_many_replicas_are_waited_for(hall: Hall) -> None:
    ids = _enrolled(hall, "anna", "bob")
    with guarded_write(hall.db, claimed(hall.db)) as connection:
        rotations.start_rotation(connection, NEW.id)
    lagging(hall.db, "lags", OLD.id)
    lagging(hall.db, "knows", OLD.id, NEW.id)
    run = hall.start(Action.MIGRATE_KEY, ids)
    done = bulk.finish_now(hall.runner(), run.id)
    assert done is not None
    assert (done.stopped, done.waiting, done.done) == (Stop.WAITING, 1, 0)
    assert done.done_at is not None


def test_where_no_key_writes_yet_nobody_waits_for_ever(db: Database) -> None:
    root = People(db).add("root", is_superuser=True)
    runner = Runner(db=db, name="one", keys=lambda: HeldKeys([]), treatment=treatment)
    run = bulk.start(runner, By(account_id=root.id, username="root"), Action.MIGRATE_KEY, [root.id])
    done = bulk.finish_now(runner, run.id)
    assert done is not None
    assert (done.stopped, done.waiting) == (Stop.WAITING, 0)


def test_a_replica_that_may_open_nothing_leaves_the_run_to_others(hall: Hall) -> None:
    ids = _enrolled(hall, "anna")
    let_write(hall.db, NEW)
    run = hall.start(Action.MIGRATE_KEY, ids)

    def no_lease() -> HeldKeys:
        raise NotReadyError("There is no lease.", remedy="-")

    lame = replace(hall.runner("lame"), keys=no_lease)
    later = bulk.finish_now(lame, run.id)
    assert later is not None
    assert later.done_at is None
    assert BulkWork(lame).step() == IDLE_SECONDS
    lagging = replace(hall.runner("lagging"), keys=lambda: HeldKeys([OLD]))
    assert BulkWork(lagging).step() == IDLE_SECONDS
    assert bulk.step(hall.runner())
    assert hall.run(run.id).counts == {Outcome.MIGRATED: 1}


def test_a_database_that_is_away_is_waited_for() -> None:
    class Away:
        def read(self) -> None:
            raise UnreachableError("The database is away.", remedy="-")

        write = read

    away = cast("Database", Away())
    work = BulkWork(Runner(db=away, name="one", keys=lambda: HeldKeys([]), treatment=treatment))
    assert work.step() == IDLE_SECONDS
    work.leave()


def test_a_run_that_fails_does_not_keep_others_waiting(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = hall.users(AT_ONCE + 1)
    broken, fine = (hall.start(action, ids) for action in (Action.ENABLE, Action.DISABLE))
    real = one.act_named

    def failing(connection: Transaction, by: By, action: Action, user_id: int) -> tuple[Outcome, str]:
        if action is Action.ENABLE:
            raise ValueError(user_id)
        return real(connection, by, action, user_id)

    monkeypatch.setattr(one, "act_named", failing)
    with pytest.raises(ValueError, match=str(ids[0])):
        bulk.step(hall.runner())
    bulk.step(hall.runner())
    assert [hall.run(run.id).done for run in (broken, fine)] == [0, AT_ONCE + 1]


def test_what_cannot_be_asked_for_is_refused(hall: Hall) -> None:
    kim = People(hall.db).add("kim")
    for selection in ([], list(range(MOST_IDS + 1))):
        with pytest.raises(UsageError, match="Choose 1 to 1000 users"):
            hall.start(Action.DISABLE, selection)
    with pytest.raises(UsageError, match="one user at a time"):
        hall.start(Action.SETUP_LINK, [kim.id])
    hall.by = By(account_id=kim.id, username="kim")
    with pytest.raises(UsageError, match="no administrator any more"):
        hall.start(Action.DISABLE, [kim.id])
    assert not bulk.step(hall.runner())


def test_what_ended_long_ago_is_deleted(hall: Hall) -> None:
    old, recent, open_one = (hall.start(Action.UNLOCK, [hall.root.id]).id for _ in range(3))
    with hall.db.write() as connection:
        for run, days in ((old, 31), (recent, 29)):
            bulk_runs.end(connection, run)
            mine = schema.bulk_runs.c.id == run
            ended = connection.execute(select(schema.bulk_runs.c.done_at).where(mine)).scalar_one()
            connection.execute(
                update(schema.bulk_runs).where(mine).values(done_at=ended - timedelta(days=days))
            )
        assert bulk_runs.delete_old(connection) == 1
        assert [bulk.find(connection, run) is None for run in (old, recent, open_one)] == [True, False, False]
