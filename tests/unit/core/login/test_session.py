"""What a session is worth, judged by the policy of the moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import LoginRules
from practicus_mfa.core.login.session import (
    Ended,
    LoggedOut,
    MustEnrol,
    SessionFacts,
    Valid,
    Verdict,
    end_of,
    expires_at,
    is_fresh,
    judge,
)
from practicus_mfa.core.policy import MfaRules, RememberMeRules, SessionRules

START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
USER: Final = Account(id=1, username="ada")
ENROLLED: Final = replace(USER, enrolled=True)
ADMINISTRATOR: Final = replace(USER, is_staff=True)
MANDATORY: Final = LoginRules(mfa=MfaRules(mandatory=True))
IDLE: Final = LoginRules(session=SessionRules(idle_minutes=30))


def session(
    *, remembered: bool = False, rules: LoginRules | None = None, code: bool = False, account: Account = USER
) -> SessionFacts:
    rules = rules or LoginRules()
    return SessionFacts(
        created_at=START,
        expires_at=expires_at(START, remembered=remembered, account=account, rules=rules),
        last_used_at=START,
        remembered=remembered,
        second_factor_at=START if code else None,
        proved_at=START,
    )


@pytest.mark.parametrize(("remembered", "lasts"), [(False, timedelta(hours=12)), (True, timedelta(days=30))])
def test_how_long_a_session_lasts(*, remembered: bool, lasts: timedelta) -> None:
    facts = session(remembered=remembered)
    assert facts.expires_at == START + lasts
    assert judge(facts, USER, LoginRules(), START + lasts - SECOND) == Valid(START + lasts)
    assert judge(facts, USER, LoginRules(), START + lasts) == LoggedOut(Ended.EXPIRED)


@pytest.mark.parametrize(
    ("rules", "account", "lasts"),
    [
        (LoginRules(remember_me=RememberMeRules(enabled=False)), USER, timedelta(hours=12)),
        (LoginRules(remember_me=RememberMeRules(enabled=False, days=0)), USER, timedelta(hours=12)),
        (LoginRules(remember_me=RememberMeRules(days=2)), USER, timedelta(days=2)),
        (LoginRules(remember_me=RememberMeRules(days=90)), USER, timedelta(days=30)),
        (LoginRules(remember_me=RememberMeRules(disabled_for_sys_admins=True)), USER, timedelta(days=30)),
        (
            LoginRules(remember_me=RememberMeRules(disabled_for_sys_admins=True)),
            ADMINISTRATOR,
            timedelta(hours=12),
        ),
        (
            LoginRules(remember_me=RememberMeRules(days=1), session=SessionRules(hours=48)),
            USER,
            timedelta(hours=48),
        ),
    ],
)
def test_a_later_policy_acts_on_those_who_are_remembered(
    rules: LoginRules, account: Account, lasts: timedelta
) -> None:
    assert end_of(session(remembered=True), account, rules) == START + lasts


def test_a_later_policy_lengthens_no_session() -> None:
    assert end_of(session(), USER, LoginRules(session=SessionRules(hours=99))) == START + timedelta(hours=12)
    assert end_of(session(), USER, LoginRules(session=SessionRules(hours=1))) == START + timedelta(hours=1)


def test_an_idle_session_ends_unless_it_is_remembered() -> None:
    idle_for = timedelta(minutes=30)
    assert isinstance(judge(session(), USER, IDLE, START + idle_for - SECOND), Valid)
    assert judge(session(), USER, IDLE, START + idle_for) == LoggedOut(Ended.IDLE)
    used = replace(session(), last_used_at=START + SECOND)
    assert isinstance(judge(used, USER, IDLE, START + idle_for), Valid)
    assert isinstance(judge(session(remembered=True), USER, IDLE, START + idle_for), Valid)
    no_longer = replace(IDLE, remember_me=RememberMeRules(enabled=False))
    assert judge(session(remembered=True), USER, no_longer, START + idle_for) == LoggedOut(Ended.IDLE)
    assert isinstance(judge(session(), USER, LoginRules(), START + idle_for), Valid)


VALID: Final = Valid(START + timedelta(hours=12))


@pytest.mark.parametrize(
    ("facts", "account", "rules", "verdict"),
    [
        (session(), USER, LoginRules(), VALID),
        (session(code=True), ENROLLED, LoginRules(), VALID),
        (session(), ENROLLED, LoginRules(), LoggedOut(Ended.FACTOR_WANTED)),
        (session(), ENROLLED, LoginRules(mfa=MfaRules(enabled=False, mandatory=True)), VALID),
        (session(), USER, MANDATORY, MustEnrol()),
        (session(code=True), USER, MANDATORY, MustEnrol()),
        (session(code=True), ENROLLED, MANDATORY, VALID),
        (session(code=True), replace(ENROLLED, is_active=False), MANDATORY, LoggedOut(Ended.INACTIVE_USER)),
        (session(), USER, LoginRules(mfa=MfaRules(mandatory=True, grace_period_days=1)), VALID),
    ],
)
def test_what_a_session_is_worth(
    facts: SessionFacts, account: Account, rules: LoginRules, verdict: Verdict
) -> None:
    assert judge(facts, account, rules, START + SECOND) == verdict


def test_a_proof_is_fresh_for_some_minutes() -> None:
    assert is_fresh(START, START + timedelta(minutes=5), 5)
    assert not is_fresh(START, START + timedelta(minutes=5, microseconds=1), 5)
