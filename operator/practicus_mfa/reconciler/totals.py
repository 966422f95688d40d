"""Totals that cost a look at every user: counted so rarely that counting never takes much of the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.facts import Totals, count_totals

SHARE: Final = 20
"""A count is kept for so many times the time that it took: counting takes a twentieth of the time."""

SHORTEST: Final = 1.0
LONGEST: Final = 60.0
"""Seconds that a count is kept at least, and at most."""


class RecentTotals:
    """Counts users, and keeps the counts for a while."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Begin without a count.

        Args:
            monotonic: Returns seconds that only grow.
        """
        self._monotonic = monotonic
        self._due = float("-inf")
        self._totals: Totals | None = None

    def of(self, db: Database) -> Totals:
        """Return the totals of *db*, counted now or a while ago."""
        began = self._monotonic()
        if self._totals is None or began >= self._due:
            with db.read() as connection:
                self._totals = count_totals(connection)
            took = self._monotonic() - began
            self._due = began + min(max(SHARE * took, SHORTEST), LONGEST)
        return self._totals
