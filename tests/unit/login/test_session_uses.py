"""Last uses and ends of grace: few writes, and none lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import LoginRules
from practicus_mfa.core.policy import MfaRules, SessionRules
from practicus_mfa.errors import UnreachableError
from practicus_mfa.login.session_uses import SessionUses
from practicus_mfa.storage.sessions import StoredSession
from tests.support.sessions_read import ADA, AWAY, NOON, ReadWorld, session_of

SESSION: StoredSession = session_of().session


def note(
    world: ReadWorld,
    minutes: float,
    session: StoredSession = SESSION,
    account: Account = ADA,
    rules: LoginRules | None = None,
) -> datetime:
    at = NOON + timedelta(minutes=minutes)
    world.uses.note(session, account, rules or LoginRules(), at)
    return at


def test_a_session_costs_one_write_in_five_minutes() -> None:
    world, writes = ReadWorld(), []
    for second in range(0, 1200, 2):
        at = note(world, second / 60)
        world.uses.flush()
        if world.written:
            writes.append(at)
            # What is read meanwhile may be older than this write.
            assert world.written.pop() == ({1: at}, {})
    assert writes == [NOON + timedelta(minutes=minutes) for minutes in (5, 10, 15)]


def test_where_a_session_may_be_idle_for_minutes_only_its_use_is_kept_more_exactly() -> None:
    world, rules = ReadWorld(), LoginRules(session=SessionRules(idle_minutes=3))
    note(world, 0.99, rules=rules)
    world.uses.flush()
    assert world.written == []
    at = note(world, 1, rules=rules)
    world.uses.flush()
    assert world.written == [({1: at}, {})]


def test_all_sessions_are_written_together() -> None:
    world = ReadWorld()
    at = note(world, 6)
    note(world, 6, replace(SESSION, id=2))
    world.uses.flush()
    assert world.written == [({1: at, 2: at}, {})]


def test_grace_begins_with_the_first_use_that_the_policy_asks_it_of() -> None:
    world, rules = ReadWorld(), LoginRules(mfa=MfaRules(mandatory=True, grace_period_days=7))
    at = note(world, 1, rules=rules)
    note(world, 2, rules=rules)
    world.uses.flush()
    assert world.written == [({}, {ADA.id: at + timedelta(days=7)})]
    note(world, 3, account=replace(ADA, enrol_by=at), rules=rules)
    world.uses.flush()
    assert len(world.written) == 1


def test_what_could_not_be_written_is_written_the_next_time() -> None:
    world, rules = ReadWorld(), LoginRules(mfa=MfaRules(mandatory=True, grace_period_days=7))
    first = note(world, 6, rules=rules)
    world.fault = AWAY
    with pytest.raises(UnreachableError):
        world.uses.flush()
    last = note(world, 12, rules=rules)
    world.fault = None
    world.uses.flush()
    assert world.written == [({1: last}, {ADA.id: first + timedelta(days=7)})]


def test_what_is_noted_while_a_write_fails_is_written_with_the_rest() -> None:
    world, rules = ReadWorld(), LoginRules(mfa=MfaRules(mandatory=True, grace_period_days=7))
    other = replace(ADA, id=2)

    def write(_uses: Mapping[int, datetime], _deadlines: Mapping[int, datetime]) -> None:
        note(world, 12, rules=rules)
        note(world, 12, replace(SESSION, id=2), other, rules=rules)
        raise AWAY

    world.uses = SessionUses(write)
    first = note(world, 6, rules=rules)
    with pytest.raises(UnreachableError):
        world.uses.flush()
    world.uses._write = world.write
    world.uses.flush()
    last, week = NOON + timedelta(minutes=12), timedelta(days=7)
    assert world.written == [({1: last, 2: last}, {ADA.id: first + week, other.id: last + week})]
