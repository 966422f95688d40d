"""What administrators do on the pages: judged at that moment, told, and with what belongs to it."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from practicus_mfa.core.login.rights import Action
from practicus_mfa.crypto.passwords import verify_password
from practicus_mfa.login import setup_link, throttling
from practicus_mfa.login.acts import one
from practicus_mfa.login.acts.by import By, Outcome, by
from practicus_mfa.login.acts.profile import Profile, edit, profile
from practicus_mfa.login.administer import set_password
from practicus_mfa.storage import accounts, audit, devices, groups, schema, sessions
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.users import User
from tests.support.logging_in import HOME, Desk
from tests.support.people import PASSWORD, People
from tests.support.waiting import until

if TYPE_CHECKING:
    from practicus_mfa.login.session_start import LoggedIn
    from practicus_mfa.storage.engine import Database
    from practicus_mfa.storage.transaction import Transaction

ADDRESS = "203.0.113.9"

ROLES: dict[str, dict[str, bool]] = {
    "nobody": {},
    "disabled staff": {"is_staff": True, "is_active": False},
    "staff": {"is_staff": True},
    "superuser": {"is_superuser": True},
}
TARGETS: dict[str, dict[str, bool]] = {
    "plain": {},
    "staff": {"is_staff": True},
    "superuser": {"is_superuser": True},
}


@pytest.fixture
def desk(db: Database) -> Desk:
    """A log-in service."""
    return Desk(db)


def acting(user: User, session_id: int | None = None) -> By:
    """An administrator at the pages."""
    return By(account_id=user.id, username=user.username, address=ADDRESS, session_id=session_id)


def done(db: Database, who: By, action: Action, user_id: int) -> Outcome:
    """Do one thing to one user."""
    with db.write() as connection:
        if action is Action.SETUP_LINK:
            issued = one.setup_link(connection, who, user_id)
            return issued if isinstance(issued, Outcome) else Outcome.SAVED
        if action in one.ACTS:
            return one.act(connection, who, action, user_id)
        return _edited(connection, who, action, user_id)


def _edited(connection: Transaction, who: By, action: Action, user_id: int) -> Outcome:
    seen = profile(connection, user_id)
    assert seen is not None
    wanted = {
        Action.EDIT: Profile(
            name="Kim", is_staff=seen.is_staff, is_superuser=seen.is_superuser, groups=seen.groups
        ),
        Action.SET_ROLES: Profile(is_staff=not seen.is_staff, is_superuser=False),
        Action.SET_GROUPS: Profile(
            is_staff=seen.is_staff, is_superuser=seen.is_superuser, groups=("payroll",)
        ),
    }[action]
    return edit(connection, who, user_id, seen=seen, wanted=wanted)


def lines(db: Database) -> list[tuple[str, str, str, dict[str, object]]]:
    """The audit, oldest first."""
    with db.read() as connection:
        found = audit.read(connection)
    return [(line.actor, line.action, line.subject, dict(line.detail)) for line in reversed(found)]


def session_ids(db: Database, user: User) -> set[int]:
    """The sessions of a user."""
    with db.read() as connection:
        return {session.id for session in sessions.of_user(connection, user.id)}


JUDGED = [action for action in Action if action is not Action.MIGRATE_KEY]


def test_the_matrix_of_actors_targets_and_acts(db: Database) -> None:
    # Another superuser is there throughout, so nobody here is the last one but where that is said.
    people = People(db)
    people.add("other", is_superuser=True)
    with db.write() as connection:
        groups.create(connection, "payroll")
    for number, (role, kind, action) in enumerate(itertools.product(ROLES, TARGETS, JUDGED)):
        actor = people.add(f"actor{number}", key=None, **ROLES[role])
        target = people.add(f"target{number}", key=None, **TARGETS[kind])
        before = _row(db, target)
        outcome = done(db, acting(actor), action, target.id)
        allowed = role == "superuser" or (
            role == "staff" and kind == "plain" and action not in {Action.SET_ROLES, Action.SET_GROUPS}
        )
        if role in {"nobody", "disabled staff"}:
            assert outcome is Outcome.NO_ADMINISTRATOR, (role, kind, action)
        elif not allowed:
            assert outcome is Outcome.SUPERUSERS_ONLY, (role, kind, action)
        else:
            assert not outcome.refused, (role, kind, action)
        if not allowed:
            assert _row(db, target) == before, (role, kind, action)


def _row(db: Database, user: User) -> tuple[object, ...]:
    with db.read() as connection:
        row = connection.execute(select(schema.users).where(schema.users.c.id == user.id)).one()
        account = accounts.account(connection, user.id)
        assert account is not None
        link = connection.execute(
            select(schema.setup_links.c.token_hash).where(schema.setup_links.c.user_id == user.id)
        ).first()
        return (*row, account.groups, link)


@pytest.mark.parametrize("action", [Action.DISABLE, Action.SET_ROLES])
def test_nobody_locks_the_own_account_and_the_last_superuser_stays(db: Database, action: Action) -> None:
    people = People(db)
    root = people.add("root", is_superuser=True)
    other = people.add("other", is_superuser=True)
    assert done(db, acting(root), action, root.id) is Outcome.OWN_ACCOUNT
    assert done(db, acting(root), Action.DISABLE, other.id) is Outcome.DISABLED
    assert done(db, acting(root), action, root.id) is Outcome.LAST_SUPERUSER
    assert people.get("root") == root


def test_of_two_superusers_who_disable_each_other_at_once_one_stays(postgres_db: Database) -> None:
    db, people = postgres_db, People(postgres_db)
    pair = [people.add(f"root{number}", is_superuser=True) for number in range(2)]
    for _ in range(10):
        start, outcomes = threading.Barrier(2), dict.fromkeys((0, 1), Outcome.GONE)

        def disable(me: int, start: threading.Barrier = start, told: dict[int, Outcome] = outcomes) -> None:
            start.wait()
            told[me] = done(db, acting(pair[me]), Action.DISABLE, pair[1 - me].id)

        threads = [threading.Thread(target=disable, args=(me,)) for me in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes.values()) == [Outcome.DISABLED, Outcome.NO_ADMINISTRATOR]
        with db.write() as connection:
            connection.execute(update(schema.users).values(is_active=True))


def test_an_act_waits_for_the_one_before_and_is_judged_after_it(postgres_db: Database) -> None:
    # The race above is seldom lost in time; here the other one is under way for certain.
    db, people = postgres_db, People(postgres_db)
    ada, ben = (people.add(name, is_superuser=True) for name in ("ada", "ben"))
    told: list[Outcome] = []
    with db.write() as connection:
        assert one.disable(connection, acting(ada), ben.id) is Outcome.DISABLED
        thread = threading.Thread(target=lambda: told.append(done(db, acting(ben), Action.DISABLE, ada.id)))
        thread.start()
        until(lambda: _waits(db), "somebody waits for a lock")
    thread.join()
    assert told == [Outcome.NO_ADMINISTRATOR]


def _waits(db: Database) -> bool:
    with db.read() as connection:
        waiting = "SELECT count(*) FROM pg_stat_activity "
        waiting += " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(connection.exec_driver_sql(waiting).scalar_one())


@pytest.fixture
def root(desk: Desk) -> tuple[User, LoggedIn]:
    """An administrator with MFA, logged in here and elsewhere."""
    user = desk.enrolled("root", is_superuser=True)
    set_password(desk.db, "root", PASSWORD, actor="test")
    desk.log_in("root")
    return user, desk.log_in("root")


def _logged_in(desk: Desk, name: str, **values: bool | str) -> User:
    user = desk.enrolled(name, **values)
    set_password(desk.db, name, PASSWORD, actor="test")
    desk.log_in(name)
    return user


@pytest.mark.parametrize(
    ("action", "outcome", "again", "line", "detail"),
    [
        (Action.REMOVE_MFA, Outcome.MFA_REMOVED, Outcome.NO_MFA, "mfa.remove", {"factors": 1}),
        (Action.DISABLE, Outcome.DISABLED, Outcome.DISABLED_BEFORE, "user.disable", {}),
        (Action.END_SESSIONS, Outcome.SESSIONS_ENDED, Outcome.NO_SESSION, "session.end-all", {"sessions": 1}),
    ],
)
def test_what_can_end_a_log_in_ends_it_and_is_told_once(
    desk: Desk,
    root: tuple[User, LoggedIn],
    action: Action,
    outcome: Outcome,
    again: Outcome,
    line: str,
    detail: dict[str, object],
) -> None:
    kim, who = _logged_in(desk, "kim"), acting(root[0])
    assert len(session_ids(desk.db, kim)) == 1
    told = lines(desk.db)
    assert done(desk.db, who, action, kim.id) is outcome
    assert session_ids(desk.db, kim) == set()
    assert done(desk.db, who, action, kim.id) is again
    assert lines(desk.db)[len(told) :] == [("root", line, "kim", {"address": ADDRESS, **detail})]


def test_half_a_log_in_ends_with_the_sessions(desk: Desk, root: tuple[User, LoggedIn]) -> None:
    kim = _logged_in(desk, "kim")
    half = desk.half("kim")
    done(desk.db, acting(root[0]), Action.END_SESSIONS, kim.id)
    assert type(desk.give_code(half, desk.code())).__name__ == "Expired"


@pytest.mark.parametrize("action", [Action.REMOVE_MFA, Action.END_SESSIONS])
def test_the_acting_session_goes_on_where_it_is_the_own_account(
    desk: Desk, root: tuple[User, LoggedIn], action: Action
) -> None:
    user, logged_in = root
    who = by(desk.current(logged_in).acting, HOME)
    assert who == By(account_id=user.id, username="root", address=HOME.address, session_id=who.session_id)
    assert len(session_ids(desk.db, user)) == 2
    done(desk.db, who, action, user.id)
    assert session_ids(desk.db, user) == {who.session_id}


def test_enabling_lets_somebody_log_in_again(desk: Desk, root: tuple[User, LoggedIn]) -> None:
    kim, who = _logged_in(desk, "kim", is_active=True), acting(root[0])
    done(desk.db, who, Action.DISABLE, kim.id)
    assert done(desk.db, who, Action.ENABLE, kim.id) is Outcome.ENABLED
    assert done(desk.db, who, Action.ENABLE, kim.id) is Outcome.ENABLED_BEFORE
    desk.log_in("kim")


def test_unlocking_tells_whether_somebody_was_stopped(desk: Desk, root: tuple[User, LoggedIn]) -> None:
    kim, who = _logged_in(desk, "kim"), acting(root[0])
    before = lines(desk.db)
    assert done(desk.db, who, Action.UNLOCK, kim.id) is Outcome.NOT_STOPPED
    assert lines(desk.db) == before
    half = desk.half("kim")
    desk.give_code(half, "000000")
    assert done(desk.db, who, Action.UNLOCK, kim.id) is Outcome.NOT_STOPPED
    for _ in range(5):
        desk.give_code(half, "000000")
    with desk.db.read() as connection:
        stopped = connection.execute(
            select(schema.attempts.c.user_id).where(schema.attempts.c.stopped_until.is_not(None))
        )
        assert set(stopped.scalars()) == {kim.id}
    assert done(desk.db, who, Action.UNLOCK, kim.id) is Outcome.UNLOCKED
    assert lines(desk.db)[-1] == ("root", "user.unlock", "kim", {"address": ADDRESS})
    assert not isinstance(desk.give_code(half, desk.code()), throttling.Stopped)


def test_each_counter_of_codes_says_whose_it_is(desk: Desk) -> None:
    kim = desk.people.add("kim")
    with desk.db.read() as connection:
        account = accounts.account(connection, kim.id)
    assert account is not None
    keys = [
        throttling.code_key(account, None),
        throttling.code_key(account, 7),
        throttling.recovery_key(account),
    ]
    assert [key.user_id for key in keys] == [kim.id] * 3


def test_a_counter_of_a_password_tells_nobody_whose_it_is(desk: Desk) -> None:
    desk.people.add("kim")
    desk.start("kim", "wrong password")
    with desk.db.read() as connection:
        assert set(connection.execute(select(schema.attempts.c.user_id)).scalars()) == {None}


def test_one_session_is_ended_and_known_browsers_are_forgotten(
    desk: Desk, root: tuple[User, LoggedIn]
) -> None:
    kim, who = _logged_in(desk, "kim"), acting(root[0])
    desk.log_in("kim")
    first, second = sorted(session_ids(desk.db, kim))
    with desk.db.write() as connection:
        assert one.end_session(connection, who, kim.id, first) is Outcome.SESSIONS_ENDED
        assert one.end_session(connection, who, kim.id, first) is Outcome.NO_SESSION
        (roots, *_) = session_ids(desk.db, root[0]) if not desk.db.is_sqlite else (0,)
        assert one.end_session(connection, who, kim.id, roots) is Outcome.NO_SESSION
    assert session_ids(desk.db, kim) == {second}
    with desk.db.write() as connection:
        devices.create(connection, kim.id, b"0" * 32, expires_at=database_now(connection) + timedelta(days=1))
        assert one.forget_devices(connection, who, kim.id) is Outcome.DEVICES_FORGOTTEN
        assert one.forget_devices(connection, who, kim.id) is Outcome.NO_DEVICE


def test_who_is_gone_is_said_to_be_gone(db: Database) -> None:
    root = People(db).add("root", is_superuser=True)
    for action in one.ACTS:
        assert done(db, acting(root), action, root.id + 1) is Outcome.GONE


def test_an_administrator_s_link_sets_a_password(desk: Desk, root: tuple[User, LoggedIn]) -> None:
    kim = desk.people.add("kim")
    with desk.db.write() as connection:
        issued = one.setup_link(connection, acting(root[0]), kim.id)
    assert isinstance(issued, setup_link.Issued)
    assert issued.token not in repr(issued)
    setup_link.use(desk.ctx, issued.token, password=PASSWORD, client=HOME)
    assert verify_password(PASSWORD, desk.people.get("kim").password_hash)
    assert ("root", "user.setup-link", "kim", {"address": ADDRESS}) in lines(desk.db)
