"""Sessions: for how long a log-in counts, judged anew at each use.

A session holds what a person did and when (logged in, asked to be remembered, gave a code) and one limit that
no later policy can move further away, ``expires_at``. All else is the policy's of this moment: a stricter one
acts on sessions that exist. To be remembered never shortens a session, whatever the policy's numbers are; so
to forbid it never lengthens one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import LoginRules, may_be_remembered, must_enrol, wants_code


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """What is known of a session.

    Attributes:
        created_at: When the person logged in.
        expires_at: The limit that was stored then.
        last_used_at: The last request, to five minutes.
        remembered: The person asked to stay logged in, and might at that time.
        second_factor_at: When a code or recovery code was last given; ``None``: never in this session.
        proved_at: When the password (and a code, where there is one) was last given.
    """

    created_at: datetime
    expires_at: datetime
    last_used_at: datetime
    remembered: bool
    second_factor_at: datetime | None
    proved_at: datetime


class Ended(StrEnum):
    """Why a session counts as logged out."""

    EXPIRED = "expired"
    IDLE = "idle"
    INACTIVE_USER = "inactive-user"
    FACTOR_WANTED = "factor-wanted"
    """The policy wants a code, and none was ever given in this session."""


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The session counts no longer: log in again."""

    reason: Ended


@dataclass(frozen=True, slots=True)
class MustEnrol:
    """Logged in with a password, but the policy wants a factor first: only to enrol and to log out."""


@dataclass(frozen=True, slots=True)
class MustChangePassword:
    """Logged in with a password that somebody else chose: only to choose another one and to log out."""


@dataclass(frozen=True, slots=True)
class Valid:
    """Logged in.

    Attributes:
        until: When the session ends at the latest, as things are; being idle may end it earlier.
    """

    until: datetime


Verdict = LoggedOut | MustChangePassword | MustEnrol | Valid


def judge(session: SessionFacts, account: Account, rules: LoginRules, now: datetime) -> Verdict:
    """Return what *session* of *account* is worth at *now*."""
    until = end_of(session, account, rules)
    if not account.is_active:
        return LoggedOut(Ended.INACTIVE_USER)
    if now >= until:
        return LoggedOut(Ended.EXPIRED)
    if _is_idle(session, account, rules, now):
        return LoggedOut(Ended.IDLE)
    if session.second_factor_at is None and wants_code(account, rules):
        return LoggedOut(Ended.FACTOR_WANTED)
    if account.must_change_password:
        return MustChangePassword()
    return MustEnrol() if must_enrol(account, rules, now) else Valid(until)


def end_of(session: SessionFacts, account: Account, rules: LoginRules) -> datetime:
    """Return when *session* ends at the latest: by the policy in force, never after what was stored."""
    by_policy = expires_at(session.created_at, remembered=session.remembered, account=account, rules=rules)
    return min(session.expires_at, by_policy)


def expires_at(created_at: datetime, *, remembered: bool, account: Account, rules: LoginRules) -> datetime:
    """Return the end of a session by *rules*: ``rememberMe.days`` or ``session.hours`` after *created_at*.

    The latter is the longer one only where a policy says so in so many words (1 day and 48 hours).
    """
    limit = timedelta(hours=rules.session.hours)
    if remembered and may_be_remembered(account, rules):
        limit = max(limit, timedelta(days=rules.remember_me.days))
    return created_at + limit


def is_fresh(at: datetime, now: datetime, minutes: int) -> bool:
    """Tell whether what was done at *at* is at most *minutes* old: a proof for what needs a fresh one."""
    return now - at <= timedelta(minutes=minutes)


def _is_idle(session: SessionFacts, account: Account, rules: LoginRules, now: datetime) -> bool:
    minutes = rules.session.idle_minutes
    if minutes == 0 or (session.remembered and may_be_remembered(account, rules)):
        return False
    return now - session.last_used_at >= timedelta(minutes=minutes)
