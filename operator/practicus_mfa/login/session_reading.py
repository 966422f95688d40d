"""One reading of sessions: the rows, who they belong to, and the policy that they are judged by.

Rows and policy are read in one transaction, so whoever knows when a reading began knows how old everything
is that was judged from it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from practicus_mfa.core.login.rules import LoginRules, rules_in_force
from practicus_mfa.errors import MfaError, NotReadyError
from practicus_mfa.storage import sessions
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.policy_row import PolicyInForce, read_policy
from practicus_mfa.storage.sessions import SessionOfUser

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the database said.

    Attributes:
        found: The sessions by the hashes that were asked for; one that is missing here is no session.
        rules: The policy in force.
    """

    found: Mapping[bytes, SessionOfUser]
    rules: LoginRules


ReadSessions = Callable[[Sequence[bytes]], Reading]
"""Reads the sessions of these hashes, and the policy even for none. Blocks; called from any thread.

Raises UnreachableError where the database is away, another MfaError where it can't be used.
"""


class SessionReader:
    """Reads from a database."""

    def __init__(self, db: Database) -> None:
        """Read from *db*.

        Args:
            db: Best one of its own: a pool of connections that requests use up would make readings wait.
        """
        self._db = db
        self._last: tuple[PolicyInForce, LoginRules] | None = None
        self._fault = ""

    def __call__(self, hashes: Sequence[bytes]) -> Reading:
        """Read; see :data:`ReadSessions`."""
        with self._db.read() as connection:
            policy = read_policy(connection)
            found = sessions.load(connection, hashes) if hashes else {}
        return Reading(found, self._rules(policy))

    def _rules(self, policy: PolicyInForce | None) -> LoginRules:
        last = self._last
        if last is not None and last[0] == policy:
            return last[1]
        try:
            if policy is None:
                raise NotReadyError(
                    "The database holds no policy yet.", remedy="Start the operator, or `practicus-mfa up`."
                )
            rules = rules_in_force(policy.effective)
        except MfaError as error:
            if error.message != self._fault:
                log.warning("the policy can't be used, the last one stays in force: %s", error)
            self._fault = error.message
            if last is None:
                raise
            # One that can't be read is no reason to ask less of anybody.
            return last[1]
        self._last, self._fault = (policy, rules), ""
        return rules
