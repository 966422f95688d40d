"""``practicus-mfa migrate`` as a Job's pod runs it: its share, by its index, and how it ends when told to."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.core.policy import MigrationRules
from practicus_mfa.core.spelling import migration_spelled
from practicus_mfa.crypto.keyring_file import dump
from practicus_mfa.storage.policy_row import save_policy
from practicus_mfa.storage.shards import read_shards
from tests.support.rotating import Rotating, new_secrets, opened, rotating, stored
from tests.support.stores import ready
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM: Final = (sys.executable, "-P", "-m", "practicus_mfa")
ROWS: Final = 2_000
SHARDS: Final = 4


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Rotating]:
    url = f"sqlite:///{tmp_path / 'mfa.sqlite'}"
    with ready(url) as db:
        found = rotating(db, secrets=new_secrets(ROWS))
        found.plan(found.job(Mode.MIGRATE), shards=SHARDS)
        keyring = Keyring(5, {found.new.id: KeyState.ACTIVE, found.old.id: KeyState.ROLLING})
        (tmp_path / "keyring.yaml").write_text(dump(keyring, found.keys))
        (tmp_path / "url").write_text(url)
        yield found


def _arguments(folder: Path, *options: str) -> list[str]:
    files = ["--database-url-file", str(folder / "url"), "--keyring", str(folder / "keyring.yaml")]
    return [*PROGRAM, "migrate", *files, *options]


def _run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_arguments(folder, *options), capture_output=True, text=True, check=False)


def _start(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(_arguments(folder, *options), stderr=subprocess.PIPE, text=True)


def _done(world: Rotating) -> list[int]:
    with world.db.read() as connection:
        shards = read_shards(connection, world.rotation_id, Mode.MIGRATE, OWN_TABLE)
    return [shard.number for shard in shards if shard.done]


def _moved(world: Rotating) -> int:
    return sum(key == world.new.id for _, key, _ in stored(world.db).values())


def test_each_index_does_its_share(world: Rotating, tmp_path: Path) -> None:
    assert _run(tmp_path, "--indexed-shard", "0/2", "--keyring-generation", "5").returncode == 0
    assert _done(world) == [0, 2]
    assert _run(tmp_path, "--indexed-shard", "1/2", "--keyring-generation", "5").returncode == 0
    assert _done(world) == [0, 1, 2, 3]
    assert len(opened(world.db, world.new)) == ROWS


def test_a_pod_that_mounted_an_older_keyring_asks_to_be_started_again(
    world: Rotating, tmp_path: Path
) -> None:
    ended = _run(tmp_path, "--indexed-shard", "0/2", "--keyring-generation", "6")
    assert ended.returncode == 75
    assert ended.stderr.splitlines()[0] == "error: the keyring is of generation 5, older than 6"
    assert _moved(world) == 0


def test_a_worker_that_is_told_to_stop_ends_with_its_share_undone_and_says_so(
    world: Rotating, tmp_path: Path
) -> None:
    with world.db.write() as connection:
        one_row_a_page = {"migration": migration_spelled(MigrationRules(batch_size=1))}
        save_policy(connection, 1, one_row_a_page)
    with _start(tmp_path, "--indexed-shard", "0/1") as process:
        until(lambda: _moved(world) > 0, "the first page")
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[1]
    assert process.returncode == 75
    assert said.splitlines() == [
        "error: this worker was told to stop before its share was done",
        "remedy: start it again: it goes on where it stopped",
    ]
    assert 0 < _moved(world) < ROWS
    with world.db.write() as connection:
        save_policy(connection, 2, {"migration": migration_spelled(MigrationRules())})
    assert _run(tmp_path, "--indexed-shard", "0/1").returncode == 0
    assert len(opened(world.db, world.new)) == ROWS


def test_a_worker_that_still_waits_for_the_database_ends_at_once(tmp_path: Path) -> None:
    (tmp_path / "keyring.yaml").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (tmp_path / "url").write_text(f"postgresql://mfa@127.0.0.1:{silent.getsockname()[1]}/mfa")
        with _start(tmp_path, "--indexed-shard", "0/1") as process, silent.accept()[0]:
            process.send_signal(signal.SIGTERM)
            process.communicate()
    assert process.returncode == 75


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--indexed-shard", "2/2"],
            (
                "Invalid value for '--indexed-shard': "
                "'2/2' is not I/N: the I-th of N workers, counted from 0, for example 0/4"
            ),
        ),
        (
            ["--shard", "0/2"],
            (
                "Invalid value for '--shard': "
                "'0/2' is not I/N: the I-th of N workers, counted from 1, for example 1/4"
            ),
        ),
        (
            ["--indexed-shard", "$(INDEX)/2"],
            (
                "Invalid value for '--indexed-shard': "
                "'$(INDEX)/2' is not I/N: the I-th of N workers, counted from 0, for example 0/4"
            ),
        ),
        (
            ["--shard", "1/2", "--indexed-shard", "0/2"],
            "--shard and --indexed-shard say the same: give one of them.",
        ),
    ],
)
def test_shares_that_there_are_not(tmp_path: Path, options: list[str], said: str) -> None:
    ended = _run(tmp_path, *options)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[0] == f"error: {said}"
