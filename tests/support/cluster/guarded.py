"""One program of a test cluster: started, watched, stopped, by its process id.

Its output goes to ``<name>.log`` in the cluster's folder. A guard process
(:mod:`tests.support.cluster.guard`) ends it when the starter dies.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final, Literal, cast

from tests.support.cluster import guard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import IO

Stop = Literal["SIGTERM", "SIGKILL"]
"""A stop in order, and a crash."""

_SHOWN_CHARACTERS: Final = 3000
"""Of a log's end, in a message."""


class ClusterStartError(Exception):
    """A program of the cluster did not start; the message holds the end of its log."""


class GuardedProgram:
    """A program that may be started and stopped any number of times, with the same arguments.

    Attributes:
        name: How its log is called.
        command: Program and arguments.
        pid: The process id of the last start; 0 before the first.
    """

    def __init__(self, folder: Path, name: str, command: Sequence[str | Path]) -> None:
        """Remember what to start."""
        self._folder = folder
        self._guard: subprocess.Popen[str] | None = None
        self.name = name
        self.command = [str(part) for part in command]
        self.pid = 0

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._guard is not None and self._guard.poll() is None

    def start(self) -> None:
        """Start it where it does not run; whether it is ready is for others to ask."""
        if self.running:
            return
        with self.log_file.open("a") as log:
            held = subprocess.Popen(
                [sys.executable, "-IS", guard.__file__, str(self._folder), *self.command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._guard = held
        first = cast("IO[str]", held.stdout).readline()
        if not first:
            self.stop()
            raise ClusterStartError(f"{self.name} can't be started.\n{self.log_end()}")
        self.pid = int(first)

    def stop(self, how: Stop = "SIGTERM") -> None:
        """Stop it where it runs, and wait until it is gone."""
        held, self._guard = self._guard, None
        if held is not None:
            # The guard may have ended with its program: then nobody reads the order, and none is needed.
            try:
                held.communicate(f"{how}\n")
            except BrokenPipeError:
                held.wait()

    @property
    def log_file(self) -> Path:
        """Where its output goes, that of earlier starts first."""
        return self._folder / f"{self.name}.log"

    def log_end(self) -> str:
        """Return the end of its output."""
        return self.log_file.read_text("utf-8", errors="replace")[-_SHOWN_CHARACTERS:]
