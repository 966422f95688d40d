"""A step taken again and again: not ended by a mistake, ended when told to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from practicus_mfa.login import repeating
from practicus_mfa.login.repeating import Repeating
from tests.support.waiting import until

if TYPE_CHECKING:
    import pytest


def test_it_goes_on_until_it_is_stopped_and_then_does_its_last_work() -> None:
    taken: list[str] = []

    def step() -> float:
        taken.append("step")
        return 0.001

    thread = Repeating("test", step, at_end=lambda: taken.append("end"))
    thread.start()
    until(lambda: len(taken) > 2, "three steps")
    assert thread.stop(60)
    assert taken.count("end") == 1
    assert taken[-1] == "end"


def test_a_step_that_fails_is_told_of_and_not_the_last(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(repeating, "AFTER_A_FAULT", 0.001)
    count = 0

    def step() -> float:
        nonlocal count
        count += 1
        if count == 1:
            raise ValueError
        return 0.001

    thread = Repeating("the test", step)
    thread.start()
    until(lambda: count > 2, "steps after the fault")
    assert thread.stop(60)
    assert "the test failed and goes on" in caplog.text


def test_a_long_step_is_told_to_end_sooner() -> None:
    told, begun = threading.Event(), threading.Event()

    def step() -> float:
        begun.set()
        told.wait()
        return 60.0

    thread = Repeating("test", step, at_stop=told.set)
    thread.start()
    assert begun.wait(60)
    assert thread.stop(60)


def test_what_never_began_is_stopped_at_once() -> None:
    assert Repeating("test", lambda: 0.0).stop(60)


def test_a_step_that_hangs_is_not_waited_for_longer_than_asked() -> None:
    release = threading.Event()
    thread = Repeating("test", lambda: float(release.wait(60)))
    thread.start()
    assert not thread.stop(0.01)
    release.set()
    assert thread.stop(60)
