"""The embedded platform under rough handling: files that vanish, another database, signals."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from practicus_mfa.crypto.keys import generate_key
from tests.support.installation import ENVIRONMENT, PROGRAM, Installation, call
from tests.support.stores import lagging
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import PostgresServer

A, B = generate_key(), generate_key()
NAMES = ["user0", "user1", "user2"]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Three users under the key A, on SQLite."""
    installed = Installation(tmp_path)
    assert installed.up_once(A.text).code == 0
    installed.enrol(*NAMES)
    return installed


def test_a_secret_that_goes_away_is_seen(installation: Installation) -> None:
    with installation.up():
        installation.await_reason("Ready", "Ready")
        installation.folder.secret_store.unlink()
        installation.await_reason("KeysValid", "SecretMissing")


def test_a_lock_that_can_not_be_opened_is_named(installation: Installation) -> None:
    installation.folder.lock.unlink()
    installation.folder.lock.mkdir()
    done = installation.up_once(A.text)
    assert done.code == 2
    assert f"{installation.folder.lock} can't be opened: Is a directory" in done.err


def test_a_damaged_status_is_published_anew(installation: Installation) -> None:
    installation.folder.status.write_text("{[", encoding="utf-8")
    assert installation.up_once(A.text).code == 0
    assert installation.published()["activeKeyID"] == A.id


def test_looking_writes_nothing(installation: Installation) -> None:
    policy = installation.folder.policy
    policy.write_text(policy.read_text().replace("mandatory: false", "mandatory: true"))
    before = policy.read_bytes()
    assert installation.command("plan").code == 0
    assert installation.status()["observedGeneration"] == 2
    assert policy.read_bytes() == before


def test_counts_that_are_wrong_are_repaired_and_end_the_rotation(installation: Installation) -> None:
    with installation.database() as db, db.write() as connection:
        connection.execute(text("INSERT INTO mfa_factor_deltas (key_id, fault, rows) VALUES ('', '', 2)"))
    assert installation.status()["users"]["enrolled"] == 5
    assert installation.up_once(B.text, A.text).code == 0
    assert installation.status()["users"]["enrolled"] == 3
    installation.check_secrets(NAMES, B)


def test_a_module_in_the_folder_of_the_caller_is_not_imported(
    installation: Installation, tmp_path: Path
) -> None:
    (tmp_path / "yaml.py").write_text("raise SystemExit('the wrong module')", encoding="utf-8")
    installation.write_values(B.text, A.text)
    files = ["--values", str(installation.values_file), "--data-dir", str(installation.folder.root)]
    # As the installed program begins, which has no folder of the caller on its path either.
    done = call(PROGRAM[0], "-P", *PROGRAM[1:], "up", "--once", *files, folder=tmp_path)
    assert done.code == 0, done.err
    installation.check_secrets(NAMES, B)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_interrupted_does_not_pass_for_an_ended_one(
    installation: Installation, number: signal.Signals
) -> None:
    with installation.database() as db:
        lagging(db, "lags", A.id)
    installation.write_values(B.text, A.text)
    files = ["--values", str(installation.values_file), "--data-dir", str(installation.folder.root)]
    installation.folder.status.unlink()
    with subprocess.Popen(
        [*PROGRAM, "up", "--once", *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        installation.await_reason("ReadersConverged", "WaitingForReaders")
        process.send_signal(number)
        _, told = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, told) == (130, "cancelled\n")


def test_a_database_file_that_is_taken_away_ends_it(installation: Installation) -> None:
    with installation.up() as process:
        installation.await_reason("Ready", "Ready")
        installation.folder.sqlite.rename(installation.root / "away.db")
        told, _ = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 2
    assert "was taken away while the platform runs" in told
    assert not installation.folder.sqlite.exists()


def test_a_database_file_that_is_replaced_is_worked_on(installation: Installation) -> None:
    replacement = installation.root / "replacement.db"
    with closing(sqlite3.connect(installation.folder.sqlite)) as connection:
        connection.execute("VACUUM INTO ?", (str(replacement),))
    installation.enrol("late")
    with installation.up():
        installation.await_reason("Ready", "Ready")
        assert _users(installation) == 4
        for path in installation.folder.root.glob("practicus-mfa.db-*"):
            path.unlink()
        replacement.replace(installation.folder.sqlite)
        until(lambda: _users(installation) == 3, "the other database to be looked at")


def _users(installation: Installation) -> int:
    return int(installation.published()["users"]["total"])


def test_another_database_in_values_yaml_is_moved_to_at_once(
    tmp_path: Path, postgres_server: PostgresServer, postgres_url: str
) -> None:
    other = postgres_server.create_database()
    old = Installation(tmp_path, postgres_url)
    new = Installation(tmp_path, postgres_server.url(other))
    try:
        assert old.up_once(A.text).code == 0
        old.enrol(*NAMES)
        with old.up():
            old.await_reason("Ready", "Ready")
            assert old.published()["users"]["enrolled"] == 3
            new.write_values(A.text)
            until(lambda: _users(new) == 0, "the other database to be looked at")
            new.await_reason("Ready", "Ready")
            new.enrol("newcomer")
            new.write_values(B.text, A.text)
            new.await_reason("OldKeyRetirable", "Safe")
        new.check_secrets(["newcomer"], B)
        old.check_secrets(NAMES, A)
    finally:
        postgres_server.drop_database(other)
