"""Workers as local processes: each runs ``practicus-mfa migrate`` on its share, as a Job's pod would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Final

from practicus_mfa.clock import Clock
from practicus_mfa.core.keyring import Keyring
from practicus_mfa.core.observed import WorkSeen, WorkState
from practicus_mfa.core.plan import Work
from practicus_mfa.datafolder import DataFolder

PATIENCE: Final = 15.0
"""Seconds that a worker has to finish its page when it is told to stop."""

# -P: a file in the folder where the platform was started is not taken for one of our modules.
PROGRAM: Final = (sys.executable, "-P", "-m", "practicus_mfa")


@dataclass(frozen=True, slots=True)
class _Process:
    popen: subprocess.Popen[bytes]
    said: IO[bytes]

    def last_error(self) -> str:
        """Return the error that the process ended with, as it told it."""
        self.said.seek(0)
        lines = self.said.read().decode("utf-8", "replace").splitlines()
        told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return told[-1] if told else f"a worker {_ending(self.popen.returncode)}"


def _ending(code: int) -> str:
    """Say how a process ended; a negative code is the signal that ended it."""
    if code >= 0:
        return f"ended with {code}"
    names = {each.value: each.name for each in signal.Signals}
    return f"was ended by {names.get(-code, f'signal {-code}')}"


class LocalProcesses:
    """Runs workers on this machine."""

    def __init__(
        self, folder: DataFolder, parallelism: int, clock: Clock, *, program: tuple[str, ...] = PROGRAM
    ) -> None:
        """Run up to *parallelism* of them at the same time on *folder*."""
        self._folder = folder
        self.parallelism = parallelism
        self._clock = clock
        self._program = program
        self._processes: list[_Process] = []
        self._not_started = ""
        self._name = ""
        self._failed_at: datetime | None = None

    def seen(self) -> WorkSeen:
        """Return how they are; a failure is dated when it is first seen."""
        codes = [process.popen.poll() for process in self._processes]
        if any(code is None for code in codes):
            return WorkSeen(WorkState.RUNNING, self._name)
        failed = next((process for process in self._processes if process.popen.returncode), None)
        if failed is None and not self._not_started:
            return WorkSeen(WorkState.IDLE, self._name)
        now = self._clock()
        # Never in the future: a clock that was set back would put the next attempt off by as much.
        self._failed_at = min(self._failed_at or now, now)
        why = self._not_started or (failed.last_error() if failed else "")
        return WorkSeen(WorkState.FAILED, self._name, self._failed_at, why)

    def start(self, work: Work, keyring: Keyring, shards: int) -> None:
        """Start a process a share of *work*; one that can't be started makes the attempt a failed one."""
        self.stop()
        count = max(1, min(self.parallelism, shards))
        self._failed_at = None
        self._name = f"rotation-{work.rotation}-{work.mode}-{work.attempt}"
        try:
            for number in range(1, count + 1):
                self._processes.append(self._spawn(f"{number}/{count}", keyring.generation))
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "unknown reason"
            self._not_started = f"a worker can't be started: {why}"

    def _spawn(self, share: str, generation: int) -> _Process:
        command = [*self._program, "migrate", "--data-dir", str(self._folder.root)]
        options = ["--shard", share, "--keyring-generation", str(generation)]
        said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        try:
            popen = subprocess.Popen(  # noqa: S603 - our own program
                [*command, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            )
        except OSError:
            said.close()
            raise
        return _Process(popen, said)

    def stop(self) -> None:
        """Have them finish their page and end; one that does not in time is killed, which loses nothing."""
        for process in self._processes:
            if process.popen.poll() is None:
                process.popen.terminate()
        for process in self._processes:
            try:
                process.popen.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()
            process.said.close()
        self._processes = []
        self._not_started = ""

    def nudge(self, generation: int) -> None:
        """Do nothing: local readers watch the keyring's file."""
