"""The embedded platform, as its user runs it: values.yaml in, rotated keys and a true status out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from practicus_mfa.crypto.keys import generate_key
from tests.support.installation import Installation
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = generate_key(), generate_key(), generate_key()
NAMES = [f"user{number}" for number in range(30)]


@pytest.fixture
def installation(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> Installation:
    """An installation without users, its first key in force."""
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else ""
    installed = Installation(tmp_path, url)
    done = installed.up_once(A.text)
    assert done.code == 0, done
    return installed


both = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
sqlite = pytest.mark.parametrize("kind", ["sqlite"])


@both
def test_two_changed_lines_rotate_every_key(installation: Installation) -> None:
    installation.enrol(*NAMES)

    done = installation.up_once(B.text, A.text)

    assert (done.code, done.err) == (0, "")
    installation.check_secrets(NAMES, B)
    status = installation.status()
    assert status["users"] == {
        "total": 30, "enrolled": 30, "active": 30, "rolling": 0, "unknown": 0, "corrupt": 0,
    }  # fmt: skip
    assert status["rotation"]["migrated"] == 30
    assert status["rotation"]["step"] == "Complete"
    conditions = installation.conditions()
    assert conditions["Ready"] == ("True", "Ready")
    assert conditions["OldKeyRetirable"] == ("True", "Safe")
    verified = installation.command("verify")
    assert verified.code == 0
    assert f"All 30 tokens open under the active key {B.id}." in verified.out
    assert all(key not in done.out + done.err for key in (A.text, B.text))


@both
def test_the_only_token_is_told_as_such(installation: Installation) -> None:
    installation.enrol(NAMES[0])
    installation.up_once(B.text, A.text)
    assert installation.command("verify").out == f"The token opens under the active key {B.id}.\n"


@both
def test_each_event_of_a_rotation_is_told_once(installation: Installation) -> None:
    installation.enrol(*NAMES)

    told = installation.up_once(B.text, A.text).out

    for event in (
        "RotationStarted",
        "ReadersConverged ",
        "KeyPromoted",
        "MigrationCompleted",
        "OldKeyRetired",
    ):
        assert told.count(f" {event}") == 1, (event, told)
    assert "30 rows were re-encrypted" in told


@sqlite
def test_a_changed_file_acts_at_once_and_an_idle_platform_writes_nothing(installation: Installation) -> None:
    installation.enrol(*NAMES)
    with installation.up():
        installation.await_reason("Ready", "Ready")
        installation.write_values(B.text, A.text)
        until(lambda: installation.published().get("activeKeyID") == B.id, "the new key")
        installation.await_reason("OldKeyRetirable", "Safe")
        before = installation.folder.keyring.stat().st_mtime_ns
        installation.write_values(B.text)
        installation.await_reason("OldKeyRetirable", "NoRollingKey")
        until(lambda: installation.keyring()[0].ids == {B.id}, "the old key to leave the keyring")
        assert installation.folder.keyring.stat().st_mtime_ns != before
    installation.check_secrets(NAMES, B)


@sqlite
def test_three_keys_in_a_row_end_at_the_last(installation: Installation) -> None:
    installation.enrol(*NAMES)
    with installation.up():
        installation.write_values(B.text, A.text)
        installation.write_values(C.text, B.text)
        until(lambda: installation.published().get("activeKeyID") == C.id, "the last key")
        installation.await_reason("Ready", "Ready")
    installation.check_secrets(NAMES, C)


@sqlite
def test_a_second_platform_on_the_folder_is_refused(installation: Installation) -> None:
    with installation.up():
        installation.await_reason("Ready", "Ready")
        done = installation.up_once(A.text)
    assert done.code == 2
    assert done.err == (
        f"error: another practicus-mfa up runs on {installation.folder.root}\n"
        "remedy: stop that one first, or name another folder with --data-dir\n"
    )


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_second_policy_on_the_database_changes_nothing(installation: Installation, tmp_path: Path) -> None:
    installation.enrol(*NAMES)
    other = Installation(tmp_path / "other", installation.database_url)
    other.root.mkdir()

    done = other.up_once(B.text, A.text)

    assert done.code == 3
    assert other.conditions()["Stalled"] == ("True", "ClaimedByOther")
    assert not other.folder.keyring.exists()
    installation.check_secrets(NAMES, A)
    assert installation.conditions()["Ready"] == ("True", "Ready")


@both
@pytest.mark.parametrize("moments", [5])
def test_a_platform_killed_at_any_step_goes_on(installation: Installation, moments: int) -> None:
    installation.enrol(*NAMES)
    keys = [A, B, C, generate_key(), generate_key(), generate_key()]
    steps = ("Stage", "Promote", "Migrate", "Verify", "Retire")
    assert moments == len(steps)
    for number, step in enumerate(steps):
        old, new = keys[number], keys[number + 1]
        installation.write_values(new.text, old.text)
        with installation.up() as process:
            seen = {"at": ""}

            def reached(step: str = step, seen: dict[str, str] = seen) -> bool:
                rotation = installation.published().get("rotation") or {}
                seen["at"] = str(rotation.get("step", ""))
                return seen["at"] in (step, "Complete")

            until(reached, f"step {step}")
            process.kill()
            process.wait()
        done = installation.up_once(new.text, old.text)
        assert done.code == 0, done
        installation.check_secrets(NAMES, new)


@sqlite
def test_emptied_key_harms_nothing(installation: Installation) -> None:
    installation.enrol(*NAMES)
    done = installation.up_once("")
    assert done.code == 3
    assert installation.conditions()["KeysValid"] == ("False", "ActiveKeyMissing")
    installation.check_secrets(NAMES, A)
    installation.enrol("newcomer")
    assert installation.up_once(A.text).code == 0


@sqlite
def test_lost_keyring_is_rebuilt_only_with_every_key_that_rows_need(installation: Installation) -> None:
    installation.enrol(*NAMES)
    generation = installation.keyring()[0].generation
    installation.folder.keyring.unlink()

    done = installation.up_once(B.text)

    assert done.code == 3
    assert installation.conditions()["DataUpToDate"] == ("False", "RollingKeyMissing")
    assert A.id in installation.message("DataUpToDate")
    assert not installation.folder.keyring.exists()

    assert installation.up_once(B.text, A.text).code == 0
    assert installation.keyring()[0].generation > generation
    installation.check_secrets(NAMES, B)


@sqlite
def test_an_older_database_under_a_newer_keyring_is_rotated_again(
    installation: Installation, tmp_path: Path
) -> None:
    installation.enrol(*NAMES)
    backup = tmp_path / "backup.zip"
    assert installation.command("backup", "create", str(backup)).code == 0
    assert installation.up_once(B.text, A.text).code == 0

    assert installation.command("backup", "restore", str(backup), "--replace").code == 0
    done = installation.up_once(B.text, A.text)

    assert done.code == 0, done
    installation.check_secrets(NAMES, B)


@sqlite
def test_restored_rows_whose_key_was_unloaded_name_the_key(
    installation: Installation, tmp_path: Path
) -> None:
    installation.enrol(*NAMES)
    backup = tmp_path / "backup.zip"
    assert installation.command("backup", "create", str(backup)).code == 0
    assert installation.up_once(B.text, A.text).code == 0
    assert installation.up_once(B.text).code == 0

    assert installation.command("backup", "restore", str(backup), "--replace").code == 0
    done = installation.up_once(B.text)

    assert done.code == 3
    assert installation.conditions()["DataUpToDate"] == ("False", "RollingKeyMissing")
    assert f"30 rows need key {A.id}" in installation.message("DataUpToDate")
    assert installation.up_once(B.text, A.text).code == 0
    installation.check_secrets(NAMES, B)
