from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text

from tests.support import postgres_programs
from tests.support.postgres import OWNER, PostgresServer, ServerStartError
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

SESSION = """
import time
from tests.support import postgres, postgres_programs
server = postgres.PostgresServer(postgres_programs.find())
print(server.pid, server.folder, flush=True)
time.sleep(600)
"""


@pytest.fixture
def own_server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """Another server beside the shared one, for tests that stop it."""
    programs = postgres_programs.find()
    assert programs is not None
    with PostgresServer(programs) as server:
        yield server


def _connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))


def test_each_kind_of_database_is_empty_and_writable(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE only_here (id integer)"))
        connection.execute(text("INSERT INTO only_here VALUES (1)"))
        assert connection.execute(text("SELECT count(*) FROM only_here")).scalar_one() == 1
    engine.dispose()


def test_the_owner_has_no_special_rights(postgres_url: str) -> None:
    with _connect(postgres_url) as connection:
        row = connection.execute(
            "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == (OWNER, False, False, False)


def test_a_wrong_password_is_refused_over_tcp(postgres_server: PostgresServer) -> None:
    url = postgres_server.url("postgres", password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        _connect(url)


def test_the_server_does_not_run_as_root(postgres_server: PostgresServer) -> None:
    assert (postgres_server.folder / "data" / "postmaster.pid").stat().st_uid != 0


@pytest.mark.parametrize("how", ["SIGINT", "SIGQUIT"])
def test_a_restart_keeps_port_and_data(own_server: PostgresServer, how: str) -> None:
    url = own_server.url(own_server.create_database())
    before = own_server.pid
    with _connect(url) as connection:
        connection.execute("CREATE TABLE kept (id integer)")
    own_server.restart("SIGINT" if how == "SIGINT" else "SIGQUIT")
    assert own_server.pid != before
    with _connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_stopped_server_refuses_connections_and_starts_again(own_server: PostgresServer) -> None:
    own_server.stop()
    assert not own_server.running
    with pytest.raises(psycopg.OperationalError, match="Connection refused"):
        _connect(own_server.superuser_url)
    own_server.start()
    _connect(own_server.superuser_url).close()


def test_a_server_killed_from_outside_is_noticed_and_starts_again(own_server: PostgresServer) -> None:
    os.kill(own_server.pid, signal.SIGQUIT)
    _wait_until_gone(own_server.pid)
    own_server.restart()
    _connect(own_server.superuser_url).close()


def test_a_server_that_cannot_start_says_why(postgres_server: PostgresServer) -> None:
    programs = postgres_programs.find()
    assert programs is not None
    with pytest.raises(ServerStartError, match="no_such_setting"):
        PostgresServer(programs, {"no_such_setting": "1"})


def test_a_killed_session_leaves_no_server_and_no_folder(postgres_server: PostgresServer) -> None:
    session = subprocess.Popen(
        [sys.executable, "-c", SESSION], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert session.stdout is not None
    pid, folder = session.stdout.readline().split()
    assert Path(folder).is_dir()
    session.kill()
    session.communicate()
    _wait_until_gone(int(pid))
    until(lambda: not Path(folder).exists(), "the folder's removal")


def _wait_until_gone(pid: int) -> None:
    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    until(gone, "the server's end")
