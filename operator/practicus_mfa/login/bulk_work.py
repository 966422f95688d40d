"""A replica's share in bulk runs: one batch after the other, beside the requests."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Final

from practicus_mfa.errors import RetryableError
from practicus_mfa.login.bulk import Runner, step
from practicus_mfa.storage import bulk_runs

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 2.0
"""Seconds until the next look for a run, where there was none."""


class BulkWork:
    """Works on runs; :meth:`step` is taken by one thread."""

    def __init__(self, runner: Runner) -> None:
        """Work with *runner*."""
        self._runner = runner
        self._ending = threading.Event()

    def step(self) -> float:
        """Do a batch of a run; return the seconds until the next step."""
        try:
            return 0.0 if step(self._runner, goes_on=self._goes_on) else IDLE_SECONDS
        except RetryableError as error:
            log.debug("bulk runs wait: %s", error)
            return IDLE_SECONDS

    def end(self) -> None:
        """Begin with no further user: on a slow database a whole batch takes longer than an end may."""
        self._ending.set()

    def _goes_on(self) -> bool:
        return not self._ending.is_set()

    def leave(self) -> None:
        """Leave the run in hand to other replicas, at once."""
        with suppress(RetryableError), self._runner.db.write() as connection:
            bulk_runs.release_all(connection, self._runner.name)
