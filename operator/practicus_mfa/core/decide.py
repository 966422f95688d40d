"""Deciding: from what is seen to what is to be done, in one look down a list.

The rules stand in the order in which they count; the first verdict wins. No rule remembers anything:
every pass derives the step afresh, so it makes no difference where the last one was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, assert_never

from practicus_mfa.core.observed import DatabaseUnreachable, Observed, WorkState
from practicus_mfa.core.plan import Act, Action, For, Step, StopWork, Verdict, Wait
from practicus_mfa.core.rules.database_claimed_by_other import database_claimed_by_other
from practicus_mfa.core.rules.database_restored import database_restored
from practicus_mfa.core.rules.keyring_missing import keyring_missing
from practicus_mfa.core.rules.keyring_outdated import keyring_outdated
from practicus_mfa.core.rules.keys_not_valid import keys_not_valid
from practicus_mfa.core.rules.needed_key_absent import needed_key_absent
from practicus_mfa.core.rules.new_key_not_valid import new_key_not_valid
from practicus_mfa.core.rules.no_write_key import no_write_key
from practicus_mfa.core.rules.promote import promote
from practicus_mfa.core.rules.readers_lag import readers_lag
from practicus_mfa.core.rules.retire import retire
from practicus_mfa.core.rules.retired_key_returns import retired_key_returns
from practicus_mfa.core.rules.rotation_complete import rotation_complete
from practicus_mfa.core.rules.rotation_due import rotation_due
from practicus_mfa.core.rules.rows_to_move import rows_to_migrate, rows_to_verify
from practicus_mfa.core.rules.rows_unreadable import rows_unreadable
from practicus_mfa.core.rules.tables_wait import tables_wait
from practicus_mfa.core.situation import Situation

Rule = Callable[[Situation], Verdict | None]

FOUNDATIONS: Final[tuple[Rule, ...]] = (
    database_claimed_by_other,
    keyring_missing,
    database_restored,
    retired_key_returns,
    keyring_outdated,
    no_write_key,
)
"""What must stand before any rotation; ``suspend`` does not hold it up."""

ROTATION: Final[tuple[Rule, ...]] = (
    new_key_not_valid,
    rotation_due,
    readers_lag,
    promote,
    rows_to_migrate,
    needed_key_absent,
    rows_to_verify,
    retire,
    tables_wait,
    rotation_complete,
)
"""A rotation, from its beginning to its end; ``suspend`` holds it where it is."""

LEFT_OVER: Final[tuple[Rule, ...]] = (keys_not_valid, rows_unreadable)
"""What a person should know when there is nothing left to do."""

SUSPENDED: Final = "Suspended"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now.

    Attributes:
        step: Where the rotation stands.
        actions: To be applied in this order; then look again.
        waits_for: Whom the plan waits for where nothing (more) can be done now; ``None``: it acts, or rests.
        reason: Why it waits; empty where it does not.
        message: The same in a sentence.
    """

    step: Step
    actions: tuple[Action, ...] = ()
    waits_for: For | None = None
    reason: str = ""
    message: str = ""

    @property
    def at_rest(self) -> bool:
        """Nothing to do, nothing to wait for."""
        return not self.actions and self.waits_for is None


def decide(seen: Observed) -> Plan:
    """Return what must happen, given what is seen."""
    if isinstance(seen.database, DatabaseUnreachable):
        return Plan(Step.VALIDATE, (), For.MACHINE, "DatabaseUnreachable", seen.database.why)
    s = Situation(seen, seen.database)
    verdict = _first(FOUNDATIONS, s) or _held_by_suspend(_first(ROTATION, s), s) or _first(LEFT_OVER, s)
    match verdict:
        case None:
            return Plan(Step.IDLE)
        case Act(step, actions):
            return Plan(step, actions)
        case Wait(step, who, reason, message, meanwhile):
            return Plan(step, meanwhile, who, reason, message)
        case _:
            assert_never(verdict)


def _first(rules: Iterable[Rule], s: Situation) -> Verdict | None:
    return next((verdict for rule in rules if (verdict := rule(s)) is not None), None)


def _held_by_suspend(verdict: Verdict | None, s: Situation) -> Verdict | None:
    if verdict is None or not s.seen.policy.migration.suspend:
        return verdict
    if isinstance(verdict, Wait) and verdict.waits_for is For.PERSON:
        return verdict
    meanwhile = (StopWork(),) if s.seen.work.state is WorkState.RUNNING else ()
    message = "migration.suspend is true: set it to false to go on."
    return Wait(verdict.step, For.PERSON, SUSPENDED, message, meanwhile)
