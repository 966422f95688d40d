"""Each lock-out of the guide, played through with the guide's own commands, on a real platform."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sqlite3
import ssl
import subprocess
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import insert, select, update

from practicus_mfa.crypto.keyring_file import load
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.crypto.recovery_codes import code_hash, new_codes
from practicus_mfa.login import administer
from practicus_mfa.storage import factors, recovery_codes, schema, users
from practicus_mfa.storage.engine import database_now
from tests.support import postgres_programs
from tests.support.guide import LOCKED_OUT, sections, type_in, words_of
from tests.support.installation import ENVIRONMENT, Installation, secret_of
from tests.support.login_site import LOOPBACK, Replica
from tests.support.people import PASSWORD
from tests.support.waiting import LIMIT_SECONDS, until
from tests.support.web_user import WebUser, code_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table

    from practicus_mfa.storage.transaction import Transaction
    from tests.support.guide import Section

GUIDE: Final = sections()
LOST_DEVICE: Final = GUIDE["One administrator lost the device"]
EVERYBODY: Final = GUIDE["Everybody is locked out"]
LOST_KEYS: Final = GUIDE["Both keys are lost"]
OLD_BACKUP: Final = GUIDE["An old backup was restored"]
SQL: Final = GUIDE["By SQL alone"]

MANDATORY: Final = {"mfa": {"enabled": True, "mandatory": True}}
FIRST, SECOND = generate_key(), generate_key()

UP: Final = LOST_KEYS.commands()[2]
"""The guide's own way of starting the platform."""


class LoginPage(Replica):
    """The log-in page of the platform, over plain http."""

    @property
    def direct(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    """Where MFA is mandatory and ada, who administers everything, and bob have it; no platform runs."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    installed = Installation(tmp_path, url)
    assert apply(installed, FIRST.text) == 0
    installed.enrol("ada", "bob")
    with installed.database() as db:
        for name in ("ada", "bob"):
            administer.set_password(db, name, PASSWORD, actor="test")
        with db.write() as connection:
            connection.execute(update(schema.users).values(is_staff=True))
    return installed


def apply(installation: Installation, active: str, rolling: str = "") -> int:
    """Write values.yaml and reconcile to the end; return the exit code."""
    return installation.up_once(active, rolling, userLogin=MANDATORY).code


@contextmanager
def alone() -> Iterator[None]:
    """One after the other, whichever run of tests they are of.

    The guide names no port, so each platform takes the first that is free: two that start at the same moment
    would take the same one, and a page would be the other's.
    """
    with (Path(gettempdir()) / f"practicus-mfa-guide-{os.getuid()}").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def platform(installation: Installation, command: str = UP) -> Iterator[LoginPage]:
    """The platform, as the guide has it started, with its log-in page."""
    with alone(), started(installation, command) as page:
        yield page


@contextmanager
def started(installation: Installation, command: str) -> Iterator[LoginPage]:
    """The same, whatever else runs."""
    log = installation.root / "up.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            words_of(command),
            cwd=installation.root,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
        )
    try:
        address = re.compile(r"The log-in page: http://127\.0\.0\.1:(\d+)/")
        until(lambda: address.search(log.read_text()) is not None or process.poll() is not None, "the page")
        found = address.search(log.read_text())
        assert found is not None, log.read_text()
        tls = ssl.create_default_context()
        yield LoginPage(int(found[1]), 0, process, log, LOOPBACK, tls)
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


def leads(page: LoginPage, name: str) -> str:
    """Where the right password leads."""
    with WebUser(page) as person:
        person.get("/login")
        answer = person.post("/login", username=name, password=PASSWORD)
        return str(answer.headers.get("location", answer.text))


def gets_in_anew(page: LoginPage, name: str) -> None:
    """With the password alone, then MFA is set up again, and then it is asked for."""
    with WebUser(page) as person:
        person.get("/login")
        assert person.post("/login", username=name, password=PASSWORD).headers["location"] == "/enroll"
        wrong, _ = person.enrol()
        assert wrong == ""
        assert name in person.get("/account").text
    assert leads(page, name) == "/login/totp"


def gets_in_with(page: LoginPage, name: str, path: str, code: str) -> None:
    """With password and a code."""
    with WebUser(page) as person:
        person.get("/login")
        assert person.post("/login", username=name, password=PASSWORD).headers["location"] == "/login/totp"
        person.get(path)
        person.post(path, code=code)
        assert name in person.get("/account").text


def done(installation: Installation, command: str) -> str:
    """Type a command of the guide; it ends well. Return what it says."""
    ended = type_in(command, installation.root)
    assert ended.code == 0, ended
    return ended.out + ended.err


# --- the cases ----------------------------------------------------------------------------------------


def test_one_administrator_lost_the_device(installation: Installation) -> None:
    with platform(installation) as page:
        assert leads(page, "ada") == "/login/totp"
        (command,) = LOST_DEVICE.commands()
        assert done(installation, command) == LOST_DEVICE.texts("text")[0]
        assert leads(page, "bob") == "/login/totp"
        gets_in_anew(page, "ada")


def test_the_device_turns_up_again(installation: Installation) -> None:
    with platform(installation) as page:
        done(installation, LOST_DEVICE.commands()[0])
        assert leads(page, "ada") == "/enroll"
        done(installation, LOST_DEVICE.commands(2)[0])
        # From the next code on: the one that the app shows now was perhaps seen before.
        gets_in_with(page, "ada", "/login/totp", code_now(secret_of("ada"), steps=1))


def test_everybody_is_locked_out(installation: Installation) -> None:
    with platform(installation) as page:
        assert {leads(page, name) for name in ("ada", "bob")} == {"/login/totp"}
        listed, recovered, removed = (done(installation, command) for command in EVERYBODY.commands())
        assert {"ada", "bob"} <= set(listed.split())
        assert "The MFA of ada was cleared" in recovered
        assert "MFA removed" in removed
        for name in ("ada", "bob"):
            gets_in_anew(page, name)


def test_both_keys_are_lost(installation: Installation) -> None:
    codes = new_codes()
    with installation.database() as db, db.write() as connection:
        (factor,) = factors.of_user(connection, users.get(connection, "bob").id)
        recovery_codes.replace(connection, factor.id, [code_hash(code) or b"" for code in codes])
    generate, recover, _ = LOST_KEYS.commands()
    installation.folder.keyring.unlink()
    new = done(installation, generate).strip()
    # As the guide says one sees it: no new key helps while the lost one is waited for.
    assert apply(installation, new) == 3
    seen = "The keyring is lost and rows need key"
    assert seen in installation.message("Ready")
    assert installation.conditions()["Ready"] == ("False", "RollingKeyMissing")

    assert f"Key {FIRST.id} writes no more" in done(installation, recover)
    with platform(installation) as page:
        gets_in_anew(page, "ada")
        gets_in_with(page, "bob", "/login/recovery", codes[0])
        installation.await_reason("Ready", "RollingKeyMissing")
        assert "1 row needs key" in installation.message("Ready")

    # The old key is found.
    assert apply(installation, new, FIRST.text) == 0
    with installation.database() as db, db.read() as connection:
        keys = connection.execute(select(schema.factors.c.key_id).distinct()).scalars().all()
    assert len(keys) == 1
    assert FIRST.id not in keys


def test_an_old_backup_was_restored(installation: Installation) -> None:
    backup = str(installation.root / "old.zip")
    assert installation.command("backup", "create", backup).code == 0
    for values in ((SECOND.text, FIRST.text), (SECOND.text, "")):
        assert apply(installation, *values) == 0
    assert FIRST.id not in installation.keyring()[0].ids
    assert installation.command("backup", "restore", backup, "--replace").code == 0

    with platform(installation) as page:
        installation.await_reason("Ready", "RollingKeyMissing")
        recover, status, wait = OLD_BACKUP.commands()
        done(installation, recover)
        ended = type_in(status, installation.root)
        assert FIRST.id in ended.out
        gets_in_anew(page, "ada")

        archive = installation.folder.keyring_archive
        assert f"`{archive.relative_to(installation.root)}`" in LOCKED_OUT.read_text("utf-8")
        _, archived = load(archive.read_text("utf-8"), source="archive")
        installation.write_values(SECOND.text, archived[FIRST.id].text, userLogin=MANDATORY)
        until(lambda: installation.published().get("rollingKeyID") == FIRST.id, "the file to be followed")
        done(installation, wait)
        # The next code: the one of the restore's own step is good no more.
        gets_in_with(page, "bob", "/login/totp", code_now(secret_of("bob"), steps=1))
    installation.check_secrets(["bob"], SECOND)


# --- by hand ------------------------------------------------------------------------------------------


def test_sql_alone_does_what_recover_does(installation: Installation) -> None:
    with installation.database() as db, db.write() as connection:
        ada, bob = (users.get(connection, name) for name in ("ada", "bob"))
        codes = (factors.of_user(connection, ada.id)[0].id, [b"h" * 32])
        recovery_codes.replace(connection, *codes)
        for user in (ada, bob):
            _someone_is_in(connection, user.id)
        before = factors.of_user(connection, ada.id)
    _run_sql(installation)

    with installation.database() as db, db.read() as connection:
        left = {table.name: _users_in(connection, table) for table in _OF_USERS}
        kept = connection.execute(select(schema.recovery_archive.c.user_id)).scalars().all()
        line = connection.execute(select(schema.audit).order_by(schema.audit.c.id.desc()).limit(1)).one()
    assert left == {name: [bob.id] for name in left}
    assert kept == [ada.id]
    assert (line.actor, line.action, line.subject) == ("sql", "mfa.recover", "ada")
    with platform(installation) as page:
        assert leads(page, "ada") == "/enroll"
        assert leads(page, "bob") == "/login/totp"
        done(installation, LOST_DEVICE.commands(2)[0])
        assert leads(page, "ada") == "/login/totp"
    with installation.database() as db, db.read() as connection:
        (back,) = factors.of_user(connection, ada.id)
        assert (back.token, back.key_id) == (before[0].token, before[0].key_id)
        assert recovery_codes.left(connection, ada.id) == 1


_OF_USERS: Final = (
    schema.factors,
    schema.attempts,
    schema.pending_factors,
    schema.half_logins,
    schema.sessions,
)


def _someone_is_in(connection: Transaction, user_id: int) -> None:
    """Have a session, a half log-in, a set-up that was begun and a stop."""
    now = database_now(connection)
    later, token = now + timedelta(hours=1), user_id.to_bytes(32, "big")
    of_user = {"user_id": user_id, "expires_at": later}
    session = {"token_hash": token, "remembered": False, "proved_at": now}
    stop = {"counter": str(user_id), "kind": "code", "subject": "s", "failures": 100, "forever": True}
    connection.execute(insert(schema.sessions).values(of_user | session))
    connection.execute(insert(schema.half_logins).values(of_user | {"token_hash": token}))
    connection.execute(insert(schema.pending_factors).values(of_user | {"token": "offered"}))
    connection.execute(insert(schema.attempts).values(of_user | stop))


def _users_in(connection: Transaction, table: Table) -> list[int]:
    return list(connection.execute(select(table.c.user_id).distinct()).scalars())


def _run_sql(installation: Installation) -> None:
    """Save the guide's SQL and run it as the guide says."""
    for_postgres, for_sqlite = SQL.texts("sql")
    file = installation.root / "recover.sql"
    if installation.database_url:
        file.write_text(for_postgres, "utf-8")
        programs = postgres_programs.find()
        assert programs is not None
        url = installation.database_url.replace("postgresql+psycopg://", "postgresql://")
        environment = {**os.environ, "DATABASE_URL": url, "PATH": f"{programs}:{os.environ['PATH']}"}
        (command,) = SQL.commands()
        run = ["bash", "-c", command]
        ended = subprocess.run(
            run, cwd=installation.root, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert "INSERT 0 1" in ended.stdout
        assert ended.stdout.splitlines()[-1] == "COMMIT"
        return
    file.write_text(for_sqlite, "utf-8")
    (command,) = SQL.commands(1)
    if shutil.which("sqlite3"):
        subprocess.run(["bash", "-c", command], cwd=installation.root, check=True)
        return
    # The same library without its shell.
    with closing(sqlite3.connect(installation.folder.sqlite)) as connection:
        connection.executescript(for_sqlite)


# --- the same everywhere ------------------------------------------------------------------------------


@pytest.mark.parametrize("heading", GUIDE)
def test_no_case_takes_more_than_three_commands(heading: str) -> None:
    for number in range(len(GUIDE[heading].texts("sh"))):
        assert 1 <= len(GUIDE[heading].commands(number)) <= 3


@pytest.mark.parametrize("section", [LOST_DEVICE, EVERYBODY, LOST_KEYS, OLD_BACKUP])
def test_in_a_cluster_it_is_the_same_command_in_the_operators_pod(section: Section) -> None:
    on_the_machine, in_the_cluster = section.commands(), section.commands(1)
    assert len(on_the_machine) == len(in_the_cluster)
    in_the_pod = "kubectl -n login exec deploy/mfa-operator -- "
    said = [command for command in in_the_cluster if command.startswith(in_the_pod)]
    assert said
    for command in said:
        same = command.removeprefix(in_the_pod)
        assert same in [each.removesuffix(" --data-dir data") for each in on_the_machine]
