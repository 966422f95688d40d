from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from practicus_mfa.reconciler.cluster.lease import (
    DEADLINE_SECONDS,
    DURATION_SECONDS,
    LOOK_SECONDS,
    RENEW_SECONDS,
    Record,
    Sighting,
    Step,
    record_of,
    sighted,
    step,
    written,
)

OTHERS = Record(holder="other", renewed="2026-01-01T00:00:00.000000Z", duration=15.0, transitions=3)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sighting", "now", "expected"),
    [
        (None, 0.0, Step.TAKE),
        (Sighting(replace(OTHERS, holder=""), 100.0), 100.0, Step.TAKE),
        (Sighting(replace(OTHERS, holder="me"), 100.0), 100.0, Step.RENEW),
        (Sighting(replace(OTHERS, holder="me"), 100.0), 1000.0, Step.RENEW),
        (Sighting(OTHERS, 100.0), 100.0, Step.WAIT),
        (Sighting(OTHERS, 100.0), 114.999, Step.WAIT),
        (Sighting(OTHERS, 100.0), 115.0, Step.TAKE),
        # Its holder promised to renew less often.
        (Sighting(replace(OTHERS, duration=60.0), 100.0), 159.0, Step.WAIT),
        (Sighting(replace(OTHERS, duration=60.0), 100.0), 160.0, Step.TAKE),
    ],
)
def test_every_case_has_its_step(sighting: Sighting | None, now: float, expected: Step) -> None:
    assert step(sighting, "me", now) is expected


def test_a_record_is_as_old_as_it_was_seen_unchanged() -> None:
    first = sighted(None, OTHERS, 100.0)
    assert first.since == 100.0
    assert sighted(first, replace(OTHERS), 107.0).since == 100.0
    assert sighted(first, replace(OTHERS, renewed="2026-01-01T00:00:05.000000Z"), 107.0).since == 107.0
    assert sighted(first, replace(OTHERS, holder="third"), 107.0).since == 107.0


def test_the_time_that_a_holder_wrote_makes_no_difference() -> None:
    for renewed in ("1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z", "no time"):
        record = replace(OTHERS, renewed=renewed)
        assert step(Sighting(record, 100.0), "me", 114.0) is Step.WAIT
        assert step(Sighting(record, 100.0), "me", 115.0) is Step.TAKE


def test_a_leader_that_can_not_renew_stops_before_anybody_may_take_over() -> None:
    # It can fail once, and the attempt after that still has time.
    assert RENEW_SECONDS + LOOK_SECONDS < DEADLINE_SECONDS < DURATION_SECONDS
    # Seen, unchanged for its duration, looked at: within 30 seconds.
    assert DURATION_SECONDS + 2 * LOOK_SECONDS < 30


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        {},
        {"holderIdentity": None, "leaseDurationSeconds": None, "leaseTransitions": None},
        {"leaseDurationSeconds": 0, "leaseTransitions": "x"},
        {"leaseDurationSeconds": "15"},
    ],
)
def test_a_lease_that_says_nothing_is_free_and_has_our_duration(spec: object) -> None:
    record = record_of({"spec": spec})
    assert record == Record(holder="", renewed="", duration=15.0, transitions=0)


def test_the_first_holder_creates_the_lease() -> None:
    tree = written(None, namespace="auth", name="operator", holder="me", now=NOON)
    assert tree == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "operator", "namespace": "auth"},
        "spec": {
            "holderIdentity": "me",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T12:00:00.000000Z",
            "renewTime": "2026-01-01T12:00:00.000000Z",
            "leaseTransitions": 0,
        },
    }


def test_renewing_keeps_what_others_wrote_and_when_it_was_taken() -> None:
    first = written(None, namespace="auth", name="operator", holder="me", now=NOON)
    first["metadata"]["resourceVersion"] = "7"
    first["spec"]["strategy"] = "OldestEmulationVersion"
    later = NOON.astimezone(timezone(timedelta(hours=2))) + timedelta(seconds=5.25)
    renewed = written(first, namespace="auth", name="operator", holder="me", now=later)
    assert renewed == {
        **first,
        "spec": {**first["spec"], "renewTime": "2026-01-01T12:00:05.250000Z"},
    }


def test_a_new_holder_is_counted_and_giving_back_is_not() -> None:
    first = written(None, namespace="auth", name="operator", holder="me", now=NOON)
    free = written(first, namespace="auth", name="operator", holder="", now=NOON + timedelta(seconds=1))
    assert (free["spec"]["holderIdentity"], free["spec"]["leaseTransitions"]) == ("", 0)
    taken = written(free, namespace="auth", name="operator", holder="other", now=NOON + timedelta(seconds=2))
    assert taken["spec"]["leaseTransitions"] == 1
    assert taken["spec"]["acquireTime"] == "2026-01-01T12:00:02.000000Z"
