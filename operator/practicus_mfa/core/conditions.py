"""The conditions: the API that people and machines read. Each one is a function of the snapshot.

They follow kstatus: ``Ready``, ``Reconciling`` and ``Stalled`` sum up, the others say one thing each.
Where the database is out of reach, what depends on it is ``Unknown``: never false, never stale truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from practicus_mfa.core.decide import SUSPENDED, Plan
from practicus_mfa.core.keyring import joined
from practicus_mfa.core.observed import DatabaseSeen, Observed
from practicus_mfa.core.plan import For, Step
from practicus_mfa.core.rules.keyring_missing import lost_message
from practicus_mfa.core.rules.needed_key_absent import absent_message
from practicus_mfa.core.rules.readers_lag import lagging_message
from practicus_mfa.core.rules.rows_unreadable import unreadable
from practicus_mfa.core.rules.tables_wait import tables_message
from practicus_mfa.core.sentences import rows
from practicus_mfa.core.situation import Situation
from practicus_mfa.core.wanted import judge


class Truth(StrEnum):
    """A condition's status (Kubernetes API conventions, "Typical status properties")."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the status; when it last changed is kept by whoever publishes it."""

    type: str
    status: Truth
    reason: str
    message: str


UNREACHABLE: Final = "DatabaseUnreachable"
MISCONFIGURED: Final = "Misconfigured"
"""The policy, or something that it refers to, is not valid: no snapshot can be made of it."""

SINGLE: Final = (
    "KeysValid",
    "DatabaseReachable",
    "ReadersConverged",
    "DataUpToDate",
    "PolicySafe",
    "OldKeyRetirable",
)
"""The conditions that say one thing each."""


def conditions(seen: Observed, plan: Plan) -> tuple[Condition, ...]:
    """Return every condition, the summing-up ones first."""
    if isinstance(seen.database, DatabaseSeen):
        s = Situation(seen, seen.database)
        single = tuple(
            _condition(kind, rule(s))
            for kind, rule in zip(
                SINGLE,
                (
                    keys_valid,
                    database_reachable,
                    readers_converged,
                    data_up_to_date,
                    policy_safe,
                    old_key_retirable,
                ),
                strict=True,
            )
        )
    else:
        why = seen.database.why
        wanted = judge(seen)
        single = (
            _condition("KeysValid", (wanted.valid, wanted.reason, wanted.message)),
            Condition("DatabaseReachable", Truth.FALSE, UNREACHABLE, why),
            *(
                Condition(kind, Truth.UNKNOWN, UNREACHABLE, "The database is out of reach.")
                for kind in SINGLE[2:]
            ),
        )
    return (*summary(single, plan), *single)


Finding = tuple[bool, str, str]
"""Whether the condition is true, its reason, its message."""


def misconfigured(message: str) -> tuple[Condition, ...]:
    """Return the conditions of what can't be judged: a person is needed, all else is unknown."""
    return (
        Condition("Ready", Truth.FALSE, MISCONFIGURED, message),
        Condition("Reconciling", Truth.FALSE, "WaitingForPerson", ""),
        Condition("Stalled", Truth.TRUE, MISCONFIGURED, message),
        *(Condition(kind, Truth.UNKNOWN, MISCONFIGURED, "Not known while Stalled.") for kind in SINGLE),
    )


def _condition(kind: str, finding: Finding) -> Condition:
    true, reason, message = finding
    return Condition(kind, Truth.TRUE if true else Truth.FALSE, reason, message)


def keys_valid(s: Situation) -> Finding:
    """Say whether the Secret's keys are taken up, or why not."""
    return s.wanted.valid, s.wanted.reason, s.wanted.message


def database_reachable(_: Situation) -> Finding:
    """Say that the database answered: a situation exists only then."""
    return True, "Reachable", "The database answers."


def readers_converged(s: Situation) -> Finding:
    """Say whether every reader, and every other application, can read with the keys in use."""
    if s.lagging:
        return False, "WaitingForReaders", lagging_message(s)
    if s.rotation and s.open_tables:
        return False, "WaitingForReaders", tables_message(s)
    if not s.database.readers:
        return True, "Converged", "No reader holds a lease."
    count = len(s.database.readers)
    who = f"All {count} readers" if count != 1 else "The reader"
    return True, "Converged", f"{who} can read with every key in use."


def data_up_to_date(s: Situation) -> Finding:
    """Say whether every row is under the active key, and if not what is being done about it."""
    lost = lost_message(s)
    if lost:
        return False, "RollingKeyMissing", lost
    if s.needed_but_absent:
        return False, "RollingKeyMissing", absent_message(s)
    left = s.counts.awaiting(s.write_key)
    if s.rotation or left or s.target != s.write_key:
        if s.seen.policy.migration.suspend:
            return (
                False,
                SUSPENDED,
                f"{rows(left, 'is', 'are')} left; migration.suspend is true: set it to false.",
            )
        return (False, *_moving(s, left))
    found = unreadable(s)
    if found:
        return (False, *found)
    return True, "UpToDate", _all_under(s.counts.total)


def _all_under(total: int) -> str:
    if not total:
        return "There is no row yet."
    which = "The row is" if total == 1 else f"All {total:,} rows are"
    return f"{which} under the active key."


def _moving(s: Situation, left: int) -> tuple[str, str]:
    if s.target != s.write_key:
        return "Migrating", f"Key {s.target} is about to become the active key; then rows follow."
    queued = f" Key {s.queued} is next." if s.queued else ""
    if left:
        return "Migrating", f"{rows(left, 'is', 'are')} still to be brought under key {s.target}.{queued}"
    return "Verifying", f"Every row is being tried under key {s.target}.{queued}"


def policy_safe(s: Situation) -> Finding:
    """Warn before a lock-out: somebody must be able to administer."""
    administrators, mfa = s.database.administrators, s.seen.policy.mfa
    if not administrators.active:
        return (
            False,
            "NoAdministrator",
            "No active administrator exists: create one with `practicus-mfa users create NAME --superuser`.",
        )
    required = mfa.enabled and (mfa.mandatory or mfa.mandatory_for_sys_admins)
    if required and not administrators.enrolled:
        return (
            False,
            "NoAdministratorEnrolled",
            "MFA is mandatory and no administrator is enrolled: have one log in and enrol.",
        )
    return (
        True,
        "Safe",
        f"Administrators who are enrolled: {administrators.enrolled} of {administrators.active}.",
    )


def old_key_retirable(s: Situation) -> Finding:
    """Say whether the rolling key may be removed from values.yaml."""
    in_use = s.rolling_keys | s.needed_but_absent.keys()
    if s.target != s.write_key and s.write_key:
        in_use |= {s.write_key}
    early = s.removed_early & in_use
    if s.wanted.rolling and s.wanted.rolling not in s.database.retired_keys:
        in_use |= {s.wanted.rolling}  # it waits to be taken up, and rows to be tried with it
    if not in_use and s.wanted.rolling is None:
        return False, "NoRollingKey", "No rolling key is in use."
    if not in_use:
        return True, "Safe", f"No row needs key {s.wanted.rolling}: it may be removed from values.yaml."
    note = (
        f" Key {joined(early)} was removed from values.yaml too early; the keyring still has it."
        if early
        else ""
    )
    if not s.counts.awaiting(s.write_key) and s.target == s.write_key and s.open_tables:
        return False, "ReadersRemain", tables_message(s) + note
    return False, "RowsRemain", f"Rows may still need key {joined(in_use)}.{note}"


def summary(single: tuple[Condition, ...], plan: Plan) -> tuple[Condition, Condition, Condition]:
    """Return Ready, Reconciling and Stalled."""
    by_type = {condition.type: condition for condition in single}
    order = ("DatabaseReachable", "KeysValid", "ReadersConverged", "DataUpToDate")
    broken = next((by_type[kind] for kind in order if by_type[kind].status is not Truth.TRUE), None)
    stalled = plan.waits_for is For.PERSON
    if stalled:
        reason, message = plan.reason, plan.message
    elif broken:
        reason, message = broken.reason, broken.message
    elif not plan.at_rest:
        reason, message = "Progressing", f"Step {plan.step} is under way."
    else:
        reason, message = "Ready", "Policy and keys are in force."
    ready = not stalled and not broken and plan.at_rest
    busy = not ready and not stalled
    return (
        _condition("Ready", (ready, reason, message)),
        _condition("Reconciling", (busy, reason if busy else _resting(plan), message if busy else "")),
        _condition("Stalled", (stalled, reason if stalled else "NotStalled", message if stalled else "")),
    )


def _resting(plan: Plan) -> str:
    return "Idle" if plan.step is Step.IDLE else "WaitingForPerson"
