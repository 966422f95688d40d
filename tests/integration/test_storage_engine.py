from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from psycopg import sql
from sqlalchemy import Connection, func, insert, make_url, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from practicus_mfa.errors import EXIT_UNREACHABLE, MfaError, UnreachableError, UsageError
from practicus_mfa.storage import engine, versions
from practicus_mfa.storage.engine import Database, connect, database_now
from practicus_mfa.storage.faults import BusyError
from practicus_mfa.storage.schema import audit, users
from tests.support.ordinary_user import folder_for_all, ordinary_user
from tests.support.postgres import OWNER, PostgresServer
from tests.support.stores import KEY_A, add_factor, add_user, ready, rolled_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHORT = timedelta(milliseconds=50)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user may look into, and only its owner write."""
    with folder_for_all() as folder:
        yield folder


def _failure(db: Database) -> MfaError:
    with pytest.raises(MfaError) as caught:
        versions.check(db)
    db.close()
    return caught.value


def _sentences(error: MfaError) -> tuple[str, str]:
    return error.message, error.remedy


# --- a server that can't be reached -------------------------------------------------------------------


def test_a_wrong_password(postgres_server: PostgresServer, postgres_url: str) -> None:
    name = make_url(postgres_url).database
    assert name is not None
    wrong = "not-the-password"
    db = connect(postgres_server.url(name, password=wrong))
    error = _failure(db)
    assert _sentences(error) == (
        f"The server 127.0.0.1:{postgres_server.port} refused the password of the role mfa.",
        "Correct the user name or password in the database URL.",
    )
    assert error.exit_code == EXIT_UNREACHABLE
    assert wrong not in repr(db)
    cause = error.__cause__
    assert cause is not None
    assert wrong not in repr(cause)


def test_no_password(postgres_server: PostgresServer) -> None:
    error = _failure(connect(f"postgresql://mfa@127.0.0.1:{postgres_server.port}/some"))
    assert error.message == (
        f"The server 127.0.0.1:{postgres_server.port} refused the password of the role mfa."
    )


def test_a_wrong_port(postgres_server: PostgresServer) -> None:
    error = _failure(connect("postgresql://mfa:secret@127.0.0.1:1/mfa"))
    assert _sentences(error) == (
        "Nothing answers at 127.0.0.1:1.",
        "Check host and port in the database URL, and that the server runs.",
    )
    assert error.exit_code == EXIT_UNREACHABLE


def test_a_wrong_host() -> None:
    error = _failure(connect("postgresql://mfa:secret@no-such-host.invalid:5432/mfa"))
    assert _sentences(error) == (
        "The host name of no-such-host.invalid:5432 is not known.",
        "Check the host in the database URL.",
    )
    assert error.exit_code == EXIT_UNREACHABLE


def test_a_wrong_database_name(postgres_server: PostgresServer) -> None:
    error = _failure(connect(postgres_server.url("no_such_database")))
    assert _sentences(error) == (
        f"There is no database no_such_database on the server 127.0.0.1:{postgres_server.port}.",
        "Correct the name in the database URL, or make it with `createdb`.",
    )
    assert error.exit_code == EXIT_UNREACHABLE


def test_a_server_that_was_restarted_is_connected_to_again(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    with ready(postgres_url) as db:
        postgres_server.restart()
        versions.check(db)


def test_a_server_that_stops_in_the_middle(postgres_server: PostgresServer, postgres_url: str) -> None:
    with ready(postgres_url) as db:
        with pytest.raises(UnreachableError) as caught, db.read() as connection:
            _read_after(postgres_server.stop, connection)
        name = make_url(postgres_url).database
        assert _sentences(caught.value) == (
            f"The connection to {name} at 127.0.0.1:{postgres_server.port} failed.",
            "Check that the server runs; see the cause with --debug.",
        )


def _read_after(event: Callable[[], None], connection: Connection) -> None:
    event()
    connection.execute(text("SELECT 1"))


def test_a_standby_accepts_no_writes(postgres_server: PostgresServer, postgres_url: str) -> None:
    with ready(postgres_url) as db:
        name = make_url(postgres_url).database
        assert name is not None
        postgres_server.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(sql.Identifier(name))
        )
        db.close()
        # A connection that was lent for reading before must not insist on writing.
        with db.read() as connection:
            connection.execute(text("SELECT 1"))
        with pytest.raises(UnreachableError) as caught, db.write() as connection:
            add_user(connection)
        assert _sentences(caught.value) == (
            f"The database {name} at 127.0.0.1:{postgres_server.port} accepts no writes at the moment.",
            "Point the URL at the primary server, or wait until it has taken over.",
        )


# --- a file that can't be used ------------------------------------------------------------------------


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "mfa.db"
    error = _failure(connect(f"sqlite:///{path}"))
    assert _sentences(error) == (
        f"There is no database file {path}.",
        "Correct the path, or make the file with `practicus-mfa db upgrade`.",
    )
    assert error.exit_code == EXIT_UNREACHABLE
    assert not path.exists()


def test_a_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "none" / "mfa.db"
    error = _failure(connect(f"sqlite:///{path}", create=True))
    assert _sentences(error) == (
        f"The folder {path.parent} of the database file is missing.",
        "Make the folder, or correct the path.",
    )
    assert error.exit_code == EXIT_UNREACHABLE


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    error = _failure(connect(f"sqlite:///{tmp_path}"))
    assert _sentences(error) == (
        f"The database file {tmp_path} can't be opened.",
        "Give this user the right to read and write the file and its folder.",
    )


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "mfa.db"
    path.write_text("username,email\n" * 100)
    error = _failure(connect(f"sqlite:///{path}"))
    assert _sentences(error) == (
        f"{path} is not a SQLite database, or it is damaged.",
        "Check the path; if it is the right file, restore it from a backup.",
    )


def test_a_read_only_file(shared_folder: Path) -> None:
    path = shared_folder / "mfa.db"
    with ready(f"sqlite:///{path}"):
        pass
    path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    db = connect(f"sqlite:///{path}")
    with ordinary_user(), pytest.raises(UnreachableError) as caught, db.write() as connection:
        add_user(connection)
    db.close()
    assert _sentences(caught.value) == (
        f"The database file {path} is read-only.",
        "Give this user the right to write the file and its folder.",
    )
    assert caught.value.exit_code == EXIT_UNREACHABLE


def test_a_file_that_only_another_user_may_read(shared_folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a file that is another user's")
    path = shared_folder / "mfa.db"
    with ready(f"sqlite:///{path}"):
        pass
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    db = connect(f"sqlite:///{path}")
    with ordinary_user(), pytest.raises(UnreachableError) as caught, db.read() as connection:
        connection.execute(select(users.c.id))
    db.close()
    assert caught.value.message == f"The database file {path} can't be opened."


def test_a_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "mfa.db"
    with ready(f"sqlite:///{path}"):
        found = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()}
    assert found == dict.fromkeys(("mfa.db", "mfa.db-shm", "mfa.db-wal"), 384)


def test_a_name_with_what_a_uri_would_take_for_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a & b%41#c=d.db"
    with ready(f"sqlite:///{quote(str(path))}"):
        assert path in tmp_path.iterdir()


# --- transactions -------------------------------------------------------------------------------------


def _count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(users)).scalar_one())


def test_an_error_in_a_transaction_undoes_all_of_it(db: Database) -> None:
    with rolled_back(db) as connection:
        add_user(connection)
        assert _count(connection) == 1
    with db.read() as connection:
        assert _count(connection) == 0


def test_a_reading_transaction_refuses_to_write(db: Database) -> None:
    with pytest.raises(UnreachableError), db.read() as connection:
        add_user(connection)
    with db.write() as connection:
        add_user(connection)


def test_a_snapshot_stays_at_its_moment(db: Database) -> None:
    with db.read(snapshot=True) as connection:
        assert _count(connection) == 0
        with db.write() as other:
            add_user(other)
        assert _count(connection) == 0
    with db.read(snapshot=True) as connection:
        assert _count(connection) == 1


def test_a_lock_is_waited_for_only_so_long(db: Database) -> None:
    with db.write() as holder:
        user = add_user(holder)
    with db.write() as holder:
        holder.execute(users.update().values(name="x"))
        with pytest.raises(BusyError) as caught, db.write(lock_timeout=SHORT) as connection:
            connection.execute(users.delete().where(users.c.id == user))
    expected = (
        f"The database file {db.shown} is locked by another process."
        if db.is_sqlite
        else f"Another transaction holds a lock in the database {db.shown}."
    )
    assert caught.value.message == expected
    # The short patience was that transaction's alone.
    with db.write() as connection:
        patience = "PRAGMA busy_timeout" if db.is_sqlite else "SHOW lock_timeout"
        assert connection.execute(text(patience)).scalar_one() in {30_000, "0"}


def test_writers_on_sqlite_wait_for_each_other(sqlite_db: Database) -> None:
    def add() -> None:
        for _ in range(20):
            with sqlite_db.write() as connection:
                add_user(connection, active=_count(connection) % 2 == 0)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sqlite_db.read() as connection:
        # Each one saw what all the ones before had written.
        assert _count(connection) == 80
        assert connection.execute(select(func.count()).where(users.c.is_active)).scalar_one() == 40


def test_who_opens_a_new_file_beside_its_first_writer_waits_for_him(tmp_path: Path) -> None:
    path = tmp_path / "mfa.db"
    # Not yet in write-ahead logging: somebody else is about to turn it on.
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as first:
        first.execute("CREATE TABLE made (by_the_first)")
        first.execute("BEGIN IMMEDIATE")
        release = threading.Timer(SHORT.total_seconds(), first.execute, ["COMMIT"])
        release.start()
        second = connect(f"sqlite:///{path}")
        with second.write() as connection:
            connection.execute(text("INSERT INTO made VALUES (1)"))
            assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        second.close()
        release.join()


def test_who_holds_a_new_file_too_long_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT", SHORT)
    path = tmp_path / "mfa.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as first:
        first.execute("CREATE TABLE made (by_the_first)")
        first.execute("BEGIN IMMEDIATE")
        second = connect(f"sqlite:///{path}")
        with pytest.raises(BusyError), second.write():
            pass
        second.close()


def test_a_violated_constraint_is_an_answer_for_the_caller(db: Database) -> None:
    with pytest.raises(IntegrityError), db.write() as connection:
        add_factor(connection, add_user(connection), key=KEY_A)


def test_sqlite_keeps_a_write_ahead_log_and_loses_no_commit(sqlite_db: Database) -> None:
    with sqlite_db.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2


def test_isolation_does_not_depend_on_the_servers_default(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    name = make_url(postgres_url).database
    assert name is not None
    postgres_server.execute(
        sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = 'serializable'").format(
            sql.Identifier(name)
        )
    )
    with ready(postgres_url) as db:
        with db.write() as connection:
            assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
        with db.read(snapshot=True) as connection:
            assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "repeatable read"
        with db.read() as connection:
            assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"


def test_nothing_is_left_in_a_session(postgres_db: Database) -> None:
    for _ in range(20):  # more often than psycopg would prepare after
        with postgres_db.write(lock_timeout=SHORT) as connection:
            add_user(connection)
    with postgres_db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one() == 0
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "0"
        assert connection.execute(text("SHOW application_name")).scalar_one() == "practicus-mfa"


# --- time ---------------------------------------------------------------------------------------------


def test_instants_are_aware_in_utc_and_keep_microseconds(
    db: Database, postgres_server: PostgresServer
) -> None:
    if not db.is_sqlite:
        name = db.shown.split(" ")[0]
        postgres_server.execute(
            sql.SQL("ALTER DATABASE {} SET timezone = 'Asia/Tokyo'").format(sql.Identifier(name))
        )
        db.close()
    instant = datetime(2026, 3, 29, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with db.write() as connection:
        user = add_user(connection)
        connection.execute(users.update().values(last_login_at=instant))
        connection.execute(insert(audit).values(actor="a", action="b"))
    with db.read() as connection:
        row = connection.execute(select(users).where(users.c.id == user)).one()
        now = database_now(connection)
    assert row.last_login_at == instant
    assert row.last_login_at.tzinfo is UTC
    assert row.created_at.tzinfo is UTC
    assert now.tzinfo is UTC
    assert row.created_at <= now
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=5)


def test_an_instant_without_a_zone_is_refused(db: Database) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - what is tested
    with pytest.raises(StatementError, match="a time without a zone"), db.write() as connection:
        connection.execute(users.update().values(last_login_at=naive))


def test_instants_compare_as_they_are(db: Database) -> None:
    with db.write() as connection:
        user = add_user(connection)
        now = database_now(connection)
        for shift, later in ((timedelta(milliseconds=1), True), (timedelta(milliseconds=-1), False)):
            connection.execute(users.update().values(last_login_at=now + shift))
            found = connection.execute(select(users.c.id).where(users.c.last_login_at > now)).all()
            assert [row.id for row in found] == ([user] if later else [])


# --- rights -------------------------------------------------------------------------------------------


def test_a_role_that_may_not_make_tables(postgres_server: PostgresServer, postgres_url: str) -> None:
    name = make_url(postgres_url).database
    assert name is not None
    postgres_server.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(sql.Identifier(name)))
    db = connect(postgres_url)
    with pytest.raises(UsageError) as caught:
        versions.upgrade(db)
    db.close()
    assert _sentences(caught.value) == (
        f"The role {OWNER} lacks a right in the database {db.shown}.",
        "Grant it what `practicus-mfa db grants` prints, or use the owner of the schema.",
    )
