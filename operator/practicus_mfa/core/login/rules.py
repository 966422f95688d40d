"""The policy in force, and what it asks of one account.

Everything is judged when it is used, by the policy of that moment: a session remembers what a person did,
never what the policy was. An account without a factor that needs one first has its grace, then only the way
to enrol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.parse.faults import InvalidConfiguration, wrong_type
from practicus_mfa.core.parse.reader import Section
from practicus_mfa.core.parse.rules import check_days, mfa_rules, remember_me_rules, session_rules
from practicus_mfa.core.policy import MfaRules, RememberMeRules, SessionRules
from practicus_mfa.core.spelling import mfa_spelled, remember_me_spelled, session_spelled
from practicus_mfa.faults import Fault

_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "mfa": frozenset(mfa_spelled(MfaRules())),
    "rememberMe": frozenset(remember_me_spelled(RememberMeRules())),
    "session": frozenset(session_spelled(SessionRules())),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRules:
    """What a log-in service goes by."""

    mfa: MfaRules = field(default_factory=MfaRules)
    remember_me: RememberMeRules = field(default_factory=RememberMeRules)
    session: SessionRules = field(default_factory=SessionRules)


def rules_in_force(effective: Mapping[str, Any]) -> LoginRules:
    """Return the rules that the operator published (:func:`practicus_mfa.core.parse.spec.enforced`).

    What is missing is as by default, and names that are unknown here are left alone: while a new version is
    rolled out, operator and log-in service are of different ones.

    Raises:
        InvalidConfiguration: A known name has a value that it can't have. To read a default there could mean
            to ask for less than the policy does.
    """
    faults: list[Fault] = []
    sections = {name: _known(effective, name, faults) for name in _NAMES}
    remember_me = remember_me_rules(sections["rememberMe"], RememberMeRules())
    check_days(remember_me, sections["rememberMe"])
    rules = LoginRules(
        mfa=mfa_rules(sections["mfa"], MfaRules()),
        remember_me=remember_me,
        session=session_rules(sections["session"]),
    )
    if faults:
        remedy = "the operator writes it anew when it next looks at the MfaPolicy"
        raise InvalidConfiguration(faults, source="the policy in the database", remedy=remedy)
    return rules


def _known(effective: Mapping[str, Any], name: str, faults: list[Fault]) -> Section:
    node = effective.get(name)
    if node is not None and not isinstance(node, Mapping):
        faults.append(wrong_type(name, node, "a section", "it is a section of names and values"))
        node = None
    return Section({key: value for key, value in (node or {}).items() if key in _NAMES[name]}, name, faults)


def needs_factor(account: Account, rules: LoginRules) -> bool:
    """Tell whether the policy wants this account to have a second factor."""
    mfa = rules.mfa
    wanted = mfa.mandatory or (mfa.mandatory_for_sys_admins and account.is_administrator)
    return mfa.enabled and wanted


def must_enrol(account: Account, rules: LoginRules, now: datetime) -> bool:
    """Tell whether this account may do nothing but enrol: a factor is wanted, missing, and grace is over."""
    if account.enrolled or not needs_factor(account, rules):
        return False
    if rules.mfa.grace_period_days == 0:
        return True
    return account.enrol_by is not None and account.enrol_by <= now


def wants_code(account: Account, rules: LoginRules) -> bool:
    """Tell whether a password is not enough: the account has a factor, and MFA is not switched off."""
    return rules.mfa.enabled and account.enrolled


def may_be_remembered(account: Account, rules: LoginRules) -> bool:
    """Tell whether this account is offered to stay logged in for ``rememberMe.days``."""
    remember_me = rules.remember_me
    return remember_me.enabled and not (remember_me.disabled_for_sys_admins and account.is_administrator)


def deadline(account: Account, rules: LoginRules, now: datetime) -> datetime | None:
    """Return when the grace ends that begins now; ``None`` where none begins.

    It begins once: a stored deadline stays as it is, whatever becomes of ``gracePeriodDays``, so that no
    change of it gives or takes days that were told to a person. 0 days are the exception: they end every
    grace.
    """
    if account.enrolled or account.enrol_by is not None or not needs_factor(account, rules):
        return None
    days = rules.mfa.grace_period_days
    return now + timedelta(days=days) if days else None


class Step(StrEnum):
    """What comes after a right password."""

    CODE = "code"
    """A code of the factor, or a recovery code."""
    ENROL = "enrol"
    """A factor, before anything else."""
    REMEMBER = "remember"
    """The question whether to stay logged in."""
    DONE = "done"
    """Nothing: the person is logged in."""


def next_step(account: Account, rules: LoginRules, now: datetime) -> Step:
    """Return what comes after a right password of *account*."""
    if wants_code(account, rules):
        return Step.CODE
    if must_enrol(account, rules, now):
        return Step.ENROL
    return Step.REMEMBER if may_be_remembered(account, rules) else Step.DONE
