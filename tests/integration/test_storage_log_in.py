"""What logging in stores: looked up by index, used up once, and locked without waiting in a ring."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest
from sqlalchemy import Connection, Table, delete, event, func, insert, select, text, update

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.throttle import Counter, Kind
from practicus_mfa.storage import (
    accounts,
    attempts,
    devices,
    expiry,
    groups,
    half_logins,
    pending_factors,
    recovery_codes,
    schema,
    sessions,
    setup_links,
)
from practicus_mfa.storage.attempts import Key
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.sessions import NewSession, StoredSession
from tests.support.stores import add_factor, add_user

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

CALLERS: Final = 64
LATER: Final = datetime(2100, 1, 1, tzinfo=UTC)
BEFORE: Final = datetime(2020, 1, 1, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)


def hashed(what: object) -> bytes:
    """The hash of a token that is told by *what*."""
    return hashlib.sha256(str(what).encode()).digest()


def digest(what: object) -> str:
    return hashed(what).hex()


def at_once(work: Callable[[int], Result], callers: int = CALLERS) -> list[Result]:
    """Do *work* in so many threads at the same moment; return what each got."""
    together = threading.Barrier(callers)
    results: list[Result] = []
    failures: list[Exception] = []

    def one(number: int) -> None:
        together.wait()
        try:
            results.append(work(number))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told below
            failures.append(error)

    threads = [threading.Thread(target=one, args=[number]) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    return results


def new_session(
    user_id: int, token: str, *, verify: str | None = None, until: datetime = LATER
) -> NewSession:
    return NewSession(
        user_id=user_id,
        token_hash=hashed(token),
        verify_hash=None if verify is None else hashed(verify),
        remembered=False,
        expires_at=until,
        proved_at=BEFORE,
        second_factor_at=None,
        address="192.0.2.1",
        user_agent="a browser",
    )


def rows(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def key(subject: object = "anna", *, here: object = "", kind: Kind = Kind.PASSWORD_HERE) -> Key:
    return Key(counter=digest((kind, subject, here)), kind=kind, subject=digest(subject))


# Accounts


def test_an_account_knows_groups_and_enrolment(db: Database) -> None:
    with db.write() as connection:
        user, other = add_user(connection, staff=True), add_user(connection)
        for name in ("ops", "dev.team", "all"):
            groups.create(connection, name)
        groups.add(connection, "ops", [user])
        groups.add(connection, "dev.team", [user, other])
        found = accounts.account(connection, user)
        assert found is not None
        assert found == Account(
            id=user, username=found.username, groups=("dev.team", "ops"), is_staff=True, enrolled=False
        )
        assert accounts.account_named(connection, found.username.upper()) == (found, "")
        add_factor(connection, user, token="")
        assert accounts.account(connection, user) == found
        add_factor(connection, user, fault="unknown")
        assert accounts.account(connection, user) == replace(found, enrolled=True)
        assert accounts.locked_account(connection, user) == replace(found, enrolled=True)
        assert accounts.account(connection, 4711) is None
        assert accounts.locked_account(connection, 4711) is None
        assert accounts.account_named(connection, "nobody") is None


def test_the_end_of_a_grace_is_stored_once(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        accounts.set_enrol_by(connection, user, LATER)
        accounts.set_enrol_by(connection, user, BEFORE)
        found = accounts.account(connection, user)
        assert found is not None
        assert found.enrol_by == LATER


def test_a_hash_to_verify_in_vain_is_one_that_is_stored_and_always_the_same(db: Database) -> None:
    with db.write() as connection:
        assert accounts.some_password_hash(connection, digest("x")) == ""
        for number in range(50):
            user = add_user(connection)
            if number % 10 == 0:
                change = update(schema.users).where(schema.users.c.id == user)
                connection.execute(change.values(password_hash=f"hash {number}"))
        chosen = [accounts.some_password_hash(connection, digest(number)) for number in range(100)]
        assert chosen == [accounts.some_password_hash(connection, digest(number)) for number in range(100)]
        assert set(chosen) == {f"hash {number}" for number in range(0, 50, 10)}


# Sessions


def test_a_session_is_found_by_either_token_with_its_user(db: Database) -> None:
    with db.write() as connection:
        user, other = add_user(connection), add_user(connection)
        mine = sessions.create(connection, new_session(user, "a", verify="b"))
        plain = sessions.create(connection, new_session(other, "c"))
        now = database_now(connection)
        assert now - HOUR < mine.created_at <= now
        assert now - HOUR < mine.last_used_at <= now
    with db.read() as connection:
        found = sessions.load(connection, [hashed(token) for token in "abcd"])
        assert set(found) == {hashed(token) for token in "abc"}
        assert [found[hashed(token)].for_verify for token in "abc"] == [False, True, False]
        assert found[hashed("a")].session == found[hashed("b")].session == mine
        assert found[hashed("b")].account == accounts.account(connection, user)
        assert found[hashed("c")].session == plain
        assert sessions.load(connection, []) == {}


def test_a_session_past_its_end_is_none(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        sessions.create(connection, new_session(user, "over", until=BEFORE))
        lasting = sessions.create(connection, new_session(user, "lasting"))
        assert set(sessions.load(connection, [hashed("over"), hashed("lasting")])) == {hashed("lasting")}
        assert sessions.of_user(connection, user) == (lasting,)


def test_what_a_browser_calls_itself_is_cut(db: Database) -> None:
    with db.write() as connection:
        long = replace(new_session(add_user(connection), "a"), user_agent="\0" + "x" * 1_000)
        assert sessions.create(connection, long).user_agent == "x" * 256


def test_a_thousand_sessions_are_one_query(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        for number in range(1_000):
            sessions.create(connection, new_session(user, f"t{number}", verify=f"v{number}"))
    statements: list[str] = []
    with db.read() as connection:

        def keep(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        event.listen(connection, "before_cursor_execute", keep)
        assert len(sessions.load(connection, [hashed(f"v{number}") for number in range(1_000)])) == 1_000
    assert len(statements) == 1


def test_ended_sessions_are_gone(db: Database) -> None:
    with db.write() as connection:
        user, other = add_user(connection), add_user(connection)
        ids = [sessions.create(connection, new_session(user, f"{number}")).id for number in range(5)]
        stays = sessions.create(connection, new_session(other, "other")).id
        assert not sessions.end(connection, ids[0], user_id=other)
        assert sessions.end(connection, ids[0], user_id=user)
        assert not sessions.end(connection, ids[0], user_id=user)
        assert sessions.end_all(connection, user, but=ids[1]) == 3
        assert [one.id for one in sessions.of_user(connection, user)] == [ids[1]]
        assert sessions.end_all(connection, user) == 1
        assert [one.id for one in sessions.of_user(connection, other)] == [stays]


def test_a_renewed_session_goes_on_under_other_tokens(db: Database) -> None:
    with db.write() as connection:
        session = sessions.create(connection, new_session(add_user(connection), "a", verify="b"))
        assert sessions.renew(
            connection,
            session.id,
            token_hash=hashed("c"),
            verify_hash=None,
            proved_at=LATER,
            second_factor_at=LATER,
        )
        found = sessions.load(connection, [hashed(token) for token in "abc"])
        assert set(found) == {hashed("c")}
        assert found[hashed("c")].session == replace(
            session, token_hash=hashed("c"), verify_hash=None, proved_at=LATER, second_factor_at=LATER
        )


def _touched(connection: Connection, user: int) -> list[datetime]:
    by_id = sorted(sessions.of_user(connection, user), key=lambda session: session.id)
    return [session.last_used_at for session in by_id]


def test_a_last_use_never_goes_back(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        ids = [sessions.create(connection, new_session(user, f"{number}")).id for number in range(3)]
        began = _touched(connection, user)
        sessions.touch(connection, {ids[0]: LATER, ids[1]: LATER, 4711: LATER})
        sessions.touch(connection, {ids[0]: LATER - HOUR, ids[1]: LATER + HOUR, ids[2]: BEFORE})
        sessions.touch(connection, {})
        assert _touched(connection, user) == [LATER, LATER + HOUR, began[2]]


def test_replicas_that_note_and_end_the_same_sessions_do_not_wait_in_a_ring(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        ids = [sessions.create(connection, new_session(user, f"{number}")).id for number in range(200)]

    def work(number: int) -> None:
        order = ids if number % 2 else list(reversed(ids))
        with db.write() as connection:
            sessions.touch(connection, dict.fromkeys(order, LATER + number * HOUR))
            sessions.end_all(connection, user, but=ids[number])

    at_once(work, callers=12)
    with db.read() as connection:
        assert len(sessions.of_user(connection, user)) <= 1


def test_a_last_use_waits_for_nobody(postgres_db: Database) -> None:
    with postgres_db.write() as connection:
        user = add_user(connection)
        held, free = (sessions.create(connection, new_session(user, token)).id for token in "ab")
    with postgres_db.write() as holder:
        holder.execute(select(schema.sessions).where(schema.sessions.c.id == held).with_for_update())
        with postgres_db.write(lock_timeout=HOUR / 3600) as connection:
            sessions.touch(connection, {held: LATER, free: LATER})
    with postgres_db.read() as connection:
        touched = _touched(connection, user)
        assert touched[0] < LATER
        assert touched[1] == LATER


def _plan(connection: Connection, statement: Callable[[], Any]) -> str:
    """What PostgreSQL does for the statement that *statement* executes, as a JSON text."""
    seen: list[tuple[str, Any]] = []

    def keep(_connection: object, _cursor: object, sql: str, parameters: object, *_: object) -> None:
        seen.append((sql, parameters))

    event.listen(connection, "before_cursor_execute", keep)
    statement()
    event.remove(connection, "before_cursor_execute", keep)
    sql, parameters = seen[-1]
    driver = connection.connection.driver_connection
    assert driver is not None
    found = driver.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters).fetchone()
    return json.dumps(found[0])


@pytest.fixture
def crowded(postgres_db: Database) -> Database:
    """100,000 sessions of 1,000 users, all of whom are enrolled and in groups."""
    with postgres_db.write() as connection:
        for statement in (
            """INSERT INTO practicus_mfa.mfa_users (username, username_key)
               SELECT 'u' || n, 'u' || n FROM generate_series(1, 1000) AS n""",
            """INSERT INTO practicus_mfa.mfa_factors (user_id, token)
               SELECT id, 'x' FROM practicus_mfa.mfa_users""",
            "INSERT INTO practicus_mfa.mfa_groups (name) SELECT 'g' || n FROM generate_series(1, 10) AS n",
            """INSERT INTO practicus_mfa.mfa_memberships (user_id, group_id)
               SELECT u.id, g.id FROM practicus_mfa.mfa_users AS u, practicus_mfa.mfa_groups AS g""",
            """INSERT INTO practicus_mfa.mfa_sessions
                   (user_id, token_hash, verify_hash, remembered, expires_at, proved_at)
               SELECT u.id, sha256(('t' || u.id || '.' || n)::bytea),
                   sha256(('v' || u.id || '.' || n)::bytea), false, now() + n * interval '1 hour', now()
               FROM practicus_mfa.mfa_users AS u, generate_series(1, 100) AS n""",
        ):
            connection.execute(text(statement))
    with postgres_db.write() as connection:
        for table in ("mfa_sessions", "mfa_users", "mfa_factors", "mfa_memberships"):
            connection.execute(text(f"ANALYZE practicus_mfa.{table}"))
    return postgres_db


def test_sessions_are_found_by_their_indexes_among_many(crowded: Database) -> None:
    with crowded.write() as connection:
        wanted = [hashed(f"{kind}{user}.7") for user in range(1, 501) for kind in "tv"]
        assert len(sessions.load(connection, wanted)) == 1_000
        for hashes in (wanted, wanted[:1]):
            plan = _plan(connection, lambda hashes=hashes: sessions.load(connection, hashes))  # type: ignore[misc]
            assert "uq_mfa_sessions_token_hash" in plan
            assert "uq_mfa_sessions_verify_hash" in plan
            sessions_read = [part for part in plan.split("{") if '"Relation Name": "mfa_sessions"' in part]
            assert sessions_read
            assert not [part for part in sessions_read if "Seq Scan" in part]
        plan = _plan(connection, lambda: sessions.delete_expired(connection))
        assert "ix_mfa_sessions_expires_at" in plan
        assert "Seq Scan" not in plan


def test_a_last_use_changes_no_index(crowded: Database) -> None:
    def hot(connection: Connection) -> tuple[int, int]:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
        question = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'mfa_sessions'"
        return tuple(connection.execute(text(question)).one())

    with crowded.write() as connection:
        # Some in each page, as in a batch of some seconds.
        some = select(schema.sessions.c.id).where(schema.sessions.c.id % 50 == 0)
        ids = connection.execute(some).scalars().all()
        sessions.touch(connection, dict.fromkeys(ids, LATER))
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    with crowded.read() as connection:
        updated, within_page = hot(connection)
    assert updated == 2_000
    assert within_page > 1_900


# What is used once


def test_of_64_uses_of_one_recovery_code_one_counts(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        factor = add_factor(connection, user)
        recovery_codes.replace(connection, factor, [hashed(number) for number in range(10)])

    def use(_number: int) -> bool:
        with db.write() as connection:
            return recovery_codes.use(connection, user, hashed(3))

    assert sorted(at_once(use)) == [False] * (CALLERS - 1) + [True]
    with db.read() as connection:
        assert recovery_codes.left(connection, user) == 9


def test_recovery_codes_are_their_users_and_replaced_as_a_whole(db: Database) -> None:
    with db.write() as connection:
        user, other = add_user(connection), add_user(connection)
        factor = add_factor(connection, user)
        add_factor(connection, other)
        recovery_codes.replace(connection, factor, [hashed("old")])
        assert not recovery_codes.use(connection, other, hashed("old"))
        recovery_codes.replace(connection, factor, [hashed("a"), hashed("b")])
        assert not recovery_codes.use(connection, user, hashed("old"))
        assert (recovery_codes.left(connection, user), recovery_codes.left(connection, other)) == (2, 0)


def test_codes_of_a_factor_that_was_cleared_by_hand_count_for_nothing(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        recovery_codes.replace(connection, add_factor(connection, user), [hashed("a")])
        connection.execute(update(schema.factors).values(token=""))
        assert not recovery_codes.use(connection, user, hashed("a"))
        assert recovery_codes.left(connection, user) == 0


def test_of_64_uses_of_one_set_up_link_one_counts(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        setup_links.create(connection, user, hashed("link"), created_by="root", expires_at=LATER)

    def use(_number: int) -> int | None:
        with db.write() as connection:
            return setup_links.use(connection, hashed("link"))

    assert sorted(at_once(use), key=str) == sorted([None] * (CALLERS - 1) + [user], key=str)


def test_a_set_up_link_ends_with_the_next_one_and_with_its_time(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        setup_links.create(connection, user, hashed("a"), created_by="root", expires_at=LATER)
        setup_links.create(connection, user, hashed("b"), created_by="root", expires_at=LATER)
        assert setup_links.find(connection, hashed("a")) is None
        found = setup_links.find(connection, hashed("b"))
        assert found is not None
        assert (found.user_id, found.expires_at) == (user, LATER)
        setup_links.create(connection, user, hashed("c"), created_by="root", expires_at=BEFORE)
        assert setup_links.find(connection, hashed("c")) is None
        assert setup_links.use(connection, hashed("c")) is None


def test_of_64_ends_of_one_half_login_one_counts(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        half_logins.create(connection, user, hashed("half"), target="/x", expires_at=LATER)
        found = half_logins.find(connection, hashed("half"))
        assert found is not None
        assert (found.user_id, found.target, found.expires_at) == (user, "/x", LATER)

    def end(_number: int) -> bool:
        with db.write() as connection:
            return half_logins.end(connection, found.id)

    assert sorted(at_once(end)) == [False] * (CALLERS - 1) + [True]


def test_a_half_login_past_its_end_is_none(db: Database) -> None:
    with db.write() as connection:
        half_logins.create(connection, add_user(connection), hashed("a"), target="", expires_at=BEFORE)
        assert half_logins.find(connection, hashed("a")) is None


def test_a_secret_that_is_offered_is_one_a_user_and_for_a_time(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        pending_factors.save(connection, user, "first", expires_at=LATER)
        pending_factors.save(connection, user, "second", expires_at=LATER)
        assert pending_factors.get(connection, user) == "second"
        pending_factors.save(connection, user, "third", expires_at=BEFORE)
        assert pending_factors.get(connection, user) is None
        pending_factors.save(connection, user, "fourth", expires_at=LATER)
        pending_factors.delete_of(connection, user)
        assert pending_factors.get(connection, user) is None


def test_a_known_browser_is_its_users_and_for_a_time(db: Database) -> None:
    with db.write() as connection:
        user, other = add_user(connection), add_user(connection)
        devices.create(connection, user, hashed("a"), expires_at=LATER)
        devices.create(connection, user, hashed("b"), expires_at=BEFORE)
        assert devices.find(connection, user, hashed("a")) is not None
        assert devices.find(connection, other, hashed("a")) is None
        assert devices.find(connection, user, hashed("b")) is None
        devices.delete_all(connection, user)
        assert devices.find(connection, user, hashed("a")) is None


# Counters


def test_64_tries_at_the_same_moment_are_counted_one_by_one(db: Database) -> None:
    keys = [key(here="192.0.2.1"), key(kind=Kind.PASSWORD_ANYWHERE)]

    def count(number: int) -> int:
        ordered = keys if number % 2 else list(reversed(keys))
        with db.write() as connection:
            found = attempts.lock(connection, ordered)
            for one, counter in found.items():
                more = replace(counter, failures=counter.failures + 1)
                attempts.save(connection, one, more, expires_at=LATER)
            return found[keys[0]].failures

    assert sorted(at_once(count)) == list(range(CALLERS))


def test_who_counts_and_who_forgets_do_not_wait_in_a_ring(db: Database) -> None:
    """Each from an address of its own, so that the rows' order differs, and all share one counter."""
    everywhere = key(kind=Kind.PASSWORD_ANYWHERE)

    def work(number: int) -> None:
        for turn in range(5):
            mine = [key(here=number), everywhere]
            with db.write() as connection:
                for one, counter in attempts.lock(connection, mine).items():
                    attempts.save(connection, one, counter, expires_at=BEFORE if turn else LATER)
            with db.write() as connection:
                if number % 3 == 0:
                    attempts.clear_subject(connection, digest("anna"), tuple(Kind))
                elif number % 3 == 1:
                    attempts.clear(connection, mine)
                else:
                    attempts.delete_expired(connection)

    at_once(work, callers=24)


def test_a_counter_is_new_when_it_is_cleared_or_its_time_is_over(db: Database) -> None:
    keys = {kind: key(kind=kind) for kind in Kind}
    counter = Counter(failures=7, last_at=BEFORE, stopped_until=LATER, forever=True)
    with db.write() as connection:
        assert set(attempts.lock(connection, list(keys.values())).values()) == {Counter()}
        assert rows(connection, schema.attempts) == 0
        for kind, one in keys.items():
            over = BEFORE if kind is Kind.PASSWORD_HERE else None
            attempts.save(connection, one, counter, expires_at=over)
    with db.write() as connection:
        found = dict(attempts.lock(connection, list(keys.values())))
        assert found.pop(keys[Kind.PASSWORD_HERE]) == Counter()
        assert set(found.values()) == {counter}
        attempts.clear(connection, [keys[Kind.CODE]])
        attempts.clear_subject(connection, digest("anna"), (Kind.RECOVERY,))
        attempts.clear_subject(connection, digest("berta"), tuple(Kind))
        found = dict(attempts.lock(connection, list(keys.values())))
        cleared = {one.kind for one, state in found.items() if state == Counter()}
        assert cleared == {Kind.CODE, Kind.RECOVERY, Kind.PASSWORD_HERE}


def test_names_that_fail_from_an_address_are_counted_once_each(db: Database) -> None:
    with db.write() as connection:
        for name in ("a", "b", "a"):
            attempts.failing_name(connection, "192.0.2.1", digest(name), span=HOUR)
        attempts.failing_name(connection, "192.0.2.1", digest("c"), span=-HOUR)
        attempts.failing_name(connection, "2001:db8::", digest("d"), span=HOUR)
        assert attempts.failing_names_of(connection, "192.0.2.1") == 2


# The ends


def test_what_is_over_is_deleted_and_nothing_else(db: Database) -> None:
    tables: dict[Table, Callable[[Connection], int]] = {
        schema.sessions: sessions.delete_expired,
        schema.half_logins: half_logins.delete_expired,
        schema.pending_factors: pending_factors.delete_expired,
        schema.setup_links: setup_links.delete_expired,
        schema.devices: devices.delete_expired,
        schema.attempts: attempts.delete_expired,
        schema.failing_names: lambda _connection: 1,  # with the counters
    }
    with db.write() as connection:
        for name, until in (("over", BEFORE), ("lasting", LATER)):
            user, token = add_user(connection), hashed(name)
            sessions.create(connection, new_session(user, name, until=until))
            half_logins.create(connection, user, token, target="", expires_at=until)
            pending_factors.save(connection, user, "token", expires_at=until)
            setup_links.create(connection, user, token, created_by="root", expires_at=until)
            devices.create(connection, user, token, expires_at=until)
            attempts.save(connection, key(name), Counter(failures=1), expires_at=until)
        attempts.save(connection, key("for ever"), Counter(failures=1), expires_at=None)
        attempts.failing_name(connection, "192.0.2.1", digest("a"), span=HOUR)
    for table, delete_expired in tables.items():
        with db.write() as connection:
            assert delete_expired(connection) == 1
            assert rows(connection, table) == (2 if table is schema.attempts else 1)


def test_what_is_over_is_deleted_in_parts(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "AT_ONCE", 2)
    with db.write() as connection:
        user = add_user(connection)
        for number in range(3):
            sessions.create(connection, new_session(user, str(number), until=BEFORE))
        assert [sessions.delete_expired(connection) for _ in range(3)] == [2, 1, 0]


def _with_everything(connection: Connection) -> StoredSession:
    user = add_user(connection)
    recovery_codes.replace(connection, add_factor(connection, user), [hashed("a")])
    groups.create(connection, "ops")
    groups.add(connection, "ops", [user])
    half_logins.create(connection, user, hashed("a"), target="", expires_at=LATER)
    pending_factors.save(connection, user, "token", expires_at=LATER)
    setup_links.create(connection, user, hashed("a"), created_by="root", expires_at=LATER)
    devices.create(connection, user, hashed("a"), expires_at=LATER)
    return sessions.create(connection, new_session(user, "a"))


OF_A_USER: Final = (
    schema.factors,
    schema.recovery_codes,
    schema.memberships,
    schema.half_logins,
    schema.pending_factors,
    schema.setup_links,
    schema.devices,
    schema.sessions,
)


def test_a_user_who_is_deleted_leaves_nothing(db: Database) -> None:
    with db.write() as connection:
        _with_everything(connection)
        assert {rows(connection, table) for table in OF_A_USER} == {1}
        connection.execute(delete(schema.users))
        assert {rows(connection, table) for table in OF_A_USER} == {0}


def test_the_sqlite3_shell_which_follows_no_foreign_keys_leaves_nothing_either(sqlite_db: Database) -> None:
    with sqlite_db.write() as connection:
        _with_everything(connection)
    with sqlite_db._engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA query_only = OFF")
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute("DELETE FROM mfa_users")
        driver.execute("PRAGMA foreign_keys = ON")
    with sqlite_db.read() as connection:
        assert {rows(connection, table) for table in OF_A_USER} == {0}


def test_a_factor_that_is_deleted_by_hand_takes_its_codes_along(db: Database) -> None:
    with db.write() as connection:
        _with_everything(connection)
        connection.execute(delete(schema.factors))
        assert rows(connection, schema.recovery_codes) == 0
        assert rows(connection, schema.sessions) == 1


def test_every_reference_has_an_index_to_find_what_goes_with_it() -> None:
    for table in OF_A_USER:
        leading = {next(iter(table.primary_key)).name} | {
            next(iter(index.columns)).name for index in table.indexes
        }
        referring = {column.name for column in table.columns if column.foreign_keys} - {"key_id"}
        assert referring <= leading, table.name


def test_a_session_id_is_never_given_again(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        first = sessions.create(connection, new_session(user, "a")).id
        sessions.end_all(connection, user)
        connection.execute(insert(schema.groups).values(name="x"))
        assert sessions.create(connection, new_session(user, "b")).id > first
