"""The policy as a replica knows it: new within a look, and never less than what was known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from practicus_mfa.errors import NotReadyError, UnreachableError
from practicus_mfa.login.policy_reader import PolicyReader
from practicus_mfa.storage.policy_row import PolicyInForce

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Surroundings:
    """A database and a clock that a test sets."""

    def __init__(self) -> None:
        self.away = False
        self.effective: dict[str, Any] | None = {"mfa": {"mandatory": True}}
        self.their_time = self.our_time = NOW
        self.generation = 1

    def look(self) -> tuple[datetime, PolicyInForce | None]:
        if self.away:
            raise UnreachableError("The database is away.", remedy="-")
        policy = None if self.effective is None else PolicyInForce(self.generation, self.effective, NOW)
        return self.their_time, policy

    def clock(self) -> datetime:
        return self.our_time


@pytest.fixture
def world() -> Surroundings:
    return Surroundings()


@pytest.fixture
def reader(world: Surroundings) -> PolicyReader:
    return PolicyReader(world.look, clock=world.clock)


def test_nothing_is_in_force_before_it_was_read(reader: PolicyReader) -> None:
    with pytest.raises(NotReadyError):
        reader.rules()


def test_a_database_without_a_policy_is_not_taken_for_one_that_asks_nothing(
    world: Surroundings, reader: PolicyReader
) -> None:
    world.effective = None
    reader.step()
    with pytest.raises(NotReadyError):
        reader.rules()
    assert reader.seen.reached
    assert reader.seen.policy_fault == "no policy is in force in the database yet"


def test_a_change_is_in_force_after_the_next_look(world: Surroundings, reader: PolicyReader) -> None:
    reader.step()
    assert reader.rules().mfa.mandatory
    world.effective = {"mfa": {"mandatory": False}}
    reader.step()
    assert not reader.rules().mfa.mandatory


def test_it_looks_at_least_once_a_second(reader: PolicyReader) -> None:
    assert reader.step() <= 0.5


@pytest.mark.parametrize("what", ["away", "gone", "damaged"])
def test_what_was_known_stays_in_force(world: Surroundings, reader: PolicyReader, what: str) -> None:
    reader.step()
    match what:
        case "away":
            world.away = True
        case "gone":
            world.effective = None
        case _:
            world.effective = {"mfa": {"mandatory": "perhaps"}}
    reader.step()
    assert reader.rules().mfa.mandatory
    assert reader.seen.reached


def test_a_policy_that_can_not_be_used_is_told_of_until_it_can(
    world: Surroundings, reader: PolicyReader
) -> None:
    world.effective = {"mfa": {"mandatory": "perhaps"}}
    for _ in range(2):
        reader.step()
        assert "mfa.mandatory" in reader.seen.policy_fault
    world.effective = {"mfa": {"mandatory": True}}
    reader.step()
    assert reader.seen.policy_fault == ""


def test_the_database_away_from_the_beginning_was_never_reached(
    world: Surroundings, reader: PolicyReader
) -> None:
    world.away = True
    reader.step()
    assert not reader.seen.reached
    assert reader.seen.fault == "The database is away."
    world.away = False
    reader.step()
    assert (reader.seen.reached, reader.seen.fault) == (True, "")


@pytest.mark.parametrize("seconds", [-4, 4])
def test_clocks_that_disagree_are_noticed(world: Surroundings, reader: PolicyReader, seconds: int) -> None:
    reader.step()
    assert reader.seen.skew == timedelta()
    world.their_time = NOW + timedelta(seconds=seconds)
    reader.step()
    assert reader.seen.skew == timedelta(seconds=4)


def test_a_slow_answer_is_no_clock_that_is_wrong(world: Surroundings) -> None:
    def slow() -> tuple[datetime, PolicyInForce | None]:
        world.our_time = NOW + timedelta(seconds=10)
        return NOW + timedelta(seconds=5), None

    reader = PolicyReader(slow, clock=world.clock)
    reader.step()
    assert reader.seen.skew == timedelta()
