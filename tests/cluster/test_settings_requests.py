"""Requests of the settings page in a cluster: the row, the MfaPolicy, its status, its events, and Helm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from practicus_mfa.core.manifests import SETTINGS_PAGE
from practicus_mfa.core.settings_requests import NOT_ALLOWED, READ_ONLY
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.objects import EVENTS, POLICIES
from practicus_mfa.storage import policy_requests, users
from practicus_mfa.storage.policy_row import read_policy
from practicus_mfa.storage.users import NewUser
from tests.support.cluster.steps import await_rotated, delete_policy, rotate
from tests.support.people import audited
from tests.support.waiting import until

if TYPE_CHECKING:
    from practicus_mfa.storage.policy_requests import PolicyRequest
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.pretend_node import PretendNode

A = generate_key()


@pytest.fixture
def settled(served: ClusterInstallation) -> ClusterInstallation:
    """A policy that is ready, and a superuser."""
    rotate(served, A)
    await_rotated(served, A)
    with served.database() as db, db.write() as connection:
        users.create(connection, NewUser(username="root", is_superuser=True))
    return served


def ask(installation: ClusterInstallation, changes: dict[str, Any], *, name: str = "root") -> int:
    """Write a request as the login service does."""
    with installation.database() as db, db.write() as connection:
        author = users.get(connection, name)
        return policy_requests.ask(connection, author_id=author.id, author=name, changes=changes)


def answered(installation: ClusterInstallation, number: int) -> PolicyRequest:
    """Wait for the operator's answer."""
    rows: list[PolicyRequest] = []

    def there() -> bool:
        with installation.database() as db, db.read() as connection:
            found = policy_requests.find(connection, number)
        assert found is not None
        rows[:] = [found[0]]
        return found[0].outcome is not None

    until(there, "the operator's answer")
    return rows[0]


def told(installation: ClusterInstallation) -> set[str]:
    found = installation.cluster.list(EVENTS, installation.namespace)
    return {
        str(event["message"])
        for event in found
        if event["involvedObject"]["name"] == installation.name and event["reason"] == "PolicyChanged"
    }


def test_a_change_reaches_the_policy_its_status_the_database_and_an_event(
    settled: ClusterInstallation,
) -> None:
    number = ask(settled, {"mfa": {"mandatory": True}, "rememberMe": {"days": 7}})
    assert answered(settled, number).outcome == "applied"
    assert settled.policy()["spec"]["overrides"] == {
        "mfa": {"mandatory": True},
        "rememberMe": {"days": 7},
    }
    # With the answer, not after it.
    with settled.database() as db, db.read() as connection:
        in_force = read_policy(connection)
    assert in_force is not None
    assert in_force.effective["overridden"] == ["mfa.mandatory", "rememberMe.days"]
    settled.await_ready()
    assert settled.status()["effective"]["mfa"]["mandatory"] == {"value": True, "source": "override"}
    message = (
        "root changed the policy on the settings page: mfa.mandatory is true (was false), "
        "rememberMe.days is 7 (was 30)."
    )
    until(lambda: told(settled) == {message}, "the event, and no other")
    with settled.database() as db:
        assert audited(db) == [("root", "policy.change", "", "done")]

    # An upgrade by Helm leaves it alone; and it returns to what that says.
    settled.apply(A.text, userLogin={"rememberMe": {"days": 20}})
    settled.await_ready()
    assert settled.status()["effective"]["rememberMe"]["days"] == {"value": 7, "source": "override"}
    number = ask(settled, {"mfa": {"mandatory": None}, "rememberMe": {"days": None}})
    assert answered(settled, number).outcome == "applied"
    assert "overrides" not in settled.policy()["spec"]
    settled.await_ready()
    assert settled.status()["effective"]["rememberMe"]["days"] == {"value": 20, "source": "values"}


def test_what_values_yaml_allows_the_page_is_kept_by_the_operator(settled: ClusterInstallation) -> None:
    settled.apply(A.text, login={"settingsPage": "read"})
    assert settled.policy()["metadata"]["annotations"][SETTINGS_PAGE] == "read"
    row = answered(settled, ask(settled, {"mfa": {"mandatory": True}}))
    assert (row.outcome, row.message) == ("refused", READ_ONLY)
    settled.apply(A.text, login={"settingsPage": "tighten"})
    row = answered(settled, ask(settled, {"mfa": {"enabled": False}}))
    assert "less strict than values.yaml: mfa.enabled" in row.message
    assert answered(settled, ask(settled, {"mfa": {"mandatory": True}})).outcome == "applied"
    assert settled.policy()["spec"]["overrides"] == {"mfa": {"mandatory": True}}


def test_nobody_else_and_nothing_else_is_heard(settled: ClusterInstallation) -> None:
    with settled.database() as db, db.write() as connection:
        users.create(connection, NewUser(username="staff", is_staff=True))
    row = answered(settled, ask(settled, {"mfa": {"enabled": False}}, name="staff"))
    assert (row.outcome, row.message) == ("refused", NOT_ALLOWED)
    for changes in ({"secretStoreRef": {"name": "mine"}}, {"mfa": {"gracePeriodDays": 36_501}}):
        assert answered(settled, ask(settled, changes)).outcome == "refused"
    assert "overrides" not in settled.policy()["spec"]


def test_what_the_definition_would_refuse_is_refused_with_its_reason(
    settled: ClusterInstallation,
) -> None:
    # values.yaml may say any number of days while nobody is remembered.
    settled.apply(A.text, userLogin={"rememberMe": {"enabled": False, "days": 0}})
    row = answered(settled, ask(settled, {"rememberMe": {"enabled": True}}))
    assert row.outcome == "refused"
    assert "days: 0 is too small" in row.message
    changes = {"rememberMe": {"enabled": True, "days": 5}}
    assert answered(settled, ask(settled, changes)).outcome == "applied"


def test_at_rest_a_request_is_found_between_two_resyncs(
    installation: ClusterInstallation, node: PretendNode
) -> None:
    with installation.operator(resyncSeconds=3_600):
        rotate(installation, A)
        await_rotated(installation, A)
        with installation.database() as db, db.write() as connection:
            users.create(connection, NewUser(username="root", is_superuser=True))
        for days in (5, 6, 7):
            row = answered(installation, ask(installation, {"rememberMe": {"days": days}}))
            assert row.outcome == "applied"
            until(
                lambda days=days: installation.status()["effective"]["rememberMe"]["days"]["value"] == days,  # type: ignore[misc]
                "the status",
            )


def test_a_request_without_its_policy_waits_for_another_one(settled: ClusterInstallation) -> None:
    delete_policy(settled)
    number = ask(settled, {"mfa": {"mandatory": True}})
    with settled.database() as db, db.read() as connection:
        assert policy_requests.is_any_open(connection)
    assert settled.cluster.get(POLICIES, settled.namespace, settled.name) is None
    rotate(settled, A)
    assert answered(settled, number).outcome == "applied"
    assert settled.policy()["spec"]["overrides"] == {"mfa": {"mandatory": True}}
