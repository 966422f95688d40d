"""Looking for requests of the settings page while a policy is at rest: passes are minutes apart then.

A look connects to the database, asks for one row by its index and leaves. A connection that is kept would
be one of few on a server of many policies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.policy_requests import is_any_open

LOOK_SECONDS: Final = 2.0
"""Seconds between two looks at one policy."""

LOOKS: Final = 25.0
"""Looks a second, in all: some 4 ms of a processor each, so a tenth of one at most. From 50 policies on each
is looked at less often: with 500 every 20 s, so a request has two more chances before it is 60 s old and
refused."""


def pause(policies: int) -> float:
    """Return the seconds between two looks at each of so many policies."""
    return max(LOOK_SECONDS, policies / LOOKS)


@dataclass(slots=True)
class RequestLook:
    """Looks at one policy's database; passes say when, and another thread may do it."""

    _database: Database | None = None

    @property
    def wanted(self) -> bool:
        """Whether the policy is at rest, and its requests are ours to handle."""
        return self._database is not None

    def begin(self, database: Database) -> None:
        """Let *database* be looked at from now on."""
        self._database = database

    def end(self) -> None:
        """Let it be: a pass begins, which handles requests itself."""
        self._database = None

    def finds_one(self) -> bool:
        """Whether a request waits.

        Raises:
            MfaError: The database can't be asked; a pass finds out what that means.
        """
        database = self._database
        if database is None:
            return False
        try:
            with database.read() as connection:
                return is_any_open(connection)
        finally:
            # Idle connections alone: a pass that begins at this moment keeps its own.
            database.close()
