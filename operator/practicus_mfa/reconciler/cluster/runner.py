"""The threads that make passes: each takes a policy that is due, and says when it is due again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.errors import MfaError
from practicus_mfa.reconciler.cluster.queue import DueQueue, Key

log = logging.getLogger(__name__)

THREADS: Final = 8
"""Passes at the same time; they mostly wait for a database."""

STANDBY: Final = 5.0
"""Seconds between two looks of an operator that does not lead."""

STUCK: Final = 120.0
"""Seconds without any pass that ended, while one is due: longer than every timeout within a pass."""


@dataclass(slots=True, kw_only=True)
class Runner:
    """Works a queue off, while it leads.

    Attributes:
        queue: Which policies are due.
        work: Makes a pass over a policy; returns the seconds until it is due again, ``None`` for never.
        leads: Whether this operator may act.
        threads: How many passes are made at the same time.
        what: What the threads are called.
    """

    queue: DueQueue
    work: Callable[[Key], float | None]
    leads: Callable[[], bool]
    threads: int = THREADS
    what: str = "pass"
    monotonic: Callable[[], float] = time.monotonic
    _threads: list[threading.Thread] = field(default_factory=list)
    _ended_at: float = field(default=float("-inf"))

    def start(self) -> None:
        """Start the threads."""
        self._ended_at = self.monotonic()
        for number in range(self.threads):
            thread = threading.Thread(target=self._run, name=f"{self.what}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, patience: float) -> None:
        """Begin no further pass, and wait up to so many seconds for those under way to end."""
        self.queue.close()
        until = self.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, until - self.monotonic()))

    def alive(self) -> bool:
        """Whether passes end: false where one is due and none has ended for a long time."""
        return min(self.queue.overdue(), self.monotonic() - self._ended_at) < STUCK

    def _run(self) -> None:
        while (key := self.queue.take()) is not None:
            if self.leads():
                self._pass(key)
            else:
                self.queue.done(key, again_in=STANDBY)
            self._ended_at = self.monotonic()

    def _pass(self, key: Key) -> None:
        try:
            again_in = self.work(key)
        except MfaError as error:
            delay = self.queue.failed(key)
            message = "A pass ended early, the next is in %.0f s: %s; %s"
            log.warning(message, delay, error.message, error.remedy, extra={"policy": str(key)})
        except Exception:
            # A mistake in this program: the other policies go on.
            delay = self.queue.failed(key)
            log.exception("A pass failed, the next is in %.0f s", delay, extra={"policy": str(key)})
        else:
            self.queue.done(key, again_in=again_in)
