"""The policy that a person means, and what is said where it, or something that it refers to, is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from practicus_mfa.core.observed import Claim
from practicus_mfa.errors import MfaError, UsageError
from practicus_mfa.kube.faults import ForbiddenError
from practicus_mfa.kube.objects import NAMESPACES, POLICIES, SECRETS, Kind
from practicus_mfa.reconciler.cluster.policy_access import PolicyAccess
from tests.support.fake_cluster import FakeCluster


@pytest.fixture
def cluster() -> FakeCluster:
    """A cluster with one namespace."""
    found = FakeCluster()
    found.create(NAMESPACES, None, {"metadata": {"name": "team", "uid": "the-namespace"}})
    return found


def add(cluster: FakeCluster, name: str, *, namespace: str = "team", **metadata: object) -> None:
    spec: dict[str, Any] = {"secretStoreRef": {"name": "keys"}, "databaseRef": {"name": "db", "key": "url"}}
    cluster.create(POLICIES, namespace, {"metadata": {"name": name, **metadata}, "spec": spec})


def access(cluster: FakeCluster, wanted: str | None = None) -> PolicyAccess:
    return PolicyAccess(cluster=cluster, namespace="team", wanted=wanted)


def refused(what: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        what()
    return caught.value.message, caught.value.remedy


def test_the_only_policy_of_the_namespace_is_meant_and_stays_it(cluster: FakeCluster) -> None:
    add(cluster, "mfa")
    add(cluster, "other", namespace="elsewhere")
    found = access(cluster)
    assert found.read()["metadata"]["name"] == "mfa"
    add(cluster, "second")
    assert found.read()["metadata"]["name"] == "mfa"


def test_none_and_several_are_told(cluster: FakeCluster) -> None:
    assert refused(access(cluster).read) == (
        "there is no MfaPolicy in the namespace team",
        "name another namespace with -n; kubectl get mfapolicies -A lists them",
    )
    add(cluster, "b")
    add(cluster, "a")
    assert refused(access(cluster).read) == (
        "the namespace team has 2 MfaPolicies: a, b",
        "name one of them with --policy",
    )
    assert access(cluster, "b").name == "b"


def test_a_name_that_is_not_there_is_told_with_the_nearest(cluster: FakeCluster) -> None:
    add(cluster, "practicus-mfa")
    assert refused(access(cluster, "practicus-mfaa").read) == (
        "there is no MfaPolicy practicus-mfaa in the namespace team",
        "did you mean practicus-mfa?",
    )
    assert refused(access(cluster, "x").read)[1] == (
        "correct --policy or -n; kubectl get mfapolicies -A lists them"
    )


def test_a_named_policy_needs_no_right_to_list(cluster: FakeCluster) -> None:
    def refuse(verb: str, _kind: Kind, _name: str) -> MfaError | None:
        return ForbiddenError("no list", remedy="allow it") if verb == "list" else None

    add(cluster, "mfa")
    cluster.refuse = refuse
    assert access(cluster, "mfa").read()["metadata"]["name"] == "mfa"
    assert refused(access(cluster, "mfaa").read)[0] == "there is no MfaPolicy mfaa in the namespace team"


def test_what_it_asks_for_bears_the_namespace_s_id(cluster: FakeCluster) -> None:
    add(cluster, "mfa")
    cluster.create(SECRETS, "team", {"metadata": {"name": "keys"}, "stringData": {"activeKey": "k"}})
    _, request = access(cluster).request()
    assert request.identity == Claim(
        cluster="the-namespace", namespace="team", policy="mfa", owner="", epoch=0
    )
    assert request.secret is not None
    assert request.secret.active == "k"


def test_the_database_s_url_and_the_keyring_are_looked_for_by_their_names(cluster: FakeCluster) -> None:
    add(cluster, "mfa")
    assert refused(access(cluster).database_url)[0] == (
        "Secret team/db, which is to hold the database's URL, does not exist"
    )
    cluster.create(SECRETS, "team", {"metadata": {"name": "db"}, "stringData": {"url": "sqlite:///x\n"}})
    assert access(cluster).database_url() == "sqlite:///x"
    assert refused(access(cluster).keyring) == (
        "there is no keyring yet: Secret team/mfa-keyring does not exist",
        "the operator makes it in its first pass; practicus-mfa status tells how that stands",
    )


def test_a_keyring_of_a_policy_that_is_not_there_is_not_waited_for(cluster: FakeCluster) -> None:
    assert refused(access(cluster, "mfa").keyring)[0] == "there is no MfaPolicy mfa in the namespace team"


def test_the_release_is_told_by_its_label(cluster: FakeCluster) -> None:
    add(cluster, "mfa")
    assert access(cluster).release == "mfa"
    add(cluster, "labelled", labels={"app.kubernetes.io/instance": "prod"})
    assert access(cluster, "labelled").release == "prod"


def test_nothing_is_written(cluster: FakeCluster) -> None:
    add(cluster, "mfa")
    cluster.calls.clear()
    access(cluster).request()
    assert {verb for verb, _, _ in cluster.calls} == {"get", "list"}
