"""The program as a process that a warm one forked, with what of ``subprocess.Popen`` is needed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.cluster.warm_program import WarmProgram


class Forked:
    """A run of the program.

    Attributes:
        pid: The process.
        returncode: How it ended: its exit code, or minus the signal; ``None`` while it was not asked for.
    """

    def __init__(self, program: WarmProgram, arguments: Sequence[str], log: Path) -> None:
        """Start it; what it says goes to *log*."""
        self._program = program
        self.pid = program.start(arguments, log)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it ended, ``None`` while it runs."""
        self.returncode = self._program.ended(self.pid)
        return self.returncode

    def wait(self) -> int | None:
        """Wait for its end."""
        self.returncode = self._program.ended(self.pid, wait=True)
        return self.returncode

    def send_signal(self, how: signal.Signals) -> None:
        """Send it a signal; nothing where it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, how)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)
