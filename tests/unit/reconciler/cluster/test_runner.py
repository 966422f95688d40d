from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from practicus_mfa.errors import UnreachableError
from practicus_mfa.reconciler.cluster.queue import DueQueue, Key
from practicus_mfa.reconciler.cluster.runner import STANDBY, STUCK, Runner
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    import pytest

KEY = Key("team", "mfa")


class Work:
    """What passes do: as told, and once."""

    def __init__(self, *outcomes: float | Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.done = threading.Event()
        self.count = 0

    def __call__(self, key: Key) -> float | None:
        assert key == KEY
        self.count += 1
        if not self.outcomes:
            return None
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.done.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def test_a_pass_that_asks_for_another_one_gets_it() -> None:
    work = Work(0.0, 0.0, None)
    queue = DueQueue()
    runner = Runner(queue=queue, work=work, leads=lambda: True)
    runner.start()
    queue.add(KEY)
    assert work.done.wait(LIMIT_SECONDS)
    runner.stop(LIMIT_SECONDS)
    assert work.count == 3


def test_a_failure_of_one_kind_or_the_other_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(UnreachableError("no answer", remedy="wait for it"), ZeroDivisionError("a mistake"), None)
    queue = DueQueue()
    runner = Runner(queue=queue, work=work, leads=lambda: True)
    runner.start()
    # An addition cuts the delay of a retry short.
    while not work.done.is_set():
        queue.add(KEY)
    runner.stop(LIMIT_SECONDS)
    assert work.count >= 3  # an addition may have come after the last
    assert "no answer; wait for it" in caplog.text
    assert "ZeroDivisionError: a mistake" in caplog.text


def test_who_does_not_lead_does_nothing() -> None:
    work = Work(None)
    queue = DueQueue(lambda: 100.0)
    runner = Runner(queue=queue, work=work, leads=lambda: False)
    runner.start()
    queue.add(KEY)
    until(lambda: queue._due.get(KEY) == 100.0 + STANDBY, "the key is put off")
    runner.stop(LIMIT_SECONDS)
    assert work.count == 0
    assert queue.overdue() == 0


def test_passes_that_end_are_a_sign_of_life_and_a_queue_without_an_end_is_not() -> None:
    seconds = [0.0]
    queue = DueQueue(lambda: seconds[0])
    runner = Runner(queue=queue, work=lambda _: None, leads=lambda: True, monotonic=lambda: seconds[0])
    runner._ended_at = 0.0
    assert runner.alive()
    seconds[0] = STUCK
    assert runner.alive()  # nothing was due
    queue.add(KEY)
    seconds[0] += STUCK
    assert not runner.alive()
    runner._ended_at = seconds[0]
    assert runner.alive()
