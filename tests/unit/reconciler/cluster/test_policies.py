from __future__ import annotations

from typing import Any

import pytest

from practicus_mfa.reconciler.cluster.policies import Policies
from practicus_mfa.reconciler.cluster.queue import Key

KEY = Key("team", "mfa")


def policy(version: int, **metadata: object) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "team",
            "name": "mfa",
            "uid": "one",
            "generation": 1,
            "resourceVersion": str(version),
            **metadata,
        },
        "status": {"version": version},
    }


def test_a_policy_that_was_not_known_is_something_new() -> None:
    policies = Policies()
    assert policies.seen(policy(9))
    assert policies.get(KEY) == policy(9)
    assert policies.keys() == (KEY,)


def test_a_status_is_kept_and_wakes_nobody() -> None:
    policies = Policies()
    policies.seen(policy(9))
    assert not policies.seen(policy(10))
    assert policies.get(KEY) == policy(10)


@pytest.mark.parametrize("asked", [{"generation": 2}, {"annotations": {"a": "b"}}, {"uid": "two"}])
def test_what_a_person_asks_for_is_something_new(asked: dict[str, Any]) -> None:
    policies = Policies()
    policies.seen(policy(9))
    assert policies.seen(policy(10, **asked))


def test_an_older_state_that_arrives_late_is_passed_over() -> None:
    policies = Policies()
    policies.seen(policy(10, generation=2))
    # As numbers, not as text: "9" is above "10" there.
    assert not policies.seen(policy(9, generation=1))
    assert policies.get(KEY) == policy(10, generation=2)


def test_a_policy_that_is_gone_is_forgotten_once() -> None:
    policies = Policies()
    policies.seen(policy(9))
    assert policies.gone(policy(11))
    assert policies.get(KEY) is None
    assert not policies.gone(policy(11))


def test_the_end_of_an_earlier_policy_of_the_same_name_takes_nothing_away() -> None:
    policies = Policies()
    policies.seen(policy(20, uid="two"))
    assert not policies.gone(policy(11, uid="one"))
    assert policies.get(KEY) is not None
