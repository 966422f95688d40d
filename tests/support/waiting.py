"""Waiting for what another process does."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LIMIT_SECONDS: Final = 180.0
"""Ends a test that would wait for ever; no test may need it for being right. Machines can be busy."""

_PAUSE_SECONDS: Final = 0.01
_LONGEST_PAUSE_SECONDS: Final = 0.1
"""Who looks all the time takes the machine from what is waited for."""


def until(condition: Callable[[], bool], what: str, *, seconds: float = LIMIT_SECONDS) -> None:
    """Wait until the condition holds.

    Raises:
        AssertionError: It never did; the message says what was waited for.
    """
    deadline, pause = time.monotonic() + seconds, _PAUSE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            message = f"waited {seconds:g} s for: {what}"
            raise AssertionError(message)
        time.sleep(pause)
        pause = min(pause * 1.2, _LONGEST_PAUSE_SECONDS)


def until_it_succeeds(action: Callable[[], T], what: str, *, despite: type[Exception]) -> T:
    """Do something again and again until it does not fail, and return what it gave.

    Args:
        action: What is done.
        what: What is waited for.
        despite: Errors that say "not yet"; any other one is raised.

    Raises:
        AssertionError: It always failed.
    """
    gave: list[T] = []

    def done() -> bool:
        with suppress(despite):
            gave.append(action())
        return bool(gave)

    until(done, what)
    return gave[0]
