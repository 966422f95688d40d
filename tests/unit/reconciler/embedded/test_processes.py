"""Workers as processes: how they ended, and what becomes of them when they are told to stop."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.core.keyring import Keyring
from practicus_mfa.core.observed import OWN_TABLE, Mode, WorkSeen, WorkState
from practicus_mfa.core.plan import Work
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.reconciler.embedded import processes
from practicus_mfa.reconciler.embedded.processes import LocalProcesses
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORK = Work(rotation=7, mode=Mode.MIGRATE, relations=(OWN_TABLE,), again=frozenset(), attempt=2)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _python(source: str) -> tuple[str, ...]:
    return (sys.executable, "-c", source)


@pytest.fixture
def started(tmp_path: Path, clock: Clock) -> Iterator[list[LocalProcesses]]:
    """Those that a test has started; they are stopped at its end."""
    all_of_them: list[LocalProcesses] = []
    yield all_of_them
    for each in all_of_them:
        each.stop()


def _start(
    tmp_path: Path, clock: Clock, started: list[LocalProcesses], source: str, *, shards: int = 1
) -> LocalProcesses:
    workers = LocalProcesses(DataFolder(tmp_path), 2, clock, program=_python(source))
    started.append(workers)
    workers.start(WORK, Keyring(3), shards)
    return workers


def _end(workers: LocalProcesses) -> WorkSeen:
    until(lambda: workers.seen().state is not WorkState.RUNNING, "the workers' end")
    return workers.seen()


def test_each_has_its_share_and_never_more_than_there_are_shards(
    tmp_path: Path, clock: Clock, started: list[LocalProcesses]
) -> None:
    name = f"{str(tmp_path)!r} + '/' + sys.argv[5].replace('/', '-')"
    source = f"import sys; open({name}, 'w').write(repr(sys.argv))"
    for shards, names in ((1, ["1-1"]), (9, ["1-2", "2-2"])):
        assert _end(_start(tmp_path, clock, started, source, shards=shards)).state is WorkState.IDLE
        assert sorted(path.name for path in tmp_path.iterdir()) == names
        for path in tmp_path.iterdir():
            assert "'--keyring-generation', '3'" in path.read_text()
            path.unlink()


def test_a_failure_is_named_and_dated_once(
    tmp_path: Path, clock: Clock, started: list[LocalProcesses]
) -> None:
    source = "import sys; sys.exit('noise\\nerror: first\\nremedy: none\\nerror: the table is gone')"
    workers = _start(tmp_path, clock, started, source)
    assert _end(workers) == WorkSeen(WorkState.FAILED, "rotation-7-migrate-2", NOW, "the table is gone")
    clock.now += timedelta(minutes=1)
    assert workers.seen().failed_at == NOW


def test_a_clock_that_is_set_back_puts_nothing_off(
    tmp_path: Path, clock: Clock, started: list[LocalProcesses]
) -> None:
    workers = _start(tmp_path, clock, started, "raise SystemExit(4)")
    assert _end(workers).why == "a worker ended with 4"
    clock.now -= timedelta(hours=1)
    assert workers.seen().failed_at == clock.now


def test_one_that_was_killed_says_by_what(
    tmp_path: Path, clock: Clock, started: list[LocalProcesses]
) -> None:
    workers = _start(tmp_path, clock, started, "import os; os.kill(os.getpid(), 9)")
    assert _end(workers).why == "a worker was ended by SIGKILL"


def test_one_that_can_not_be_started_is_a_failure_and_leaves_none_behind(
    tmp_path: Path, clock: Clock
) -> None:
    workers = LocalProcesses(DataFolder(tmp_path), 2, clock, program=(str(tmp_path / "no such program"),))
    workers.start(WORK, Keyring(3), 2)
    seen = workers.seen()
    assert (seen.state, seen.why) == (
        WorkState.FAILED,
        "a worker can't be started: No such file or directory",
    )
    workers.stop()
    assert workers.seen().state is WorkState.IDLE


def test_those_that_were_started_are_stopped_where_another_can_not_be(
    tmp_path: Path, clock: Clock, started: list[LocalProcesses], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = LocalProcesses(DataFolder(tmp_path), 2, clock, program=_python("import time; time.sleep(600)"))
    started.append(workers)
    spawn = workers._spawn
    spawned: list[processes._Process] = []

    def second_fails(share: str, generation: int) -> processes._Process:
        if spawned:
            raise BlockingIOError(11, "no more processes")
        spawned.append(spawn(share, generation))
        return spawned[0]

    monkeypatch.setattr(workers, "_spawn", second_fails)
    workers.start(WORK, Keyring(3), 2)
    assert workers.seen().state is WorkState.RUNNING
    workers.stop()
    assert spawned[0].popen.returncode is not None


def test_one_that_does_not_stop_in_time_is_killed(
    tmp_path: Path, clock: Clock, started: list[LocalProcesses], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.1)
    ready = tmp_path / "ready"
    source = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"open({str(ready)!r}, 'w'); time.sleep(600)"
    )
    workers = _start(tmp_path, clock, started, source)
    until(ready.exists, "the worker to be deaf")
    workers.stop()
    assert workers.seen().state is WorkState.IDLE


def test_a_module_beside_the_caller_is_not_taken_for_ours(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "practicus_mfa.py").write_text("raise SystemExit('error: the wrong one')")
    monkeypatch.chdir(tmp_path)
    workers = LocalProcesses(DataFolder(tmp_path / "none"), 1, clock)
    workers.start(WORK, Keyring(3), 1)
    try:
        assert _end(workers).why.startswith("there is no data folder")
    finally:
        workers.stop()
