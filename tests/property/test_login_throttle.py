"""Laws of throttling, against attackers who try whenever they may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from practicus_mfa.core.login.throttle import (
    MOST_CODES,
    Counter,
    Kind,
    Locked,
    Open,
    Until,
    failed,
    kept_for,
    wait,
)

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIEGE: Final = timedelta(days=90)
SECOND: Final = timedelta(seconds=1)
CODES: Final = st.sampled_from([Kind.CODE, Kind.CODE_DEVICE, Kind.RECOVERY])
PAUSES: Final = st.lists(st.integers(0, 200_000).map(lambda seconds: timedelta(seconds=seconds)), max_size=30)


def tries(kind: Kind, pauses: list[timedelta], *, at_once: int) -> int:
    """Return how many tries somebody gets who takes each as soon as may be, save for *pauses*, in 90 days."""
    counter, now, made = Counter(), NOW, 0
    coming = iter(pauses)
    while now < NOW + SIEGE:
        match wait(counter, now):
            case Locked():
                return made
            case Until(seconds=seconds):
                now += timedelta(seconds=seconds)
            case Open():
                # Many at the same moment stand in line: each is counted before the next may ask.
                for _ in range(at_once):
                    if wait(counter, now) == Open():
                        counter = failed(kind, counter, now)
                        made += 1
                now += next(coming, timedelta(milliseconds=1))
                kept = kept_for(kind)
                if kept is not None and counter.last_at is not None and now - counter.last_at >= kept:
                    counter = Counter()
    return made


@given(CODES, PAUSES, st.integers(1, 200))
def test_no_more_than_100_wrong_codes_in_90_days(kind: Kind, pauses: list[timedelta], at_once: int) -> None:
    assert tries(kind, pauses, at_once=at_once) <= MOST_CODES


def test_who_is_patient_gets_100_wrong_codes_in_four_days_and_none_after() -> None:
    assert tries(Kind.CODE, [], at_once=1) == MOST_CODES
    # 30 s doubling to 1 h: 3,810 s for the first seven stops, then 3,600 s for each up to the 100th.
    counter, now = Counter(), NOW
    for _ in range(MOST_CODES):
        if counter.stopped_until:
            now = counter.stopped_until
        counter = failed(Kind.CODE, counter, now)
    assert now - NOW == timedelta(seconds=3_810 + 3_600 * (MOST_CODES - 1 - 4 - 7))


def test_passwords_of_one_address_are_tried_four_times_an_hour() -> None:
    in_90_days = tries(Kind.PASSWORD_HERE, [], at_once=1)
    assert 90 * 24 * 4 <= in_90_days <= 90 * 24 * 4 + 15


@given(st.sampled_from(Kind), st.integers(0, 400), st.integers(0, 400))
def test_more_failures_never_mean_a_shorter_wait(kind: Kind, one: int, other: int) -> None:
    fewer, more = (failed(kind, Counter(failures=failures), NOW) for failures in sorted((one, other)))
    assert _seconds(fewer) <= _seconds(more)


@given(st.sampled_from(Kind), st.integers(0, 400), st.timedeltas(timedelta(0), timedelta(hours=2)))
def test_a_wait_that_was_kept_is_over_and_not_a_second_earlier(
    kind: Kind, failures: int, asked_after: timedelta
) -> None:
    counter = failed(kind, Counter(failures=failures), NOW)
    match wait(counter, NOW + asked_after):
        case Until(seconds=seconds):
            assert seconds >= 1
            told = NOW + asked_after + timedelta(seconds=seconds)
            assert wait(counter, told) == Open()
            assert wait(counter, told - SECOND) != Open()
        case Locked():
            assert failures + 1 >= MOST_CODES
        case Open():
            assert _seconds(counter) <= asked_after.total_seconds()


def _seconds(counter: Counter) -> float:
    match wait(counter, NOW):
        case Until(seconds=seconds):
            return seconds
        case Locked():
            return float("inf")
        case Open():
            return 0
