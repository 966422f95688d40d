"""Laws of judging sessions: a stricter policy never makes one live longer, and time makes none better."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import event, given
from hypothesis import strategies as st

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import LoginRules, Step, next_step
from practicus_mfa.core.login.session import (
    LoggedOut,
    MustChangePassword,
    MustEnrol,
    SessionFacts,
    Valid,
    Verdict,
    expires_at,
    judge,
)
from practicus_mfa.core.policy import MfaRules, RememberMeRules, SessionRules

START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSED: Final = (
    st.timedeltas(timedelta(0), timedelta(minutes=20))
    | st.timedeltas(timedelta(0), timedelta(hours=20))
    | st.timedeltas(timedelta(0), timedelta(days=60))
)
LATER: Final = PASSED.map(lambda passed: START + passed)

ACCOUNTS: Final = st.builds(
    Account,
    id=st.just(1),
    username=st.just("ada"),
    is_active=st.sampled_from([True, True, True, False]),
    is_staff=st.booleans(),
    is_superuser=st.booleans(),
    enrolled=st.booleans(),
    enrol_by=st.none() | LATER,
)
RULES: Final = st.builds(
    LoginRules,
    mfa=st.builds(
        MfaRules,
        enabled=st.booleans(),
        mandatory=st.booleans(),
        mandatory_for_sys_admins=st.booleans(),
        grace_period_days=st.sampled_from([0, 1, 30]),
    ),
    remember_me=st.builds(
        RememberMeRules,
        enabled=st.booleans(),
        days=st.integers(1, 60),
        disabled_for_sys_admins=st.booleans(),
    ),
    session=st.builds(SessionRules, hours=st.integers(1, 100), idle_minutes=st.sampled_from([0, 5, 600])),
)


@st.composite
def sessions(draw: st.DrawFn) -> tuple[SessionFacts, Account]:
    account, remembered, then = draw(ACCOUNTS), draw(st.booleans()), draw(RULES)
    return (
        SessionFacts(
            created_at=START,
            expires_at=expires_at(START, remembered=remembered, account=account, rules=then),
            last_used_at=draw(LATER),
            remembered=remembered,
            second_factor_at=draw(st.none() | LATER),
            proved_at=START,
        ),
        account,
    )


@st.composite
def stricter(draw: st.DrawFn, rules: LoginRules) -> LoginRules:
    """A policy that asks for at least as much as *rules* in every respect."""
    mfa, remember_me, session = rules.mfa, rules.remember_me, rules.session
    idle = session.idle_minutes
    return LoginRules(
        mfa=MfaRules(
            enabled=mfa.enabled or draw(st.booleans()),
            mandatory=mfa.mandatory or draw(st.booleans()),
            mandatory_for_sys_admins=mfa.mandatory_for_sys_admins or draw(st.booleans()),
            grace_period_days=draw(st.integers(0, mfa.grace_period_days)),
        ),
        remember_me=RememberMeRules(
            enabled=remember_me.enabled and draw(st.booleans()),
            days=draw(st.integers(1, remember_me.days)),
            disabled_for_sys_admins=remember_me.disabled_for_sys_admins or draw(st.booleans()),
        ),
        session=SessionRules(
            hours=draw(st.integers(1, session.hours)),
            idle_minutes=draw(st.integers(1, idle) if idle else st.sampled_from([0, 1, 10_000])),
        ),
    )


def worth(verdict: Verdict) -> int:
    match verdict:
        case LoggedOut():
            return 0
        case MustChangePassword() | MustEnrol():
            return 1
        case Valid():
            return 2


@given(sessions(), RULES, LATER, st.data())
def test_a_stricter_policy_never_makes_a_session_live_longer(
    given_session: tuple[SessionFacts, Account], rules: LoginRules, now: datetime, data: st.DataObject
) -> None:
    session, account = given_session
    before = judge(session, account, rules, now)
    after = judge(session, account, data.draw(stricter(rules)), now)
    event(f"{type(before).__name__} becomes {type(after).__name__}")
    assert worth(after) <= worth(before)
    if isinstance(before, Valid) and isinstance(after, Valid):
        assert after.until <= before.until


@given(sessions(), RULES, LATER, PASSED)
def test_time_makes_no_session_better(
    given_session: tuple[SessionFacts, Account], rules: LoginRules, now: datetime, passed: timedelta
) -> None:
    session, account = given_session
    before, after = (judge(session, account, rules, at) for at in (now, now + passed))
    assert worth(after) <= worth(before)
    if isinstance(before, Valid):
        assert now < before.until <= session.expires_at
        if isinstance(after, Valid):
            assert after == before


@given(sessions(), RULES, LATER)
def test_a_session_is_worth_no_more_than_a_new_log_in(
    given_session: tuple[SessionFacts, Account], rules: LoginRules, now: datetime
) -> None:
    session, account = given_session
    by_password = replace(session, second_factor_at=None)
    match next_step(account, rules, now):
        case Step.CODE:
            assert isinstance(judge(by_password, account, rules, now), LoggedOut)
        case Step.ENROL:
            assert not isinstance(judge(session, account, rules, now), Valid)
        case Step.REMEMBER | Step.DONE:
            assert not isinstance(judge(session, account, rules, now), MustEnrol)


@given(ACCOUNTS, RULES)
def test_to_be_remembered_shortens_no_session(account: Account, rules: LoginRules) -> None:
    remembered, not_remembered = (
        expires_at(START, remembered=choice, account=account, rules=rules) for choice in (True, False)
    )
    assert remembered >= not_remembered == START + timedelta(hours=rules.session.hours)
