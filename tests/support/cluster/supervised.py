"""An operator that is started again whenever it has ended, as a Deployment's pod is."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.support.cluster.one_rotation import free_lease
from tests.support.cluster.warm_program import warm_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.warm_program import WarmProgram

_PAUSE_SECONDS: Final = 0.05


class Supervised:
    """Runs one operator after the other.

    Attributes:
        starts: How many ran so far.
        killed: How often :meth:`kill` was called.
    """

    def __init__(self, installation: ClusterInstallation, kubeconfig: Path, program: WarmProgram) -> None:
        """Start the first."""
        self._installation = installation
        self._kubeconfig = kubeconfig
        self._program = program
        self._stopped = threading.Event()
        # Between the start of one and the note of its number nobody kills: it would be the one before.
        self._lock = threading.Lock()
        self.starts = self.killed = 0
        self._pid = self._start()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """Kill the one that runs now; it is dead when this returns."""
        with self._lock:
            os.kill(self._pid, signal.SIGKILL)
            self._program.ended(self._pid, wait=True)
            self.killed += 1

    def close(self) -> None:
        """Kill the last."""
        self._stopped.set()
        self._thread.join()
        if self._program.ended(self._pid) is None:
            self.kill()

    def _run(self) -> None:
        while not self._stopped.wait(_PAUSE_SECONDS):
            if self._program.ended(self._pid) is not None:
                free_lease(self._installation)
                with self._lock:
                    self._pid = self._start()

    def _start(self) -> int:
        self.starts += 1
        return self._program.start(*self._installation.operator_arguments(self._kubeconfig, {}))


@contextmanager
def supervised(installation: ClusterInstallation, kubeconfig: Path) -> Iterator[Supervised]:
    """An operator that is always started again, until the end of the block."""
    with warm_program() as program:
        running = Supervised(installation, kubeconfig, program)
        try:
            yield running
        finally:
            running.close()
