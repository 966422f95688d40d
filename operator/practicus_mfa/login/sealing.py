"""Each second the audit's new lines are sealed; every replica tries, and one at a time does.

The operator seals too, in each pass. Nobody waits for it: what is not sealed now is sealed when the database
is there again, and until then it is told of as waiting.
"""

from __future__ import annotations

import logging
from typing import Final

from practicus_mfa.core.audit_chain import NOTHING
from practicus_mfa.errors import MfaError, RetryableError
from practicus_mfa.storage.audit_chain import BATCH, NEAR, seal
from practicus_mfa.storage.engine import Database

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 1.0

MORE_SECONDS: Final = 0.1
"""Seconds until the next batch where there are more: on SQLite, log-ins write in between."""

THOROUGH: Final = 15
"""Every so many steps lines are looked for as far back as a transaction may take, not only near the end."""


class Sealing:
    """Seals the audit of one database; :meth:`step` is taken by one thread."""

    def __init__(self, db: Database, batch: int = BATCH) -> None:
        """Seal in *db*, up to *batch* lines at once."""
        self._db = db
        self._batch = batch
        self._count = NOTHING.count
        self._steps = 0
        self._told = ""

    def step(self) -> float:
        """Seal what is new; return the seconds until the next time."""
        before, near = self._count, NEAR if self._steps % THOROUGH else None
        self._steps += 1
        try:
            self._count = seal(self._db, self._batch, near=near).count
        except RetryableError as error:
            log.debug("the audit is not sealed for the moment: %s", error)
            return PAUSE_SECONDS
        except MfaError as error:
            # A role that may not, while the grants of an upgrade are missing: said once, not each second.
            if error.message != self._told:
                log.warning("the audit can't be sealed: %s %s", error.message, error.remedy)
            self._told = error.message
            return PAUSE_SECONDS
        self._told = ""
        # A full batch, or the first look at a long chain: there may be more.
        return MORE_SECONDS if self._count - before >= self._batch else PAUSE_SECONDS
