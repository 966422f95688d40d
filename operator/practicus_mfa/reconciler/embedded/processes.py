"""Workers as local processes: each runs ``practicus-mfa migrate`` on its share, as a Job's pod would."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class _Process:
    popen: subprocess.Popen[bytes]
    said: IO[bytes]

    def last_error(self) -> str:
        """Return the error that the process ended with, as it told it."""
        self.said.seek(0)
        lines = self.said.read().decode("utf-8", "replace").splitlines()
        told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return told[-1] if told else f"a worker ended with {self.popen.returncode}"


class LocalProcesses:
    """Runs workers on this machine."""

    def __init__(self, folder: DataFolder, parallelism: int, clock: Clock) -> None:
        """Run up to *parallelism* of them at the same time on *folder*."""
        self._folder = folder
        self.parallelism = parallelism
        self._clock = clock
        self._processes: Sequence[_Process] = ()
        self._name = ""
        self._failed_at: datetime | None = None

    def seen(self) -> WorkSeen:
        """Return how they are; a failure is dated when it is first seen."""
        codes = [process.popen.poll() for process in self._processes]
        if any(code is None for code in codes):
            return WorkSeen(WorkState.RUNNING, self._name)
        failed = next((process for process in self._processes if process.popen.returncode), None)
        if failed is None:
            return WorkSeen(WorkState.IDLE, self._name)
        self._failed_at = self._failed_at or self._clock()
        return WorkSeen(WorkState.FAILED, self._name, self._failed_at, failed.last_error())

    def start(self, work: Work, keyring: Keyring, shards: int) -> None:
        """Start a process a share of *work*."""
        self.stop()
        count = max(1, min(self.parallelism, shards))
        self._failed_at = None
        self._name = f"rotation-{work.rotation}-{work.mode}-{work.attempt}"
        self._processes = [
            self._spawn(f"{number}/{count}", keyring.generation) for number in range(1, count + 1)
        ]

    def _spawn(self, share: str, generation: int) -> _Process:
        said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        command = [sys.executable, "-m", "practicus_mfa", "migrate", "--data-dir", str(self._folder.root)]
        options = ["--shard", share, "--keyring-generation", str(generation)]
        popen = subprocess.Popen(  # noqa: S603 - our own program
            [*command, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
        )
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
        self._processes = ()

    def nudge(self, generation: int) -> None:
        """Do nothing: local readers watch the keyring's file."""
