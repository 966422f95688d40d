"""What a thread that seals does besides sealing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import pytest

from practicus_mfa.core.audit_chain import GENESIS, Head
from practicus_mfa.errors import MfaError, UnreachableError, UsageError
from practicus_mfa.login import sealing
from practicus_mfa.login.sealing import MORE_SECONDS, PAUSE_SECONDS, THOROUGH, Sealing
from practicus_mfa.storage.audit_chain import NEAR

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

NOWHERE = cast("Database", None)


@pytest.fixture
def looked() -> list[int | None]:
    """How far back each step looked."""
    return []


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, looked: list[int | None]) -> list[int | MfaError]:
    """What sealing comes to, each time: the count of lines, or an error."""
    given: list[int | MfaError] = []

    def seal(_db: Database, _limit: int, *, near: int | None) -> Head:
        looked.append(near)
        answer = given.pop(0)
        if isinstance(answer, MfaError):
            raise answer
        return Head(answer, GENESIS)

    monkeypatch.setattr(sealing, "seal", seal)
    return given


def test_a_full_batch_is_soon_followed_by_another(answers: list[int | MfaError]) -> None:
    answers += [10, 13, 13]
    thread = Sealing(NOWHERE, batch=10)
    assert [thread.step() for _ in range(3)] == [MORE_SECONDS, PAUSE_SECONDS, PAUSE_SECONDS]


def test_a_database_that_is_away_is_no_news(
    answers: list[int | MfaError], caplog: pytest.LogCaptureFixture
) -> None:
    answers += [UnreachableError("The database is away.", remedy="-"), 1]
    thread = Sealing(NOWHERE)
    with caplog.at_level(logging.INFO):
        assert [thread.step(), thread.step()] == [PAUSE_SECONDS, PAUSE_SECONDS]
    assert caplog.messages == []


def test_a_role_that_may_not_seal_is_told_of_once(
    answers: list[int | MfaError], caplog: pytest.LogCaptureFixture
) -> None:
    refused = UsageError("permission denied", remedy="give the grants again")
    answers += [refused, refused, 1, refused]
    thread = Sealing(NOWHERE)
    assert {thread.step() for _ in range(4)} == {PAUSE_SECONDS}
    assert caplog.messages == ["the audit can't be sealed: permission denied give the grants again"] * 2


def test_now_and_then_it_looks_all_the_way_back(
    answers: list[int | MfaError], looked: list[int | None]
) -> None:
    answers += [0] * (THOROUGH + 2)
    thread = Sealing(NOWHERE)
    for _ in range(THOROUGH + 2):
        thread.step()
    assert looked == [None, *[NEAR] * (THOROUGH - 1), None, NEAR]
