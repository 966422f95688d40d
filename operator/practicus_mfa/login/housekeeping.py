"""What is over is deleted: sessions, half-logins, links, pending factors, known browsers, counters, runs.

Every replica does so each minute. Whatever is deleted has no effect any more, so it makes no difference who
deletes it, or whether two do; and what is left while the database is away is deleted later. Of tries at names
that nobody has the audit is told first, in the same transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from practicus_mfa.errors import RetryableError
from practicus_mfa.storage import (
    attempts,
    bulk_runs,
    devices,
    half_logins,
    pending_factors,
    sessions,
    setup_links,
    unknown_names,
)
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.expiry import AT_ONCE
from practicus_mfa.storage.transaction import Transaction

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 60.0

MORE_SECONDS: Final = 1.0
"""Seconds until the next time where more is over than is deleted at once."""

Task = tuple[str, Callable[[Transaction], int]]

TASKS: Final[Sequence[Task]] = (
    ("sessions", sessions.delete_expired),
    ("half-logins", half_logins.delete_expired),
    ("pending factors", pending_factors.delete_expired),
    ("set-up links", setup_links.delete_expired),
    ("known browsers", devices.delete_expired),
    ("counters", attempts.delete_expired),
    ("tries at unknown names", unknown_names.tell),
    ("bulk runs", bulk_runs.delete_old),
)


class Housekeeping:
    """Deletes from one database; :meth:`step` is taken by one thread."""

    def __init__(self, db: Database, tasks: Sequence[Task] = TASKS) -> None:
        """Delete from *db*."""
        self._db = db
        self._tasks = tasks

    def step(self) -> float:
        """Delete what is over; return the seconds until the next time."""
        pause = PAUSE_SECONDS
        for name, delete in self._tasks:
            try:
                # One transaction each: on SQLite it keeps everybody else from writing.
                with self._db.write() as connection:
                    count = delete(connection)
            except RetryableError as error:
                log.debug("%s that are over stay for the moment: %s", name, error)
                break
            if count:
                log.debug("%d %s were over", count, name)
            if count >= AT_ONCE:
                pause = MORE_SECONDS
        return pause
