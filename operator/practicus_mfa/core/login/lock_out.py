"""Changes of the policy after which administrators could be locked out: known before they are made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from practicus_mfa.core.policy import MfaRules


class Risk(StrEnum):
    """What a change brings; whoever makes it is asked once more."""

    NOBODY_ENROLLED = "nobody enrolled"
    """A factor is wanted of administrators, and none of them has one: whoever knows the password of one can
    set an app up in that administrator's place."""
    UNREADABLE = "unreadable"
    """Administrators are asked for codes that nobody can check: no key opens any of their factors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How people stand when a change is asked for.

    Attributes:
        administrators: Active administrators.
        enrolled: How many of them have a factor.
        readable: A key opens the factor of at least one of them, as far as is known.
    """

    administrators: int
    enrolled: int
    readable: bool


def _wants(rules: MfaRules) -> bool:
    """Whether a factor is wanted of administrators."""
    return rules.enabled and (rules.mandatory or rules.mandatory_for_sys_admins)


def risks(before: MfaRules, after: MfaRules, standing: Standing) -> tuple[Risk, ...]:
    """Return what speaks against a change.

    Args:
        before: The rules in force.
        after: The rules as they would be.
        standing: How people stand.
    """
    found = []
    begins = _wants(after) and not _wants(before)
    if begins and standing.administrators and not standing.enrolled:
        found.append(Risk.NOBODY_ENROLLED)
    switched_on = after.enabled and not before.enabled
    if (begins or switched_on) and standing.enrolled and not standing.readable:
        found.append(Risk.UNREADABLE)
    return tuple(found)


def leads_all_to_enrolment(rules: MfaRules) -> bool:
    """Whether every user without a factor must set one up at the next log-in: worth a note, no risk."""
    return rules.enabled and rules.mandatory and rules.grace_period_days == 0
