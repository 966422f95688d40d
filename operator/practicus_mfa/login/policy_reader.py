"""The policy in force, as a log-in replica knows it: read from the database twice a second.

What is judged by it is at most a second old. While the database is away the last policy that was read stays
in force: a policy that can't be asked for is no reason to ask less of anybody. The same look tells whether
the database answers, and whether its clock and this machine's agree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from practicus_mfa.clock import Clock, utc_now
from practicus_mfa.core.login.rules import LoginRules, rules_in_force
from practicus_mfa.errors import MfaError, NotReadyError
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.policy_row import PolicyInForce, read_policy
from practicus_mfa.storage.versions import check_not_behind

log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 0.5
"""Seconds between two looks: a policy is seen by every replica within a second."""

Look = Callable[[], tuple[datetime, PolicyInForce | None]]
"""Returns the database's time and its policy.

Raises RetryableError or UsageError where it can't.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSeen:
    """What the looks have told about the database.

    Attributes:
        reached: It has answered once.
        fault: Why it did not answer the last time; '' where it did.
        policy_fault: Why its policy can't be used; '' where it can.
        skew: How far its clock and this machine's are apart at least.
    """

    reached: bool = False
    fault: str = "it was not asked yet"
    policy_fault: str = ""
    skew: timedelta = timedelta()


class PolicyReader:
    """Follows the policy; :meth:`step` is taken by one thread, the rest by any."""

    def __init__(self, look: Look, *, clock: Clock = utc_now) -> None:
        """Begin without a policy.

        Args:
            look: Looks into the database.
            clock: This machine's time, which codes are compared with.
        """
        self._look = look
        self._clock = clock
        self._policy: PolicyInForce | None = None
        self._rules: LoginRules | None = None
        self._seen = DatabaseSeen()

    @property
    def seen(self) -> DatabaseSeen:
        """What is known of the database."""
        return self._seen

    def rules(self) -> LoginRules:
        """Return the policy in force.

        Raises:
            NotReadyError: None has been read yet: what is not known can't be asked for.
        """
        rules = self._rules
        if rules is None:
            raise NotReadyError("This replica has read no policy yet.", remedy="Try again in a few seconds.")
        return rules

    def step(self) -> float:
        """Look once; return the seconds until the next look."""
        before = self._clock()
        try:
            now, policy = self._look()
        except MfaError as error:
            if error.message != self._seen.fault:
                log.warning("the policy can't be asked for: %s", error)
            self._seen = replace(self._seen, fault=error.message)
            return REFRESH_SECONDS
        # It answered between the two; what its time is outside of them, the clocks are apart.
        apart = max(before - now, now - self._clock(), timedelta())
        if self._seen.fault and self._seen.reached:
            log.info("the database answers again")
        policy_fault = self._taken(policy)
        self._seen = DatabaseSeen(reached=True, fault="", policy_fault=policy_fault, skew=apart)
        return REFRESH_SECONDS

    def _taken(self, policy: PolicyInForce | None) -> str:
        """Put *policy* in force; return why not, '' where it is."""
        if policy is None:
            # A row that went (a database restored, say) leaves in force what was read before.
            return "" if self._rules else "no policy is in force in the database yet"
        if self._policy is not None and policy.effective == self._policy.effective:
            return self._seen.policy_fault
        self._policy = policy
        try:
            self._rules = rules_in_force(policy.effective)
        except MfaError as error:
            log.warning("the policy stays as it was: %s", error)
            return error.message
        log.info("the policy of generation %d is in force", policy.generation)
        return ""


def look_at(db: Database) -> Look:
    """Return how to look into *db*.

    A replica of a new release may start before the tables were brought up to date, which is not its own work:
    until they are, it has not reached its database, and requests go to those of the release before.
    """
    up_to_date = False

    def look() -> tuple[datetime, PolicyInForce | None]:
        nonlocal up_to_date
        if not up_to_date:
            check_not_behind(db)
            up_to_date = True
        with db.read() as connection:
            policy = read_policy(connection)
            return database_now(connection), policy

    return look
