"""A step that a thread takes again and again, until it is told to stop.

The step decides how long to rest and keeps its own state, so that a test takes it by hand, without a thread.
A step that fails is told of in the log, and the next one is taken: what a thread is there for must not end
because of one mistake.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

AFTER_A_FAULT: Final = 1.0
"""Seconds of rest after a step that failed."""


class Repeating:
    """Takes a step again and again in a daemon thread of its own."""

    def __init__(
        self,
        name: str,
        step: Callable[[], float],
        *,
        at_stop: Callable[[], object] = lambda: None,
        at_end: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare the thread; it does not run yet.

        Args:
            name: What the log calls it.
            step: Does its work and returns the seconds until it wants to be called again.
            at_stop: Called by whoever stops it, to have a long step end sooner.
            at_end: Called in the thread after the last step.
        """
        self.name = name
        self._step = step
        self._at_stop = at_stop
        self._at_end = at_end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, patience: float) -> bool:
        """End after the step under way.

        Args:
            patience: Seconds to wait for that.

        Returns:
            Whether it ended in time.
        """
        self._stopping.set()
        self._at_stop()
        if self._thread.ident is not None:
            self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._taken())
        try:
            self._at_end()
        except Exception:
            log.exception("%s failed at its end", self.name)

    def _taken(self) -> float:
        try:
            return self._step()
        except Exception:
            log.exception("%s failed and goes on", self.name)
            return AFTER_A_FAULT
