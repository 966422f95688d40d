from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text
from sqlalchemy.schema import BLANK_SCHEMA

from practicus_mfa.errors import EXIT_USAGE, UnreachableError, UsageError
from practicus_mfa.storage import accounts, audit, factors, recovery_codes, versions
from practicus_mfa.storage.engine import Database, connect
from practicus_mfa.storage.faults import BusyError
from practicus_mfa.storage.schema import SCHEMA, metadata
from practicus_mfa.storage.user_list import words_index
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UPGRADE = """
import json, sys
from practicus_mfa.storage import accounts, audit, factors, recovery_codes, versions
from practicus_mfa.storage.engine import connect
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(versions.upgrade(connect(sys.argv[1], create=True))))
"""


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    db = connect(database_url, create=True)
    yield db
    db.close()


def _tables(db: Database) -> set[str]:
    with db.read() as connection:
        return set(inspect(connection).get_table_names(schema=None if db.is_sqlite else SCHEMA))


def _set_step(db: Database, step: str) -> None:
    table = "alembic_version" if db.is_sqlite else f"{SCHEMA}.alembic_version"
    with db.write() as connection:
        connection.execute(text(f"UPDATE {table} SET version_num = '{step}'"))


def test_an_empty_database_is_behind(empty: Database) -> None:
    assert versions.current(empty) is None
    with pytest.raises(UsageError) as caught:
        versions.check(empty)
    assert caught.value.message == f"The database {empty.shown} is not set up for this program."
    assert caught.value.remedy == "Run `practicus-mfa db upgrade`."
    assert caught.value.exit_code == EXIT_USAGE


def test_an_upgrade_makes_every_table_once(empty: Database) -> None:
    assert versions.upgrade(empty) is None
    assert versions.current(empty) == versions.head()
    versions.check(empty)
    assert _tables(empty) == {table.name for table in metadata.tables.values()} | {"alembic_version"}
    assert versions.upgrade(empty) == versions.head()


def test_reading_a_database_without_tables_says_what_to_do(empty: Database) -> None:
    with pytest.raises(UsageError) as caught, empty.read() as connection:
        connection.execute(metadata.tables[f"{SCHEMA}.mfa_users"].select())
    assert caught.value.message == f"The database {empty.shown} is not set up for this program."
    assert caught.value.remedy == "Run `practicus-mfa db upgrade`."


def test_a_database_at_an_earlier_step_is_behind(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = versions.head()
    monkeypatch.setattr(versions, "STEPS", (*versions.STEPS, "9998"))
    for attempt in (versions.check, versions.check_not_behind):
        with pytest.raises(UsageError) as caught:
            attempt(db)
        assert (
            caught.value.message == f"The database {db.shown} is at step {newest}, this program needs 9998."
        )
        assert caught.value.remedy == "Run `practicus-mfa db upgrade`."


def test_a_database_newer_than_the_program_is_left_alone(db: Database) -> None:
    _set_step(db, "9999")
    expected = (
        f"The database {db.shown} is at step 9999, which is newer than this program ({versions.head()})."
    )
    for attempt in (versions.check, versions.upgrade):
        with pytest.raises(UsageError) as caught:
            attempt(db)
        assert (caught.value.message, caught.value.remedy) == (expected, "Use a newer practicus-mfa.")
    assert versions.current(db) == "9999"
    # Who only reads and writes goes on: a release lets the one before it do so.
    versions.check_not_behind(db)


def test_a_step_that_fails_leaves_nothing_behind(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with empty.write() as connection:
        if not empty.is_sqlite:
            connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        # In the way of the last table that the first step makes.
        in_the_way = "mfa_policy" if empty.is_sqlite else f"{SCHEMA}.mfa_policy"
        connection.execute(text(f"CREATE TABLE {in_the_way} (id integer)"))
    with pytest.raises(UnreachableError):
        versions.upgrade(empty)
    assert _tables(empty) == {"mfa_policy"}


def test_several_upgrades_of_a_file_at_once(sqlite_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, sqlite_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    # Only now, when all are up, does each one begin.
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, outputs
    assert sorted((json.loads(output) for output, _ in outputs), key=str) == [versions.head()] * 2 + [None]


def test_several_upgrades_of_a_server_at_once(postgres_url: str) -> None:
    databases = [connect(postgres_url) for _ in range(4)]
    first, *others = databases
    before: list[str | None] = []
    threads = [threading.Thread(target=lambda db=db: before.append(versions.upgrade(db))) for db in others]

    def all_wait() -> bool:
        with first.read() as connection:
            question = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return bool(connection.execute(question).scalar_one() == len(others))

    with first.write() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": versions.UPGRADE_LOCK})
        for thread in threads:
            thread.start()
        until(all_wait, "every upgrade waits for the one under way")
    for thread in threads:
        thread.join()
    for db in databases:
        db.close()
    assert sorted(before, key=str) == [versions.head()] * 2 + [None]


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_the_models_and_the_migrations_agree(db: Database) -> None:
    schema = None if db.is_sqlite else SCHEMA
    models = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        # The library's types forbid what its documentation allows: no schema at all.
        table.to_metadata(
            models,
            schema=cast("str", schema),
            referred_schema_fn=lambda *_: cast("str", schema or BLANK_SCHEMA),
        )

    # What SQLite's indexes of expressions are of can't be read back there; of the index of words the models
    # say nothing. That these are used is tried where lists of users are.
    unseen = {"ix_mfa_users_email_id", "ix_mfa_users_name_id"} if db.is_sqlite else {"ix_mfa_users_words"}

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return name in {SCHEMA, None} if kind == "schema" else name not in {"alembic_version", *unseen}

    def compared(_object: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "index" or name not in unseen

    options: dict[str, Any] = {
        "compare_type": True,
        # SQLite gives defaults back in other words; the next test compares them there.
        "compare_server_default": not db.is_sqlite,
        "include_schemas": not db.is_sqlite,
        "include_name": ours,
        "include_object": compared,
        "version_table_schema": schema,
    }
    with db.read() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, models) == []


def _at_step(db: Database, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take *db* as far as the release did whose last step was *step*."""
    with monkeypatch.context() as patched, db.write() as connection:
        if not db.is_sqlite:
            connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        upgrade = command.upgrade
        patched.setattr(command, "upgrade", lambda config, _revision: upgrade(config, step))
        versions._take_steps(connection)


def test_a_database_of_the_first_release_keeps_its_rows(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at_step(empty, "0001", monkeypatch)
    assert versions.current(empty) == "0001"
    in_schema = "" if empty.is_sqlite else f"{SCHEMA}."
    with empty.write() as connection:
        for statement in (
            "INSERT INTO {}mfa_users (username, username_key) VALUES ('Anna', 'anna'), ('Bob', 'bob')",
            "INSERT INTO {}mfa_factors (user_id, token) SELECT id, 'token' FROM {}mfa_users",
            "INSERT INTO {}mfa_audit (actor, action, subject) VALUES ('root', 'user.create', 'Anna')",
        ):
            connection.execute(text(statement.replace("{}", in_schema)))
    assert versions.upgrade(empty) == "0001"
    versions.check(empty)
    with empty.write() as connection:
        anna, password_hash = accounts.account_named(connection, "ANNA") or (None, None)
        assert anna is not None
        assert (anna.username, anna.enrolled, anna.enrol_by, anna.groups) == ("Anna", True, None, ())
        assert password_hash == ""
        assert [line.subject for line in audit.read(connection, subject="Anna")] == ["Anna"]
        # What was there before is bound to what is new.
        factor = factors.of_user(connection, anna.id)[0].id
        recovery_codes.replace(connection, factor, [bytes(32)])
        assert factors.remove_all(connection, anna.id) == 1
        assert recovery_codes.left(connection, anna.id) == 0
        connection.execute(text(f"DELETE FROM {in_schema}mfa_users"))
        assert not factors.of_user(connection, anna.id + 1)


def test_an_upgrade_gives_up_soon_where_somebody_holds_the_users(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = connect(postgres_url)
    _at_step(db, "0001", monkeypatch)
    with db.read() as reader:
        reader.execute(text(f"SELECT * FROM {SCHEMA}.mfa_users"))
        with monkeypatch.context() as patched:
            patched.setattr("sqlalchemy.Connection.exec_driver_sql", _impatient)
            with pytest.raises(BusyError):
                versions.upgrade(db)
    assert versions.upgrade(db) == "0001"
    db.close()


_exec_driver_sql = Connection.exec_driver_sql


def _impatient(self: Connection, statement: str) -> object:
    return _exec_driver_sql(self, statement.replace("'10s'", "'10ms'"))


def test_postgresql_has_what_the_models_leave_to_the_migration(postgres_db: Database) -> None:
    with postgres_db.read() as connection:
        options = text("SELECT reloptions FROM pg_class WHERE relname = 'mfa_factors'")
        assert connection.execute(options).scalar_one() == ["fillfactor=45"]
        options = text("SELECT reloptions FROM pg_class WHERE relname = 'mfa_sessions'")
        assert connection.execute(options).scalar_one() == ["fillfactor=70"]
        partial = text("SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL")
        found = set(connection.execute(partial).scalars())
        assert {f"{SCHEMA}.ix_mfa_factors_fault", f"{SCHEMA}.ix_mfa_users_administrators"} <= found


def test_columns_on_sqlite_are_what_the_models_say(sqlite_db: Database, tmp_path: Path) -> None:
    from_models = connect(f"sqlite:///{tmp_path / 'models.db'}", create=True)
    with from_models.write() as connection:
        metadata.create_all(connection)
    with from_models.read() as expected, sqlite_db.read() as found:
        for table in metadata.tables.values():
            question = text(f"SELECT * FROM pragma_table_xinfo('{table.name}') ORDER BY cid")
            assert found.execute(question).all() == expected.execute(question).all()
            question = text(
                f"SELECT name, sql FROM sqlite_master WHERE tbl_name = '{table.name}' AND type = 'index'"
            )
            assert set(found.execute(question)) == set(expected.execute(question))
    from_models.close()


def test_the_steps_are_those_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", "practicus_mfa.storage:migrations")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [versions.head()]
    assert tuple(step.revision for step in scripts.walk_revisions())[::-1] == versions.STEPS


def test_databases_that_are_upgraded_by_threads_of_one_process_each_get_their_own_tables(
    tmp_path: Path,
) -> None:
    databases = [connect(f"sqlite:///{tmp_path / str(number)}.db", create=True) for number in range(8)]
    together = threading.Barrier(len(databases))
    failures: list[BaseException] = []

    def upgrade(db: Database) -> None:
        together.wait()
        try:
            versions.upgrade(db)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told below
            failures.append(error)

    threads = [threading.Thread(target=upgrade, args=[db]) for db in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for db in databases:
        versions.check(db)
        assert _tables(db) >= {"mfa_users", "mfa_factors"}
        db.close()


def _words_index(db: Database) -> bool | None:
    """Whether the index of words can be used; ``None`` where there is none."""
    with db.read() as connection:
        return connection.execute(
            text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"),
            {"name": f"{SCHEMA}.{words_index.NAME}"},
        ).scalar_one_or_none()


def test_the_index_of_words_is_built_beside_log_ins_and_again_after_an_interruption(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    db = connect(postgres_url)
    with monkeypatch.context() as patched:
        patched.setattr(words_index, "build", lambda _: False)
        versions.upgrade(db)
    assert _words_index(db) is None
    with db.write() as busy:
        # A transaction that began before it, as of a log-in: it is waited for, and never in the way.
        busy.execute(text(f"INSERT INTO {SCHEMA}.mfa_users (username, username_key) VALUES ('Anna', 'anna')"))
        with monkeypatch.context() as patched:
            patched.setattr(words_index, "LOCK_TIMEOUT_SECONDS", 1)
            assert versions.upgrade(db) == versions.head()
        assert "the index of users' words was not built" in caplog.text
    assert not _words_index(db)
    versions.upgrade(db)
    assert _words_index(db) is True
    db.close()


def test_one_process_alone_builds_the_index_of_words(postgres_url: str) -> None:
    db, other = connect(postgres_url), connect(postgres_url)
    versions.upgrade(db)
    with db.outside_transactions() as connection:
        connection.execute(text(f"DROP INDEX {SCHEMA}.{words_index.NAME}"))
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": words_index.BUILD_LOCK})
        assert words_index.build(other) is False
        assert _words_index(other) is None
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": words_index.BUILD_LOCK})
    assert words_index.build(other)
    assert _words_index(other) is True
    db.close()
    other.close()
