"""Time as an argument: everything that needs the time of day is given a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time, aware, in UTC."""


def utc_now() -> datetime:
    """Return the machine's time, aware, in UTC."""
    return datetime.now(UTC)


Steady = Callable[[], float]
"""Returns seconds that only ever go forward; their beginning means nothing."""

# Linux' monotonic clock stands still while the machine sleeps, when a lease goes on running out.
_BOOT_TIME: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady_seconds() -> float:
    """Return the machine's steady seconds; they go on while it sleeps."""
    return time.clock_gettime(_BOOT_TIME)
