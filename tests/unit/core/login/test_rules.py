"""What the policy in force asks of one account."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import (
    LoginRules,
    Step,
    deadline,
    may_be_remembered,
    must_enrol,
    needs_factor,
    next_step,
    rules_in_force,
)
from practicus_mfa.core.parse.spec import enforced, policy_from_spec
from practicus_mfa.core.policy import MfaRules, RememberMeRules, SessionRules
from practicus_mfa.faults import InvalidConfiguration

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
USER: Final = Account(id=1, username="ada")
STAFF: Final = replace(USER, is_staff=True)
SUPERUSER: Final = replace(USER, is_superuser=True)
MANDATORY: Final = LoginRules(mfa=MfaRules(mandatory=True))
FOR_ADMINS: Final = LoginRules(mfa=MfaRules(mandatory_for_sys_admins=True))
OFF: Final = LoginRules(mfa=MfaRules(enabled=False, mandatory=True, mandatory_for_sys_admins=True))
WITH_GRACE: Final = LoginRules(mfa=MfaRules(mandatory=True, grace_period_days=7))
NEVER_REMEMBERED: Final = RememberMeRules(enabled=False)


def test_what_the_operator_publishes_is_read_back() -> None:
    spec = {
        "mfa": {"mandatory": True, "gracePeriodDays": 3},
        "rememberMe": {"days": 7, "disabledForSysAdmins": True},
        "session": {"hours": 4, "idleMinutes": 20},
    }
    policy = policy_from_spec(spec)
    expected = LoginRules(mfa=policy.mfa, remember_me=policy.remember_me, session=policy.session)
    assert rules_in_force(enforced(policy)) == expected
    assert expected != LoginRules()


@pytest.mark.parametrize(
    "published",
    [
        {},
        {"mfa": None, "rememberMe": {}},
        {"mfa": {"passkeys": "always"}, "session": {"hours": 12, "colour": 3}, "risk": {"level": 1}},
    ],
)
def test_what_is_missing_is_as_by_default_and_what_is_unknown_is_left_alone(
    published: dict[str, Any],
) -> None:
    assert rules_in_force(published) == LoginRules()


@pytest.mark.parametrize(
    ("published", "path"),
    [
        ({"mfa": {"mandatory": "yes"}}, "mfa.mandatory"),
        ({"mfa": True}, "mfa"),
        ({"session": {"hours": 0}}, "session.hours"),
        ({"rememberMe": {"days": 0}}, "rememberMe.days"),
    ],
)
def test_a_policy_that_can_not_be_read_is_not_read_as_a_weaker_one(
    published: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        rules_in_force(published)
    assert [fault.path for fault in caught.value.faults] == [path]
    assert "operator" in caught.value.remedy


@pytest.mark.parametrize(
    ("rules", "account", "needed"),
    [
        (LoginRules(), SUPERUSER, False),
        (MANDATORY, USER, True),
        (FOR_ADMINS, USER, False),
        (FOR_ADMINS, STAFF, True),
        (FOR_ADMINS, SUPERUSER, True),
        (OFF, SUPERUSER, False),
    ],
)
def test_who_needs_a_factor(rules: LoginRules, account: Account, *, needed: bool) -> None:
    assert needs_factor(account, rules) is needed
    assert must_enrol(account, rules, NOW) is needed
    assert not must_enrol(replace(account, enrolled=True), rules, NOW)


@pytest.mark.parametrize(
    ("remember_me", "account", "offered"),
    [
        (RememberMeRules(), SUPERUSER, True),
        (NEVER_REMEMBERED, USER, False),
        (RememberMeRules(disabled_for_sys_admins=True), USER, True),
        (RememberMeRules(disabled_for_sys_admins=True), STAFF, False),
        (RememberMeRules(disabled_for_sys_admins=True), SUPERUSER, False),
    ],
)
def test_who_may_be_remembered(remember_me: RememberMeRules, account: Account, *, offered: bool) -> None:
    assert may_be_remembered(account, LoginRules(remember_me=remember_me)) is offered


def test_the_grace_begins_once() -> None:
    ends = NOW + timedelta(days=7)
    assert deadline(USER, WITH_GRACE, NOW) == ends
    assert deadline(replace(USER, enrol_by=ends), WITH_GRACE, NOW + timedelta(days=100)) is None
    assert deadline(replace(USER, enrolled=True), WITH_GRACE, NOW) is None
    assert deadline(USER, MANDATORY, NOW) is None
    assert deadline(USER, LoginRules(mfa=MfaRules(grace_period_days=7)), NOW) is None


@pytest.mark.parametrize(
    ("rules", "enrol_by", "must"),
    [
        (WITH_GRACE, None, False),
        (WITH_GRACE, NOW + timedelta(seconds=1), False),
        (WITH_GRACE, NOW, True),
        (MANDATORY, None, True),
        (MANDATORY, NOW + timedelta(days=9), True),
        (OFF, NOW, False),
    ],
)
def test_when_the_grace_is_over(rules: LoginRules, enrol_by: datetime | None, *, must: bool) -> None:
    account = replace(USER, enrol_by=enrol_by)
    assert must_enrol(account, rules, NOW) is must
    assert (next_step(account, rules, NOW) is Step.ENROL) is must


@pytest.mark.parametrize(
    ("rules", "account", "step"),
    [
        (LoginRules(), USER, Step.REMEMBER),
        (LoginRules(remember_me=NEVER_REMEMBERED), USER, Step.DONE),
        (LoginRules(), replace(USER, enrolled=True), Step.CODE),
        (MANDATORY, replace(USER, enrolled=True), Step.CODE),
        (MANDATORY, USER, Step.ENROL),
        (WITH_GRACE, USER, Step.REMEMBER),
        (OFF, replace(USER, enrolled=True), Step.REMEMBER),
        (OFF, USER, Step.REMEMBER),
    ],
)
def test_what_comes_after_a_right_password(rules: LoginRules, account: Account, step: Step) -> None:
    assert next_step(account, rules, NOW) is step


def test_by_default_a_session_lasts_half_a_day() -> None:
    assert LoginRules().session == SessionRules(hours=12, idle_minutes=0)
