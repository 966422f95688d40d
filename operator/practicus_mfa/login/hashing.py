"""Password hashing, a few at once: it takes all of a core, and whoever guesses passwords decides how often.

A queue that is full refuses instead of growing, so that a flood of log-ins costs those who log in a wait, and
never takes the threads that answer everybody else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Final, TypeVar

from practicus_mfa.errors import RetryableError

WAITING: Final = 16
"""Log-ins that may wait for their turn; at about 25 ms each the last of them waits less than a second."""

Result = TypeVar("Result")


class BusyError(RetryableError):
    """More people log in at this moment than can be served."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("Too many log-ins are under way.", remedy="Try again in a few seconds.")


class Hashing:
    """Lets a bounded number of callers wait, and fewer of them hash."""

    def __init__(self, at_once: int | None = None, waiting: int = WAITING) -> None:
        """Begin with an empty queue.

        Args:
            at_once: Callers that hash at the same time; by default one less than there are cores, at least
                one: a core is left for everybody else.
            waiting: Callers that may wait beside them.
        """
        running = at_once or max(1, (os.cpu_count() or 1) - 1)
        self._running = BoundedSemaphore(running)
        self._places = BoundedSemaphore(running + waiting)

    def run(self, work: Callable[[], Result]) -> Result:
        """Return what *work* returns, when its turn has come.

        Raises:
            BusyError: The queue is full; *work* was not run.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError
        try:
            with self._running:
                return work()
        finally:
            self._places.release()
