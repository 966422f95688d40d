"""A real PostgreSQL server that the tests start themselves: own folder, own port, own process.

The server refuses to run as root, so root runs it as another user. It trusts the socket in its own folder
(mode 0700), where the tests administer it, and asks for a SCRAM password over TCP, as a real one does. A
guard process (:mod:`tests.support.postgres_guard`) ends it when the session dies. Databases belong to a role
without special rights, so a test finds out when the product would need more.
"""

from __future__ import annotations

import itertools
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, LiteralString, Self, cast

import psycopg
from psycopg import sql

from tests.support import postgres_guard
from tests.support.cluster.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import IO

SUPERUSER: Final = "postgres"
OWNER: Final = "mfa"
"""The role that owns every test database and nothing else."""

START_SECONDS: Final = 180
"""A limit for a server that hangs, far above the one second that a start takes."""

PORT_ATTEMPTS: Final = 5
"""Between choosing a free port and listening on it somebody else may take it."""

QUICK: Final[Mapping[str, str]] = {
    # Nothing has to survive a crash of the machine, and a crash of the server alone loses nothing without
    # these two. synchronous_commit stays on: without it the last commits are lost with the server.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
}

LOOPBACK: Final = "127.0.0.1"

Stop = Literal["SIGINT", "SIGQUIT"]
"""PostgreSQL's fast stop (transactions are rolled back) and its immediate one (as a crash)."""


class ServerStartError(Exception):
    """The server did not start; the message holds the end of its log."""


class PostgresServer:
    """One server, started by the constructor, ended and removed by :meth:`close` or the end of a ``with``.

    Attributes:
        port: Its port on 127.0.0.1, the same after a restart.
        folder: Everything that it keeps, its log (``log``) included.
    """

    def __init__(self, programs: Path, settings: Mapping[str, str] = QUICK) -> None:
        """Make the folder and start the server.

        Args:
            programs: The folder of ``initdb`` and ``postgres``.
            settings: Lines of postgresql.conf; :data:`QUICK` unless a measurement needs a durable server.
        """
        self._programs = programs
        self._settings = settings
        self._user = _unprivileged_user()
        self._guard: subprocess.Popen[str] | None = None
        self._addresses = [LOOPBACK]
        self._names = itertools.count(1)
        self.pid = 0
        self.superuser_password = secrets.token_hex(8)
        self.owner_password = secrets.token_hex(8)
        # Not below TMPDIR: a socket's path must be short, and the other user must get there.
        self.folder = Path(tempfile.mkdtemp(prefix="practicus-mfa-pg-", dir="/tmp"))
        try:
            self._initialise()
            self._start_on_a_free_port()
            self.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(OWNER), sql.Literal(self.owner_password)
                )
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def superuser_url(self) -> str:
        """A SQLAlchemy URL to the database ``postgres`` with every right."""
        return self.url("postgres", user=SUPERUSER, password=self.superuser_password)

    def url(
        self, database: str, *, user: str = OWNER, password: str | None = None, host: str = LOOPBACK
    ) -> str:
        """Return a SQLAlchemy URL over TCP, as the databases' owner unless told otherwise."""
        password = self.owner_password if password is None else password
        return f"postgresql+psycopg://{user}:{password}@{host}:{self.port}/{database}"

    def execute(
        self, statement: LiteralString | sql.SQL | sql.Composed, database: str = "postgres"
    ) -> list[tuple[object, ...]]:
        """Run one statement as the superuser, outside a transaction, and return its rows."""
        with self._connect(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create_database(self) -> str:
        """Make an empty database that belongs to the unprivileged role and return its name."""
        name = f"test_{next(self._names)}"
        self.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
                sql.Identifier(name), sql.Identifier(OWNER)
            )
        )
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database together with whoever is still connected to it."""
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def log(self) -> str:
        """Return what the server has written."""
        return (self.folder / "log").read_text("utf-8", errors="replace")

    def start(self) -> None:
        """Start the server where it does not run, and wait until it answers.

        Raises:
            ServerStartError: It ended by itself or did not answer in time.
        """
        if self.running:
            return
        self._launch()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                self.stop("SIGQUIT")
                raise ServerStartError(self.log()[-2000:])
            time.sleep(0.02)

    def stop(self, how: Stop = "SIGINT") -> None:
        """Stop the server where it runs, connections and all, and wait until it is gone."""
        guard, self._guard = self._guard, None
        if guard is not None:
            # The guard may have ended with its server: then nobody reads the order, and none is needed.
            try:
                guard.communicate(f"{how}\n")
            except BrokenPipeError:
                guard.wait()

    def restart(self, how: Stop = "SIGINT") -> None:
        """Stop and start."""
        self.stop(how)
        self.start()

    def listen_on(self, address: str, clients: str) -> None:
        """Let others than this machine reach the server, by password; a server that runs is restarted.

        Args:
            address: One of this machine's, besides the loopback.
            clients: CIDR of those who may connect.
        """
        if address in self._addresses:
            return
        self._addresses.append(address)
        with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {clients} scram-sha-256\n")
        if self.running:
            self.restart()

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop("SIGQUIT")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(self.superuser_password, "utf-8")
        other: dict[str, object] = {}
        if self._user is not None:
            for path in (self.folder, password):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
            other = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        command = [
            *(self._programs / "initdb", "--pgdata", self.folder / "data", "--username", SUPERUSER),
            *("--pwfile", password, "--auth-local", "trust", "--auth-host", "scram-sha-256"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        ]
        done = subprocess.run(  # type: ignore[call-overload]
            command, cwd=self.folder, capture_output=True, text=True, check=False, **other
        )
        if done.returncode != 0:
            raise ServerStartError(done.stderr)

    def _start_on_a_free_port(self) -> None:
        for attempt in itertools.count(1):
            (self.port,) = free_ports(1, "127.0.0.1")
            try:
                self.start()
            except ServerStartError:
                if attempt == PORT_ATTEMPTS or "could not bind" not in self.log():
                    raise
            else:
                return

    def _launch(self) -> None:
        settings = {
            "listen_addresses": ",".join(self._addresses),
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self._settings,
        }
        user = postgres_guard.KEEP if self._user is None else self._user.pw_name
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("a") as log:
            guard = subprocess.Popen(
                [sys.executable, "-IS", postgres_guard.__file__, user, str(self.folder), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._guard = guard
        self.pid = int(cast("IO[str]", guard.stdout).readline())

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.folder), port=self.port, user=SUPERUSER, dbname=database, autocommit=True
        )


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Return who runs the server: PostgreSQL's own user or ``nobody`` where root runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]
