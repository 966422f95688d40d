from __future__ import annotations

import itertools
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from practicus_mfa.clock import utc_now
from practicus_mfa.core.manifests import render
from practicus_mfa.core.parse.values import read_values
from practicus_mfa.core.settings_requests import GOOD_FOR
from practicus_mfa.crypto.keys import FernetKey, generate_key
from practicus_mfa.errors import UnreachableError
from practicus_mfa.kube.faults import ForbiddenError
from practicus_mfa.kube.objects import EVENTS, NAMESPACES, POLICIES, SECRETS, Kind
from practicus_mfa.reconciler.cluster.config import read_config
from practicus_mfa.reconciler.cluster.metrics import Metrics
from practicus_mfa.reconciler.cluster.passes import IDLE_PASSES, SPREAD, WAITING, Passes, World
from practicus_mfa.reconciler.cluster.policies import Policies
from practicus_mfa.reconciler.cluster.publish import NUMBERS
from practicus_mfa.reconciler.cluster.queue import Key
from practicus_mfa.reconciler.cluster.request_look import LOOK_SECONDS, LOOKS, pause
from practicus_mfa.storage import audit, users
from practicus_mfa.storage import policy_requests as requests
from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.policy_row import read_policy
from practicus_mfa.storage.schema import policy_requests
from practicus_mfa.storage.users import NewUser
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


# The full stop of a message that is a sentence goes: a remedy follows.
@pytest.mark.parametrize("message", ["get secrets is forbidden", "get secrets is forbidden."])
def test_a_right_that_is_missing_is_named_and_asked_for_again_soon(team: Team, message: str) -> None:
    def refuse(verb: str, kind: Kind, _name: str) -> MfaError | None:
        forbidden = kind is SECRETS and verb == "get"
        return ForbiddenError(message, remedy="grant it") if forbidden else None

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


def test_what_was_held_back_is_published_before_the_next_resync(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team.passes._publisher, "monotonic", lambda: 1_000.0)
    team.settle()
    policy = team.policy
    policy["status"]["keyringGeneration"] = 99
    team.cluster.replace_status(POLICIES, policy)
    assert 0 < team.passes.run(team.policy) <= NUMBERS


# Requests of the settings page


def ask(team: Team, changes: object) -> int:
    with closing(connect(team.url)) as db, db.write() as connection:
        if users.find(connection, "root") is None:
            users.create(connection, NewUser(username="root", is_superuser=True))
        root = users.get(connection, "root").id
        row = {"author_id": root, "author": "root", "changes": changes}
        inserted = insert(policy_requests).values(row).returning(policy_requests.c.id)
        return int(connection.execute(inserted).scalar_one())


def outcome(team: Team, number: int) -> str | None:
    with closing(connect(team.url)) as db, db.read() as connection:
        found = requests.find(connection, number)
    assert found is not None
    return found[0].outcome


def told(team: Team) -> list[str]:
    found = team.cluster.list(EVENTS, "team")
    return sorted(event["message"] for event in found if event["reason"] == "PolicyChanged")


def test_a_request_changes_the_policy_and_is_told_of_once_by_name(team: Team) -> None:
    team.settle()
    number = ask(team, {"mfa": {"mandatory": True, "gracePeriodDays": 3}})
    team.settle()
    assert outcome(team, number) == "applied"
    assert team.policy["spec"]["overrides"] == {"mfa": {"mandatory": True, "gracePeriodDays": 3}}
    assert team.policy["status"]["effective"]["mfa"]["mandatory"] == {"value": True, "source": "override"}
    number = ask(team, {"mfa": {"mandatory": None}})
    team.settle()
    assert team.policy["spec"]["overrides"] == {"mfa": {"gracePeriodDays": 3}}
    ask(team, {"mfa": {"gracePeriodDays": None}})
    team.settle()
    assert "overrides" not in team.policy["spec"]
    who = "root changed the policy on the settings page: "
    assert told(team) == [
        f"{who}mfa.gracePeriodDays is 0 as in values.yaml (was 3).",
        f"{who}mfa.mandatory is false as in values.yaml (was true).",
        f"{who}mfa.mandatory is true (was false), mfa.gracePeriodDays is 3 (was 0).",
    ]


def test_a_pass_that_changes_the_policy_can_publish_its_status_too(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.settle()
    ask(team, {"mfa": {"mandatory": True}})
    team.settle()
    with closing(connect(team.url)) as db, db.write() as connection:
        audit.append(connection, "ada", "login")
    # The audit's end is another one, and so much later that it is published in this very pass.
    later = itertools.count(1e6, 1e6)
    monkeypatch.setattr(team.passes._publisher, "monotonic", lambda: next(later))
    number = ask(team, {"mfa": {"mandatory": None}})
    assert team.passes.run(team.policy) == 0
    assert outcome(team, number) == "applied"
    # Of the generation that it was seen at; the pass that follows tells of the new one.
    policy = team.policy
    assert policy["status"]["observedGeneration"] == policy["metadata"]["generation"] - 1
    team.settle()
    assert team.policy["status"]["observedGeneration"] == policy["metadata"]["generation"]


def test_what_is_changed_by_hand_is_told_too(team: Team) -> None:
    team.settle()
    ask(team, {"mfa": {"mandatory": True}})
    team.settle()
    team.cluster.merge(POLICIES, *KEY, {"spec": {"overrides": {"mfa": {"gracePeriodDays": 7}}}})
    team.settle()
    assert told(team)[:1] == ["The policy in force changed: mfa.gracePeriodDays is 7 by the settings page."]


@pytest.mark.parametrize(
    ("mode", "expected"), [("read", "refused"), ("nonsense", "refused"), ("edit", "applied")]
)
def test_the_annotation_of_the_policy_says_what_the_page_may_do(team: Team, mode: str, expected: str) -> None:
    team.settle()
    annotations = {"mfa.practicus.ai/settings-page": mode}
    team.cluster.merge(POLICIES, *KEY, {"metadata": {"annotations": annotations}})
    number = ask(team, {"mfa": {"mandatory": True}})
    team.settle()
    assert outcome(team, number) == expected


def test_a_policy_that_changes_at_that_moment_is_judged_anew(team: Team) -> None:
    team.settle()
    number = ask(team, {"rememberMe": {"days": 20}})

    def helm(verb: str, kind: Kind, _name: str) -> MfaError | None:
        if verb == "patch" and kind is POLICIES:
            team.cluster.refuse = lambda *_: None
            annotations = {"mfa.practicus.ai/settings-page": "tighten"}
            patch = {"metadata": {"annotations": annotations}, "spec": {"rememberMe": {"days": 10}}}
            team.cluster.merge(POLICIES, *KEY, patch)
        return None

    team.cluster.refuse = helm
    team.passes.run(team.policy)
    assert outcome(team, number) is None
    team.settle()
    assert outcome(team, number) == "refused"
    assert "overrides" not in team.policy["spec"]


def test_a_right_that_is_missing_refuses_the_request_and_names_it(team: Team) -> None:
    team.settle()
    number = ask(team, {"mfa": {"mandatory": True}})

    def refuse(verb: str, kind: Kind, _name: str) -> MfaError | None:
        forbidden = kind is POLICIES and verb == "patch"
        return ForbiddenError("patch mfapolicies is forbidden", remedy="grant it") if forbidden else None

    team.cluster.refuse = refuse
    team.settle()
    assert outcome(team, number) == "refused"
    assert team.ready()[0] == "True"


def test_at_rest_requests_are_looked_for(team: Team) -> None:
    assert team.passes.look_in is None
    team.settle()
    assert team.passes.look_in == LOOK_SECONDS
    assert not team.passes.look.finds_one()
    ask(team, {"mfa": {"mandatory": True}})
    team.cluster.calls.clear()
    assert team.passes.look.finds_one()
    assert team.cluster.calls == []
    # What a pass does about it is seen by the next one: until then nobody looks.
    assert team.passes.run(team.policy) == 0
    assert team.passes.look_in is None
    team.settle()
    assert team.passes.look_in == LOOK_SECONDS
    assert not team.passes.look.finds_one()


def test_requests_to_a_policy_are_handled_by_nobody_else(team: Team) -> None:
    team.settle()
    team.cluster.apply(
        POLICIES, "team", {**team.policy, "metadata": {"name": "second", "namespace": "team"}, "status": {}}
    )
    other = Passes(team.world, Key("team", "second"))
    number = ask(team, {"mfa": {"mandatory": True}})
    for _ in range(3):
        policy = team.cluster.get(POLICIES, "team", "second")
        assert policy is not None
        other.run(policy)
    other.close()
    assert other.look_in is None
    assert outcome(team, number) is None


def test_a_second_policy_on_a_database_puts_nothing_in_force_there(team: Team) -> None:
    team.settle()
    spec = {**team.policy["spec"], "mfa": {"mandatory": True}}
    second = {**team.policy, "metadata": {"name": "second", "namespace": "team"}, "spec": spec, "status": {}}
    team.cluster.apply(POLICIES, "team", second)
    other = Passes(team.world, Key("team", "second"))
    policy = team.cluster.get(POLICIES, "team", "second")
    assert policy is not None
    other.run(policy)
    other.close()
    with closing(connect(team.url)) as db, db.read() as connection:
        in_force = read_policy(connection)
    assert in_force is not None
    assert in_force.effective["mfa"]["mandatory"] is False


def test_with_many_policies_a_request_is_still_found_in_time() -> None:
    assert pause(1) == pause(50) == LOOK_SECONDS
    assert 500 / pause(500) == LOOKS
    # A request waits for a look and a pass; there are chances left when one of them fails.
    assert pause(500) * (1 + SPREAD) * 2 < GOOD_FOR.total_seconds()
