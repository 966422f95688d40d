"""Which policy is to be looked at, and when: one entry a policy, however often it is asked for.

A policy that is added while it is being worked on is due again as soon as that is over, so no change is
missed and no two workers meet. What failed comes again after a growing delay, and an addition cuts every
delay short.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

FIRST_RETRY: Final = 1.0
LAST_RETRY: Final = 30.0
"""Seconds until what failed is tried again: doubled with each failure in a row, up to the second."""


class Key(NamedTuple):
    """A policy's namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(slots=True)
class DueQueue:
    """A queue for several threads, which add and take.

    Attributes:
        monotonic: Returns seconds that only grow.
    """

    monotonic: Callable[[], float] = time.monotonic
    _due: dict[Key, float] = field(default_factory=dict)
    _working: dict[Key, float] = field(default_factory=dict)
    _failures: dict[Key, int] = field(default_factory=dict)
    _closed: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Have *key* looked at in *delay* seconds, or earlier if it was due earlier."""
        with self._changed:
            due = self.monotonic() + delay
            self._due[key] = min(due, self._due.get(key, due))
            self._changed.notify_all()

    def take(self) -> Key | None:
        """Wait for a policy that is due; the caller says :meth:`done` or :meth:`failed` when it is over.

        Returns:
            The one that is due for the longest time; ``None`` once the queue is closed.
        """
        with self._changed:
            while not self._closed:
                free = [key for key in self._due if key not in self._working]
                first = min(free, key=self._due.__getitem__, default=None)
                wait = None if first is None else self._due[first] - self.monotonic()
                if first is not None and wait is not None and wait <= 0:
                    self._working[first] = self._due.pop(first)
                    return first
                self._changed.wait(wait)
            return None

    def done(self, key: Key, *, again_in: float | None) -> None:
        """End the work on *key*; it is due again in so many seconds, with ``None`` only when it is added."""
        self._failures.pop(key, None)
        self._over(key, again_in)

    def failed(self, key: Key) -> float:
        """End the work on *key*, which did not succeed; return the seconds until it is tried again."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(FIRST_RETRY * 2.0**failures, LAST_RETRY)
        self._over(key, delay)
        return delay

    def _over(self, key: Key, again_in: float | None) -> None:
        with self._changed:
            self._working.pop(key, None)
        if again_in is not None:
            self.add(key, again_in)
        else:
            with self._changed:
                self._changed.notify_all()

    def overdue(self) -> float:
        """Return for how many seconds the policy that waits longest is due or being worked on, 0 for none."""
        with self._changed:
            since = [*self._due.values(), *self._working.values()]
            return max(0.0, self.monotonic() - min(since, default=self.monotonic()))

    def close(self) -> None:
        """Give out nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
