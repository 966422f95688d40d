"""Sessions that are held: never older than a second, but for the time in which the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from practicus_mfa.core.login.rules import LoginRules
from practicus_mfa.core.login.session import Ended, LoggedOut, MustEnrol, Valid
from practicus_mfa.core.policy import MfaRules, SessionRules
from practicus_mfa.errors import MfaError, NotReadyError, UnreachableError, UsageError
from practicus_mfa.login import reading_batches, session_cache
from practicus_mfa.login.session_cache import SessionCache
from practicus_mfa.login.session_reading import Reading
from tests.support.sessions_read import ADA, AWAY, KEY, VERIFY_KEY, ReadWorld, session_of
from tests.support.waiting import until

OTHER: Final = b"o" * 32


@pytest.fixture
def world() -> ReadWorld:
    return ReadWorld()


Story = Callable[[SessionCache], Awaitable[None]]


def play(cache: SessionCache, story: Story) -> None:
    asyncio.run(story(cache))  # type: ignore[arg-type]


async def _asked(cache: SessionCache, key: bytes = KEY) -> object:
    """What the cache says: a verdict, ``None``, or the type of what it raises."""
    try:
        found = await cache.get(key)
    except MfaError as error:
        return type(error)
    return None if found is None else found.verdict


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition, "a reading's end")


@contextmanager
def hung(world: ReadWorld, cache: SessionCache) -> Iterator[None]:
    """Within the block no reading ends, and none is waited for; before and after it, all are."""
    patience, cache._batches._patience = cache._batches._patience, 0.01
    world.gate.clear()
    yield
    cache._batches._patience = patience
    world.gate.set()


async def _turns() -> None:
    """Let everything that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_an_answer_is_used_for_less_than_a_second_from_the_beginning_of_its_reading(world: ReadWorld) -> None:
    world.takes = 0.5

    async def story(cache: SessionCache) -> None:
        assert isinstance(await _asked(cache), Valid)
        world.seconds += 0.49
        assert isinstance(await _asked(cache), Valid)
        assert len(world.readings) == 1
        del world.rows[KEY]
        world.seconds += 0.01
        assert await _asked(cache) is None
        assert len(world.readings) == 2

    play(world.cache(), story)


def test_a_sweep_reads_what_was_used_in_one_query_and_leaves_the_rest(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        for key in (KEY, VERIFY_KEY):
            await cache.get(key)
        await cache.sweep()
        assert world.readings[2:] == [(KEY, VERIFY_KEY)]
        assert cache.fresh(VERIFY_KEY)
        await cache.sweep()
        assert world.readings[3:] == [(VERIFY_KEY,)]
        await cache.sweep()
        assert len(world.readings) == 4

    play(world.cache(), story)


def test_what_is_used_while_a_sweep_reads_is_read_by_the_next_one_too(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        world.gate.clear()
        sweep = asyncio.create_task(cache.sweep())
        await _turns()
        assert cache.fresh(KEY)
        world.gate.set()
        await sweep
        await cache.sweep()
        assert world.readings == [(KEY,)] * 3

    play(world.cache(), story)


def test_while_sweeps_go_on_a_session_in_use_is_never_waited_for(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        for _ in range(10):
            world.seconds += session_cache.SWEEP_SECONDS
            assert cache.fresh(KEY)
            await cache.sweep()
        assert len(world.readings) == 11

    play(world.cache(), story)


def test_a_session_that_ended_is_seen_by_the_next_sweep(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        del world.rows[KEY]
        await cache.sweep()
        assert cache.fresh(KEY) is None
        assert await _asked(cache) is None

    play(world.cache(), story)


def test_a_policy_acts_on_a_session_that_is_held(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        assert isinstance(await _asked(cache), Valid)
        world.rules = LoginRules(mfa=MfaRules(mandatory=True))
        await cache.sweep()
        assert await _asked(cache) == MustEnrol()

    play(world.cache(), story)


def test_what_is_no_session_is_not_asked_for_again_within_the_second(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        assert await _asked(cache, OTHER) is None
        world.seconds += 0.99
        assert await _asked(cache, OTHER) is None
        assert len(world.readings) == 1
        world.seconds += 0.01
        await _asked(cache, OTHER)
        assert len(world.readings) == 2

    play(world.cache(), story)


def test_those_that_are_missed_while_one_is_read_are_read_together(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        world.gate.clear()
        first = asyncio.create_task(_asked(cache))
        await _turns()
        keys = [bytes([number]) * 32 for number in range(50)]
        others = [asyncio.create_task(_asked(cache, key)) for key in [*keys, *keys, KEY]]
        await _turns()
        world.gate.set()
        assert isinstance(await first, Valid)
        answers = await asyncio.gather(*others)
        assert answers[:-1] == [None] * 100
        assert isinstance(answers[-1], Valid)
        assert world.readings == [(KEY,), tuple(keys)]

    play(world.cache(), story)


def test_no_query_is_longer_than_a_thousand_and_no_more_than_ten_wait(
    world: ReadWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_batches, "BATCH", 3)

    async def story(cache: SessionCache) -> None:
        world.gate.clear()
        asked = [asyncio.create_task(_asked(cache, bytes([number]) * 32)) for number in range(35)]
        await _turns()
        world.gate.set()
        answers = await asyncio.gather(*asked)
        most = 3 * reading_batches.MOST_BATCHES
        assert answers == [None] * most + [NotReadyError] * (35 - most)
        assert {len(keys) for keys in world.readings} == {3}

    play(world.cache(), story)


def test_who_goes_away_ends_the_reading_for_nobody_else(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        world.gate.clear()
        gone, stays = (asyncio.create_task(_asked(cache)) for _ in range(2))
        await _turns()
        gone.cancel()
        await _turns()
        world.gate.set()
        assert isinstance(await stays, Valid)

    play(world.cache(), story)


def test_while_the_database_is_away_an_answer_is_used_until_the_grace_is_over(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        world.fault = AWAY
        world.seconds += 29.99
        assert isinstance(await _asked(cache), Valid)
        world.seconds += 0.01
        assert await _asked(cache) is UnreachableError

    play(world.cache(grace=30), story)


def test_without_grace_the_second_holds_even_then(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        world.fault = AWAY
        world.seconds += 0.99
        assert isinstance(await _asked(cache), Valid)
        world.seconds += 0.01
        assert await _asked(cache) is UnreachableError

    play(world.cache(grace=0), story)


def test_a_session_that_was_never_read_can_not_be_used_then(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        world.fault = AWAY
        assert await _asked(cache) is UnreachableError

    play(world.cache(), story)


def test_only_an_outage_gives_grace(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        world.fault = UsageError("The database is not set up.", remedy="-")
        world.seconds += 1
        assert await _asked(cache) is UsageError

    play(world.cache(), story)


def test_the_grace_ends_when_the_database_is_back_whoever_notices(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        world.fault = AWAY
        world.seconds += 5
        assert isinstance(await _asked(cache), Valid)
        await _fails(cache.sweep())
        world.fault = None
        del world.rows[KEY]
        await cache.sweep()
        assert await _asked(cache) is None

    play(world.cache(), story)


def test_an_attempt_that_failed_a_second_ago_says_nothing_about_now(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        world.fault = AWAY
        world.seconds += 5
        assert isinstance(await _asked(cache), Valid)
        world.fault = None
        del world.rows[KEY]
        world.seconds += 1
        assert await _asked(cache) is None

    play(world.cache(), story)


def test_while_it_is_known_to_be_away_no_request_waits_for_it(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        world.fault = AWAY
        world.seconds += 5
        await _asked(cache)
        asked = len(world.readings)
        world.seconds += 0.5
        for _ in range(10):
            assert isinstance(await _asked(cache), Valid)
        assert len(world.readings) == asked

    play(world.cache(), story)


def test_a_session_is_judged_anew_during_the_grace(world: ReadWorld) -> None:
    soon = session_of()
    world.rows[KEY] = replace(
        soon, session=replace(soon.session, expires_at=world.now + timedelta(seconds=5))
    )

    async def story(cache: SessionCache) -> None:
        assert isinstance(await _asked(cache), Valid)
        world.fault = AWAY
        world.seconds += 5
        assert await _asked(cache) == LoggedOut(Ended.EXPIRED)

    play(world.cache(), story)


def test_one_that_does_not_answer_is_away_and_its_late_answer_counts(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        del world.rows[KEY]
        world.seconds += 1
        with hung(world, cache):
            assert isinstance(await _asked(cache), Valid)
            world.seconds += 5
        await _until(lambda: not cache._sessions)
        assert await _asked(cache) is None

    play(world.cache(), story)


def test_a_database_that_hangs_does_not_fill_the_process_with_threads(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        with hung(world, cache):
            for number in range(reading_batches.MOST_READINGS + 5):
                assert await _asked(cache, bytes([number]) * 32) is reading_batches.TooSlowError
                world.seconds += 10
            await _until(lambda: len(world.readings) == reading_batches.MOST_READINGS)
        await _until(lambda: cache._batches._under_way == 0)
        assert isinstance(await _asked(cache), Valid)
        assert len(world.readings) == reading_batches.MOST_READINGS + 1

    play(world.cache(), story)


def test_an_answer_that_took_a_second_is_no_answer(world: ReadWorld) -> None:
    world.takes = 1.0

    async def story(cache: SessionCache) -> None:
        assert await _asked(cache) is reading_batches.TooSlowError

    play(world.cache(grace=0), story)


@pytest.mark.parametrize("ended", [True, False])
def test_of_two_readings_the_one_that_began_later_counts(world: ReadWorld, ended: bool) -> None:
    there, gone = Reading({KEY: world.rows[KEY]}, world.rules), Reading({}, world.rules)

    async def story(cache: SessionCache) -> None:
        cache._arrived((KEY,), world.seconds, gone if ended else there)
        cache._arrived((KEY,), world.seconds - 0.1, there if ended else gone)
        assert await _asked(cache) == (None if ended else Valid(world.rows[KEY].session.expires_at))
        assert world.readings == []

    play(world.cache(), story)


def test_what_is_held_is_bounded(world: ReadWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_cache, "MOST_SESSIONS", 2)
    monkeypatch.setattr(session_cache, "MOST_UNKNOWN", 3)
    keys = [bytes([number]) * 32 for number in range(5)]
    world.rows = {key: session_of(number=number) for number, key in enumerate(keys)}

    async def story(cache: SessionCache) -> None:
        for key in keys:
            assert isinstance(await _asked(cache, key), Valid)
        assert list(cache._sessions) == keys[3:]
        world.rows = {}
        for key in keys:
            world.seconds += 1
            assert await _asked(cache, key) is None
        assert list(cache._unknown) == keys[2:]
        assert cache._sessions == {}

    play(world.cache(), story)


def test_what_nobody_asks_for_is_forgotten_when_no_grace_could_need_it(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        await cache.get(KEY)
        await cache.sweep()
        world.seconds += 29.99
        await cache.sweep()
        assert cache._sessions
        world.seconds += 0.01
        await cache.sweep()
        assert not cache._sessions

    play(world.cache(grace=30), story)


def test_a_session_in_use_does_not_become_idle_and_one_that_did_stays_so(world: ReadWorld) -> None:
    world.rules = LoginRules(session=SessionRules(idle_minutes=1))

    async def story(cache: SessionCache) -> None:
        for _ in range(5):
            assert isinstance(await _asked(cache), Valid)
            await cache.sweep()
            world.seconds += 50
        world.seconds += 10
        for _ in range(3):
            assert await _asked(cache) == LoggedOut(Ended.IDLE)
            await cache.sweep()
            world.seconds += 1

    # The row is as old as it was: uses are written later, or by nobody while the database is away.
    play(world.cache(grace=100), story)


def test_what_the_front_keeps_is_kept_while_the_account_is_the_same(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        held = await cache.get(KEY)
        assert held
        held.front = "headers"
        await cache.sweep()
        kept = cache.fresh(KEY)
        assert kept
        assert kept is not held
        assert kept.front == "headers"
        world.rows[KEY] = session_of(replace(ADA, groups=("dev",)))
        await cache.sweep()
        other = cache.fresh(KEY)
        assert other
        assert other.front is None

    play(world.cache(), story)


def test_uses_are_noted_by_sweeps_and_never_of_a_session_that_has_ended(world: ReadWorld) -> None:
    async def story(cache: SessionCache) -> None:
        world.seconds += 600
        await cache.get(KEY)
        await cache.sweep()
        world.uses.flush()
        assert world.written == [({1: world.now}, {})]
        world.seconds += 12 * 3600
        assert await _asked(cache) == LoggedOut(Ended.EXPIRED)
        await cache.sweep()
        world.uses.flush()
        assert len(world.written) == 1

    play(world.cache(), story)


async def _fails(reading: Awaitable[None]) -> None:
    with pytest.raises(UnreachableError):
        await reading
