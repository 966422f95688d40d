from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from practicus_mfa.clock import utc_now
from practicus_mfa.core.manifests import render
from practicus_mfa.core.parse.values import read_values
from practicus_mfa.crypto.keys import FernetKey, generate_key
from practicus_mfa.errors import UnreachableError
from practicus_mfa.kube.faults import ForbiddenError
from practicus_mfa.kube.objects import NAMESPACES, POLICIES, SECRETS, Kind
from practicus_mfa.reconciler.cluster.config import read_config
from practicus_mfa.reconciler.cluster.metrics import Metrics
from practicus_mfa.reconciler.cluster.passes import IDLE_PASSES, WAITING, Passes, World
from practicus_mfa.reconciler.cluster.policies import Policies
from practicus_mfa.reconciler.cluster.publish import NUMBERS
from practicus_mfa.reconciler.cluster.queue import Key
from tests.support.fake_cluster import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.errors import MfaError

KEY = Key("team", "mfa")
RESYNC = 60


class Team:
    """A team's policy in a cluster in memory, with a database on the disk."""

    def __init__(self, folder: Path) -> None:
        self.cluster = FakeCluster()
        self.cluster.create(NAMESPACES, None, {"metadata": {"name": "team", "uid": "the-namespace"}})
        self.key = generate_key()
        self.world = World(
            cluster=self.cluster,
            config=read_config({"jobTemplate": {"image": "mfa"}, "resyncSeconds": RESYNC}),
            policies=Policies(),
            metrics=Metrics(),
            host="pod-1",
            owner="pod-1/1",
            clock=utc_now,
            draw=lambda: 0.5,
        )
        self.url = f"sqlite:///{folder / 'mfa.db'}"
        self.apply(self.key)
        self.passes = Passes(self.world, KEY)

    def apply(self, key: FernetKey) -> None:
        values = read_values(
            {"secretStore": {"activeKey": key.text}, "database": {"url": self.url}}, source="t"
        )
        wanted = render(values, active=key.id, rolling=None, name="mfa", namespace="team")
        for kind, body in (
            (SECRETS, wanted.secret_store),
            (SECRETS, wanted.database),
            (POLICIES, wanted.policy),
        ):
            assert body is not None
            self.cluster.apply(kind, "team", dict(body))

    @property
    def policy(self) -> dict[str, Any]:
        found = self.cluster.get(POLICIES, *KEY)
        assert found is not None
        return found

    def settle(self) -> float:
        """Make passes until nothing changes; return when the next one is due."""
        for _ in range(20):
            due = self.passes.run(self.policy)
            if due > 0:
                return due
        raise AssertionError("passes go on for ever")

    def ready(self) -> tuple[str, str, str]:
        found = next(each for each in self.policy["status"]["conditions"] if each["type"] == "Ready")
        return found["status"], found["reason"], found["message"]

    def calls_of(self, verbs: set[str]) -> list[tuple[str, str, str]]:
        return [call for call in self.cluster.calls if call[0] in verbs]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    found = Team(tmp_path)
    yield found
    found.passes.close()


def test_a_new_policy_becomes_ready(team: Team) -> None:
    assert team.settle() == RESYNC
    assert team.ready() == ("True", "Ready", "Policy and keys are in force.")
    assert team.policy["status"]["activeKeyID"] == team.key.id


def test_a_pass_without_anything_to_do_reads_two_secrets_and_writes_nothing(team: Team) -> None:
    team.settle()
    policy = team.policy
    team.cluster.calls.clear()
    assert team.passes.run(policy) == RESYNC
    assert team.cluster.calls == [
        ("get", "Secret", "mfa-secret-store"),
        ("get", "Secret", "mfa-keyring"),
    ]


def test_the_url_is_read_again_when_a_secret_changed(team: Team) -> None:
    team.settle()
    policy = team.policy
    team.passes.secret_changed()
    team.cluster.calls.clear()
    team.passes.run(policy)
    assert ("get", "Secret", "mfa-database") in team.cluster.calls


def test_a_database_secret_that_is_missing_is_told_of_and_looked_for_again(team: Team) -> None:
    team.cluster.delete(SECRETS, "team", "mfa-database")
    assert team.passes.run(team.policy) == WAITING
    status, reason, message = team.ready()
    assert (status, reason) == ("False", "DatabaseUnreachable")
    assert message.startswith("Secret team/mfa-database, which is to hold the database's URL, does not exist")
    team.apply(team.key)
    team.settle()
    assert team.ready()[0] == "True"


def test_a_spec_that_is_not_valid_stalls_the_policy_and_keeps_its_numbers(team: Team) -> None:
    team.settle()
    policy = team.policy
    policy["spec"]["migration"] = {"batchSize": -1}
    team.cluster.replace(POLICIES, policy)
    assert team.passes.run(team.policy) == RESYNC
    status, reason, message = team.ready()
    assert (status, reason) == ("False", "Misconfigured")
    assert "migration.batchSize" in message
    assert team.policy["status"]["activeKeyID"] == team.key.id
    assert team.policy["status"]["observedGeneration"] == team.policy["metadata"]["generation"]


def test_a_right_that_is_missing_is_named_and_asked_for_again_soon(team: Team) -> None:
    def refuse(verb: str, kind: Kind, _name: str) -> MfaError | None:
        forbidden = kind is SECRETS and verb == "get"
        return ForbiddenError("get secrets is forbidden", remedy="grant it") if forbidden else None

    team.cluster.refuse = refuse
    assert team.passes.run(team.policy) == WAITING
    assert team.ready() == ("False", "Misconfigured", "get secrets is forbidden: grant it")


def test_without_the_api_server_a_pass_ends_and_nothing_is_published(team: Team) -> None:
    policy = team.policy
    team.cluster.refuse = lambda *_: UnreachableError("no answer", remedy="wait")
    with pytest.raises(UnreachableError):
        team.passes.run(policy)
    assert "status" not in policy


def test_a_policy_made_anew_under_its_name_begins_without_the_old_ones_status(team: Team) -> None:
    team.settle()
    team.cluster.delete(POLICIES, *KEY)
    team.apply(team.key)
    assert "status" not in team.policy
    team.settle()
    assert team.ready()[0] == "True"


def test_adopting_takes_the_annotation_away(team: Team) -> None:
    policy = team.policy
    policy["metadata"]["annotations"] = {"mfa.practicus.ai/adopt": "true", "other": "kept"}
    team.cluster.replace(POLICIES, policy)
    team.settle()
    assert team.policy["metadata"]["annotations"] == {"other": "kept"}


def test_what_another_operator_published_goes_before_what_this_one_knew(team: Team) -> None:
    team.settle()
    policy = team.policy
    policy["status"]["conditions"][0]["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    team.cluster.replace_status(POLICIES, policy)
    team.passes.run(team.policy)
    ready = team.passes._status
    assert ready is not None
    assert dict(ready)["conditions"][0]["lastTransitionTime"] == "2020-01-01T00:00:00Z"  # type: ignore[index]


def test_policies_are_not_all_due_at_once(team: Team) -> None:
    draws = [0.0, 1.0]
    object.__setattr__(team.world, "draw", lambda: draws.pop(0))
    assert team.settle() == pytest.approx(RESYNC * 0.9)
    assert team.settle() == pytest.approx(RESYNC * 1.1)


def test_many_policies_are_looked_at_less_often(team: Team) -> None:
    for number in range(499):
        metadata = {**team.policy["metadata"], "name": f"mfa-{number}"}
        team.world.policies.seen({"metadata": metadata})
    assert team.settle() == pytest.approx(500 / IDLE_PASSES)


def test_what_was_held_back_is_published_before_the_next_resync(team: Team) -> None:
    team.settle()
    policy = team.policy
    policy["status"]["keyringGeneration"] = 99
    team.cluster.replace_status(POLICIES, policy)
    assert 0 < team.passes.run(team.policy) <= NUMBERS
