"""What a published status says of itself: current or not, Ready or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from practicus_mfa.core.published import Standing, database_unreachable, doubts, standing
from practicus_mfa.core.status import instant

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TRUE, FALSE = ("True", "R"), ("False", "R")


def status(generation: int = 2, scanned: datetime = NOW, **conditions: tuple[str, str]) -> dict[str, Any]:
    return {
        "observedGeneration": generation,
        "lastScanTime": instant(scanned),
        "conditions": [
            {
                "type": kind,
                "status": found,
                "reason": reason,
                "observedGeneration": generation,
                "lastTransitionTime": instant(NOW),
            }
            for kind, (found, reason) in conditions.items()
        ],
    }


@pytest.mark.parametrize(
    ("published", "found"),
    [
        (status(Ready=TRUE, Stalled=FALSE), Standing.READY),
        (status(Ready=FALSE, Stalled=TRUE), Standing.NEEDS_PERSON),
        (status(Ready=FALSE, Stalled=FALSE), Standing.UNDER_WAY),
        (status(1, Ready=TRUE), Standing.UNDER_WAY),
        (status(1, Ready=FALSE, Stalled=TRUE), Standing.UNDER_WAY),
        ({**status(1, Ready=TRUE), "observedGeneration": 2}, Standing.UNDER_WAY),
        ({}, Standing.UNDER_WAY),
    ],
)
def test_only_what_was_found_for_the_present_generation_counts(
    published: dict[str, Any], found: Standing
) -> None:
    assert standing(published, 2) is found


def test_a_status_of_the_present_generation_and_of_a_moment_ago_is_current() -> None:
    scanned = NOW - timedelta(minutes=15)
    assert doubts(status(scanned=scanned, DatabaseReachable=TRUE), 2, NOW) == ()


def test_an_older_generation_and_an_old_scan_are_told() -> None:
    old = status(1, NOW - timedelta(minutes=16), DatabaseReachable=TRUE)
    assert doubts(old, 2, NOW) == (
        "generation 2 of the spec was not yet seen by the operator",
        "no scan for more than 15 minutes: the operator may be down",
    )
    assert doubts({}, 2, NOW) == ("there is no status yet: the operator has not seen the policy",)


@pytest.mark.parametrize("reachable", [("False", "DatabaseUnreachable"), ("Unknown", "Misconfigured")])
def test_where_nothing_can_be_scanned_an_old_scan_says_nothing_of_the_operator(
    reachable: tuple[str, str],
) -> None:
    assert doubts(status(scanned=NOW - timedelta(days=1), DatabaseReachable=reachable), 2, NOW) == ()


def test_a_time_that_can_t_be_read_is_no_old_one() -> None:
    published = {**status(DatabaseReachable=TRUE), "lastScanTime": "yesterday"}
    assert doubts(published, 2, NOW) == ()


def test_a_database_out_of_reach_is_known_by_its_reason() -> None:
    assert database_unreachable(status(DatabaseReachable=("False", "DatabaseUnreachable")))
    assert not database_unreachable(status(DatabaseReachable=("Unknown", "Misconfigured")))
