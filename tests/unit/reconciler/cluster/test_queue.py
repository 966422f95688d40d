from __future__ import annotations

import threading

from practicus_mfa.reconciler.cluster.queue import FIRST_RETRY, LAST_RETRY, DueQueue, Key
from tests.support.waiting import LIMIT_SECONDS

ONE, TWO = Key("a", "one"), Key("a", "two")


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(queue: DueQueue) -> list[Key]:
    """What may be taken now, in its order; nothing of it is done."""
    found = []
    # Closed, a queue gives None where it would wait.
    while queue._due and (key := _ready(queue)):
        found.append(key)
    return found


def _ready(queue: DueQueue) -> Key | None:
    free = [due for key, due in queue._due.items() if key not in queue._working]
    return queue.take() if free and min(free) <= queue.monotonic() else None


def test_a_policy_that_is_added_often_is_taken_once() -> None:
    queue = DueQueue(Time())
    for _ in range(3):
        queue.add(ONE)
    assert taken(queue) == [ONE]


def test_who_is_due_for_longer_comes_first() -> None:
    time = Time()
    queue = DueQueue(time)
    queue.add(ONE, 2)
    queue.add(TWO, 1)
    assert taken(queue) == []
    time.now += 2
    assert taken(queue) == [TWO, ONE]


def test_an_addition_cuts_a_delay_short_and_never_lengthens_it() -> None:
    queue = DueQueue(Time())
    queue.add(ONE, 60)
    queue.add(ONE)
    queue.add(ONE, 60)
    assert taken(queue) == [ONE]


def test_what_is_added_while_it_is_worked_on_is_given_to_nobody_else_and_comes_again_afterwards() -> None:
    queue = DueQueue(Time())
    queue.add(ONE)
    assert taken(queue) == [ONE]
    queue.add(ONE)
    assert taken(queue) == []
    queue.done(ONE, again_in=60)
    assert taken(queue) == [ONE]


def test_what_is_done_comes_again_when_it_was_said_to() -> None:
    time = Time()
    queue = DueQueue(time)
    queue.add(ONE)
    taken(queue)
    queue.done(ONE, again_in=60)
    assert taken(queue) == []
    time.now += 60
    assert taken(queue) == [ONE]
    queue.done(ONE, again_in=None)
    time.now += 1_000
    assert taken(queue) == []


def test_what_fails_waits_longer_each_time_and_a_success_forgets_it() -> None:
    time = Time()
    queue = DueQueue(time)

    def fail() -> float:
        queue.add(ONE)
        assert taken(queue) == [ONE]
        return queue.failed(ONE)

    delays = [fail() for _ in range(8)]
    assert delays[:4] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY, 8 * FIRST_RETRY]
    assert delays[-1] == LAST_RETRY
    queue.add(ONE)
    taken(queue)
    queue.done(ONE, again_in=None)
    assert fail() == FIRST_RETRY


def test_the_age_of_what_waits_or_is_worked_on_is_told() -> None:
    time = Time()
    queue = DueQueue(time)
    assert queue.overdue() == 0
    queue.add(ONE, 60)
    assert queue.overdue() == 0
    time.now += 65
    assert queue.overdue() == 5
    taken(queue)
    time.now += 5
    assert queue.overdue() == 10
    queue.done(ONE, again_in=60)
    assert queue.overdue() == 0


def test_closing_sends_every_waiting_thread_home() -> None:
    queue = DueQueue()
    queue.add(ONE, 600)
    found: list[Key | None] = []
    threads = [threading.Thread(target=lambda: found.append(queue.take())) for _ in range(3)]
    for thread in threads:
        thread.start()
    queue.close()
    for thread in threads:
        thread.join(LIMIT_SECONDS)
    assert found == [None] * 3


def test_an_addition_wakes_a_thread_that_waits() -> None:
    queue = DueQueue()
    found: list[Key | None] = []
    thread = threading.Thread(target=lambda: found.append(queue.take()))
    thread.start()
    queue.add(ONE)
    thread.join(LIMIT_SECONDS)
    assert found == [ONE]
