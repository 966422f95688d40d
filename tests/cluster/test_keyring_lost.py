"""The keyring or the database is lost, or comes back from a backup: what can be rebuilt, and what not."""

from __future__ import annotations

import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.engine import make_url

from practicus_mfa.core.keyring import KeyState
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.objects import SECRETS
from tests.support import postgres_programs
from tests.support.cluster.steps import (
    NAMES,
    await_rotated,
    begin,
    delete_secret,
    rotate,
    suspend,
)
from tests.support.waiting import until, until_it_succeeds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.shared_operator import SharedOperator

A, B = generate_key(), generate_key()


@pytest.fixture
def installation(served: ClusterInstallation) -> ClusterInstallation:
    """Users under the key A."""
    begin(served, A)
    return served


def test_a_first_install_makes_a_keyring_of_the_active_key(installation: ClusterInstallation) -> None:
    keyring = installation.keyring()[0]
    assert (keyring.generation, dict(keyring.states)) == (2, {A.id: KeyState.ACTIVE})
    assert installation.conditions()["Ready"] == ("True", "Ready")
    assert installation.conditions()["OldKeyRetirable"] == ("False", "NoRollingKey")
    installation.check_secrets(NAMES, A)


def _exists(installation: ClusterInstallation) -> bool:
    return installation.cluster.get(SECRETS, installation.namespace, installation.keyring_name) is not None


def test_a_deleted_keyring_is_rebuilt_from_the_secret_above_its_highest_generation(
    installation: ClusterInstallation,
) -> None:
    before = installation.keyring()[0]
    delete_secret(installation, installation.keyring_name)
    until(lambda: _exists(installation), "the keyring")
    after = installation.keyring()[0]
    assert after.generation == before.generation + 1
    assert after.states == before.states
    await_rotated(installation, A)
    installation.check_secrets(NAMES, A)


def test_a_keyring_deleted_in_the_middle_of_a_migration_is_rebuilt_and_the_migration_ends(
    installation: ClusterInstallation, shared_operator: SharedOperator
) -> None:
    shared_operator.node.held = True
    try:
        rotate(installation, B, A)
        until(lambda: installation.status().get("activeKeyID") == B.id, "the promotion")
        delete_secret(installation, installation.keyring_name)
        until(lambda: _exists(installation), "the keyring")
        assert installation.keyring()[0].ids == {A.id, B.id}
    finally:
        shared_operator.node.held = False
    await_rotated(installation, B)
    installation.check_secrets(NAMES, B)


def test_a_keyring_whose_keys_the_secret_lacks_is_not_rebuilt_until_they_are_back(
    installation: ClusterInstallation,
) -> None:
    suspend(installation, True)
    installation.apply(B.text, migration={"suspend": True, "parallelism": 1})
    installation.await_reason("DataUpToDate", "Suspended")
    delete_secret(installation, installation.keyring_name)
    installation.await_reason("Stalled", "RollingKeyMissing")
    assert installation.conditions()["DataUpToDate"] == ("False", "RollingKeyMissing")
    assert f"rows need key {A.id}, which secretStore does not hold" in installation.message("DataUpToDate")
    # Over two further passes as well: an incomplete keyring would look like a sound one.
    installation.quiet(5)
    assert not _exists(installation)

    rotate(installation, B, A)
    await_rotated(installation, B)
    installation.check_secrets(NAMES, B)


def _run(program: str, installation: ClusterInstallation, *arguments: str) -> None:
    folder = postgres_programs.find()
    assert folder is not None
    url = make_url(installation.database_url).set(drivername="postgresql")
    command = [str(folder / program), f"--dbname={url.render_as_string(hide_password=False)}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "deadlock detected" in done.stderr:
        raise DeadlockError(done.stderr)
    assert done.returncode == 0, done.stderr


class DeadlockError(Exception):
    """The operator looked at the same tables, and of the two this one had to give way."""


def _restore(installation: ClusterInstallation, backup: str) -> None:
    # All of it or nothing, so that it can be done again.
    how = ("--clean", "--single-transaction", "--no-owner", backup)
    restore = partial(_run, "pg_restore", installation, *how)
    until_it_succeeds(restore, "the backup to be restored", despite=DeadlockError)


def test_a_database_older_than_the_keyring_is_brought_forward_or_names_the_key_that_is_gone(
    installation: ClusterInstallation, tmp_path: Path
) -> None:
    backup = str(tmp_path / "backup")
    _run("pg_dump", installation, "--format=custom", f"--file={backup}")
    rotate(installation, B, A)
    await_rotated(installation, B)
    before = installation.status()["rotation"]["startedAt"]

    _restore(installation, backup)
    # The keyring still has the key of the restored rows.
    until(lambda: installation.status()["rotation"].get("startedAt") != before, "a new rotation")
    await_rotated(installation, B)
    installation.check_secrets(NAMES, B)

    rotate(installation, B)
    until(lambda: installation.keyring()[0].ids == {B.id}, "the old key to be unloaded")
    _restore(installation, backup)
    installation.await_reason("Stalled", "RollingKeyMissing")
    assert installation.conditions()["DataUpToDate"] == ("False", "RollingKeyMissing")
    assert f"{len(NAMES)} rows need key {A.id}" in installation.message("DataUpToDate")
    installation.check_secrets(NAMES, A)

    rotate(installation, B, A)
    await_rotated(installation, B)
    installation.check_secrets(NAMES, B)
