from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
from psycopg import sql
from sqlalchemy import delete, func, insert, select, text, update

from practicus_mfa.core.observed import Counts
from practicus_mfa.errors import UsageError
from practicus_mfa.storage import counts
from practicus_mfa.storage.engine import Database, connect
from practicus_mfa.storage.schema import factor_deltas, factors, users
from tests.support.stores import KEY_A, KEY_B, KEY_C, add_factor, add_user, claimed, live, rolled_back
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from tests.support.postgres import PostgresServer

FACTORS_LEFT_OUT = ("", None)
TRAP = (
    "CREATE SCHEMA trap",
    "GRANT USAGE ON SCHEMA trap TO PUBLIC",
    "CREATE FUNCTION trap.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
    "CREATE OPERATOR trap.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.never)",
    "SET LOCAL search_path = trap, pg_catalog",
)
HINTS = ((KEY_A, None), (KEY_B, None), (KEY_C, None), (None, None), (None, "unknown"), (None, "corrupt"))


@pytest.fixture
def store(db: Database) -> Database:
    """A database where rows may be under three keys."""
    live(db, claimed(db), KEY_A, KEY_B, KEY_C)
    return db


def _numbers(counts: Counts) -> tuple[object, ...]:
    return dict(counts.by_key), counts.untried, counts.unknown, counts.corrupt


def _read(db: Database) -> tuple[object, ...]:
    with db.read() as connection:
        return _numbers(counts.read_counts(connection))


def _deltas(db: Database) -> int:
    with db.read() as connection:
        return int(connection.execute(select(func.count()).select_from(factor_deltas)).scalar_one())


def _add(db: Database, *hints: tuple[str | None, str | None]) -> list[int]:
    with db.write() as connection:
        return [
            add_factor(connection, add_user(connection), key=key, fault=fault)  # type: ignore[arg-type]
            for key, fault in hints
        ]


def _somehow(connection: Connection, chance: random.Random) -> None:
    """Change some rows, in one of the ways in which rows change."""
    ids = list(connection.execute(select(factors.c.id)).scalars())
    some = chance.sample(ids, chance.randint(0, len(ids)))
    those = factors.c.id.in_(some)
    key, fault = chance.choice(HINTS)
    token = chance.choice(("token", "another", "", None))
    match chance.randrange(8):
        case 0 | 1:
            people = [add_user(connection) for _ in range(chance.randint(1, 9))]
            rows = [{"user_id": user, "token": token, "key_id": key, "fault": fault} for user in people]
            connection.execute(insert(factors), rows)
        case 2:
            connection.execute(update(factors).where(those).values(key_id=key, fault=fault))
        case 3:
            connection.execute(update(factors).where(those).values(token=token))
        case 4:
            connection.execute(update(factors).where(those).values(token=token, key_id=key, fault=fault))
        case 5:
            connection.execute(update(factors).where(those).values(last_step=chance.randrange(99)))
        case 6:
            connection.execute(delete(factors).where(factors.c.id.in_(some[:3])))
        case _:
            connection.execute(
                delete(users).where(
                    users.c.id.in_(select(factors.c.user_id).where(factors.c.id.in_(some[:3])))
                )
            )


# --- what is counted ----------------------------------------------------------------------------------


def test_nothing_is_there_at_first(store: Database) -> None:
    with store.read() as connection:
        seen = counts.read_counts(connection)
    assert _numbers(seen) == ({}, 0, 0, 0)
    assert seen.counted_at.tzinfo is not None


def test_rows_are_counted_by_what_is_known_of_their_key(store: Database) -> None:
    _add(store, *HINTS, (KEY_A, None), (None, "corrupt"))
    assert _read(store) == ({KEY_A: 2, KEY_B: 1, KEY_C: 1}, 1, 1, 2)


@pytest.mark.parametrize("cleared", FACTORS_LEFT_OUT)
def test_a_factor_cleared_by_hand_is_not_counted(store: Database, cleared: str | None) -> None:
    first, second = _add(store, (KEY_A, None), (KEY_A, None))
    with store.write() as connection:
        connection.execute(update(factors).where(factors.c.id == first).values(token=cleared))
    assert _read(store) == ({KEY_A: 1}, 0, 0, 0)
    with store.write() as connection:
        connection.execute(delete(factors).where(factors.c.id.in_([first, second])))
    assert _read(store) == ({}, 0, 0, 0)


def test_the_factors_of_a_deleted_user_are_counted_no_more(store: Database) -> None:
    _add(store, *HINTS)
    with store.write() as connection:
        connection.execute(delete(users))
    assert _read(store) == ({}, 0, 0, 0)


def test_what_is_rolled_back_never_counts(store: Database) -> None:
    _add(store, (KEY_A, None))
    with rolled_back(store) as connection:
        connection.execute(update(factors).values(key_id=KEY_B))
        assert _numbers(counts.read_counts(connection)) == ({KEY_B: 1}, 0, 0, 0)
    assert _read(store) == ({KEY_A: 1}, 0, 0, 0)


def test_a_log_in_leaves_no_difference(store: Database) -> None:
    _add(store, (KEY_A, None))
    before = _deltas(store)
    with store.write() as connection:
        connection.execute(update(factors).values(last_step=5))
        connection.execute(update(factors).values(token="renewed"))
    assert _deltas(store) == before


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_the_table_whatever_happens(store: Database, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        with rolled_back(store) if chance.random() < 0.2 else store.write() as connection:
            _somehow(connection, chance)
            assert _numbers(counts.read_counts(connection)) == _numbers(counts.scan_counts(connection))
        with store.read(snapshot=True) as connection:
            assert _numbers(counts.read_counts(connection)) == _numbers(counts.scan_counts(connection))
        if chance.random() < 0.1:
            counts.fold(store)
    assert counts.recount(store) is False


@pytest.mark.parametrize("statement", ["TRUNCATE {factors} CASCADE", "TRUNCATE {users} CASCADE"])
def test_a_truncated_table_counts_nothing(postgres_db: Database, statement: str) -> None:
    live(postgres_db, claimed(postgres_db), KEY_A)
    _add(postgres_db, (KEY_A, None), (None, "corrupt"))
    words = text(statement.format(factors="practicus_mfa.mfa_factors", users="practicus_mfa.mfa_users"))
    with rolled_back(postgres_db) as connection:
        connection.execute(words)
        assert _numbers(counts.read_counts(connection)) == ({}, 0, 0, 0)
    assert _read(postgres_db) == ({KEY_A: 1}, 0, 0, 1)
    with postgres_db.write() as connection:
        connection.execute(words)
    assert _read(postgres_db) == ({}, 0, 0, 0)
    _add(postgres_db, (KEY_A, None))
    assert _read(postgres_db) == ({KEY_A: 1}, 0, 0, 0)


# --- folding and repairing ----------------------------------------------------------------------------


def test_folding_shortens_the_table_and_changes_no_count(postgres_db: Database) -> None:
    live(postgres_db, claimed(postgres_db), KEY_A, KEY_B)
    assert counts.fold(postgres_db) == 0
    _add(postgres_db, *([(KEY_A, None)] * counts.FOLD_FROM), (KEY_B, None))
    before = _read(postgres_db)
    assert counts.fold(postgres_db) == counts.FOLD_FROM + 1
    assert _deltas(postgres_db) == 2
    assert _read(postgres_db) == before
    assert counts.fold(postgres_db) == 0


def test_sqlite_keeps_sums_by_itself(sqlite_db: Database) -> None:
    live(sqlite_db, claimed(sqlite_db), KEY_A, KEY_B)
    _add(sqlite_db, *([(KEY_A, None)] * counts.FOLD_FROM), (KEY_B, None))
    assert _deltas(sqlite_db) == 2
    assert counts.fold(sqlite_db) == 0


def _until(stop: threading.Event, act: Callable[[], object]) -> threading.Thread:
    """Begin to do something again and again; return the thread."""

    def work() -> None:
        while not stop.is_set():
            act()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_nobody_sees_a_wrong_sum_while_others_write_and_fold(postgres_db: Database) -> None:
    live(postgres_db, claimed(postgres_db), KEY_A, KEY_B)
    ids = _add(postgres_db, *([(KEY_A, None)] * 20))
    wrong: list[object] = []
    folded: list[int] = []

    def turn(mine: list[int]) -> None:
        for key in (KEY_B, KEY_A) * 5:
            for factor in mine:
                with postgres_db.write() as connection:
                    connection.execute(update(factors).where(factors.c.id == factor).values(key_id=key))

    def watch() -> None:
        with postgres_db.read(snapshot=True) as connection:
            seen = _numbers(counts.read_counts(connection))
            if seen != _numbers(counts.scan_counts(connection)):
                wrong.append(seen)

    stop = threading.Event()
    others = [_until(stop, watch)]
    others += [_until(stop, lambda: folded.append(counts.fold(postgres_db))) for _ in range(2)]
    writers = [threading.Thread(target=turn, args=(ids[half::2],)) for half in range(2)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in others:
        thread.join()
    assert wrong == []
    assert sum(folded) > counts.FOLD_FROM
    assert counts.recount(postgres_db) is False


def test_wrong_counts_are_repaired(store: Database) -> None:
    _add(store, *HINTS)
    right = _read(store)
    with store.write() as connection:
        connection.execute(insert(factor_deltas).values(key_id=KEY_A, fault="", rows=5))
        connection.execute(insert(factor_deltas).values(key_id="", fault="unknown", rows=-1))
    assert _read(store) != right
    assert counts.recount(store) is True
    assert _read(store) == right
    assert counts.recount(store) is False


def test_counts_of_a_table_that_became_empty_unnoticed_are_repaired(store: Database) -> None:
    with store.write() as connection:
        connection.execute(insert(factor_deltas).values(key_id=KEY_A, fault="", rows=5))
    assert counts.recount(store) is True
    assert _read(store) == ({}, 0, 0, 0)


def test_a_repair_waits_for_a_fold_under_way(postgres_db: Database) -> None:
    live(postgres_db, claimed(postgres_db), KEY_A)
    _add(postgres_db, (KEY_A, None), (KEY_A, None))
    with postgres_db.write() as connection:
        connection.execute(insert(factor_deltas).values(key_id=KEY_A, fault="", rows=5))
    outcome: list[bool] = []
    repair = threading.Thread(target=lambda: outcome.append(counts.recount(postgres_db)))

    def waits() -> bool:
        with postgres_db.read() as connection:
            question = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return bool(connection.execute(question).scalar_one())

    with postgres_db.write() as connection:
        connection.execute(counts.FOLD)
        repair.start()
        until(waits, "the repair waits for the fold")
    repair.join()
    assert outcome == [True]
    assert _read(postgres_db) == ({KEY_A: 2}, 0, 0, 0)


# --- lesser roles -------------------------------------------------------------------------------------


def test_a_lesser_role_is_counted_and_can_not_touch_the_counts(
    postgres_server: PostgresServer, postgres_db: Database
) -> None:
    live(postgres_db, claimed(postgres_db), KEY_A)
    name = postgres_db.shown.split(" ")[0]
    role = f"login_of_{name}"
    postgres_server.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'lesser'").format(sql.Identifier(role)))
    for grant in (
        sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(name), sql.Identifier(role)),
        sql.SQL("GRANT USAGE ON SCHEMA practicus_mfa TO {}").format(sql.Identifier(role)),
        sql.SQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON practicus_mfa.mfa_users, practicus_mfa.mfa_factors TO {}"
        ).format(sql.Identifier(role)),
    ):
        postgres_server.execute(grant, name)
    lesser = connect(postgres_server.url(name, user=role, password="lesser"))
    try:
        _add(lesser, (KEY_A, None))
        assert _read(postgres_db) == ({KEY_A: 1}, 0, 0, 0)
        with pytest.raises(UsageError, match="lacks a right"), lesser.write() as connection:
            connection.execute(insert(factor_deltas).values(key_id=KEY_A, fault="", rows=5))
        with pytest.raises(UsageError, match="lacks a right"):
            _hang_the_function_on_a_table_of_ones_own(lesser)
        # An operator of the role's own does not take the place of the true one.
        with lesser.write() as connection:
            for statement in TRAP:
                connection.execute(text(statement))
            add_factor(connection, add_user(connection), key=KEY_A)
        assert _read(postgres_db) == ({KEY_A: 2}, 0, 0, 0)
    finally:
        lesser.close()
        postgres_server.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)), name)
        postgres_server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _hang_the_function_on_a_table_of_ones_own(lesser: Database) -> None:
    with lesser.write() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE mine (token text, key_id text, fault text)"))
        connection.execute(
            text(
                "CREATE TRIGGER mine AFTER INSERT ON mine REFERENCING NEW TABLE AS after"
                " FOR EACH STATEMENT EXECUTE FUNCTION practicus_mfa.mfa_factors_inserted()"
            )
        )


# --- other applications' tables -----------------------------------------------------------------------


def test_the_last_scan_of_another_table_is_remembered(db: Database) -> None:
    with db.write() as connection:
        assert counts.read_table_counts(connection) == {}
        counts.save_table_counts(connection, "app.secrets", {KEY_A: 7}, unknown=1, corrupt=0)
        counts.save_table_counts(connection, "other", {}, unknown=0, corrupt=0)
        counts.save_table_counts(connection, "app.secrets", {KEY_A: 3, KEY_B: 4}, unknown=0, corrupt=2)
    with db.read() as connection:
        seen = counts.read_table_counts(connection)
    assert {name: _numbers(found) for name, found in seen.items()} == {
        "app.secrets": ({KEY_A: 3, KEY_B: 4}, 0, 0, 2),
        "other": ({}, 0, 0, 0),
    }
    assert seen["app.secrets"].counted_at.tzinfo is not None
