from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.errors import MfaError, RetryableError
from practicus_mfa.kube.connect import connect
from practicus_mfa.kube.faults import ConflictError, ForbiddenError, RejectedError, UnauthenticatedError
from practicus_mfa.kube.objects import JOBS, NAMESPACES, POLICIES, SECRETS, Kind, Tree, version_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from practicus_mfa.kube import client
    from tests.support.cluster.access import Cluster

POLICY_SPEC = {
    "mfa": {"enabled": True},
    "secretStoreRef": {"name": "keys"},
    "databaseRef": {"name": "database", "key": "url"},
}


def secret(name: str, value: str = "one", **metadata: str) -> Tree:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, **metadata},
        "data": {"entry": b64encode(value.encode()).decode()},
    }


@pytest.fixture(scope="module")
def kube(cluster: Cluster) -> Iterator[client.Cluster]:
    connected, _ = connect(kubeconfig=cluster.kubeconfig, environ={})
    yield connected
    connected.forget_idle()


def test_an_object_lives_and_goes(kube: client.Cluster, namespace: str) -> None:
    assert kube.get(SECRETS, namespace, "keys") is None
    made = kube.create(SECRETS, namespace, secret("keys"))
    assert kube.get(SECRETS, namespace, "keys") == made
    assert kube.list(SECRETS, namespace) == [made]
    with pytest.raises(ConflictError):
        kube.create(SECRETS, namespace, secret("keys"))
    kube.delete(SECRETS, namespace, "keys")
    kube.delete(SECRETS, namespace, "keys")
    assert kube.get(SECRETS, namespace, "keys") is None


def test_only_objects_with_all_labels_are_listed(kube: client.Cluster, namespace: str) -> None:
    for name, labels in {"a": {"x": "1"}, "b": {"x": "1", "y/z": "2"}}.items():
        kube.create(SECRETS, namespace, {**secret(name), "metadata": {"name": name, "labels": labels}})
    found = kube.list(SECRETS, None, labels={"x": "1", "y/z": "2"})
    assert [one["metadata"]["name"] for one in found if one["metadata"]["namespace"] == namespace] == ["b"]


def test_apply_takes_fields_from_others_and_removes_what_it_no_longer_names(
    cluster: Cluster, kube: client.Cluster, namespace: str
) -> None:
    cluster.kubectl("create", "secret", "generic", "keys", "-n", namespace, "--from-literal=entry=theirs")
    labelled = {**secret("keys"), "metadata": {"name": "keys", "labels": {"ours": "yes"}}}
    assert kube.apply(SECRETS, namespace, labelled)["metadata"]["labels"] == {"ours": "yes"}
    after = kube.apply(SECRETS, namespace, secret("keys", "two"))
    assert "labels" not in after["metadata"]
    assert after["data"] == {"entry": b64encode(b"two").decode()}


def test_a_write_over_a_newer_object_is_refused(kube: client.Cluster, namespace: str) -> None:
    first = kube.create(SECRETS, namespace, secret("keys"))
    newer = kube.apply(SECRETS, namespace, secret("keys", "two"))
    stale = {"resourceVersion": version_of(first), "uid": first["metadata"]["uid"]}
    with pytest.raises(ConflictError):
        kube.apply(SECRETS, namespace, secret("keys", "old", **stale))
    with pytest.raises(ConflictError):
        kube.replace(SECRETS, first)
    assert kube.get(SECRETS, namespace, "keys") == newer


def test_a_deleted_object_does_not_come_back_by_a_write_over_it(kube: client.Cluster, namespace: str) -> None:
    first = kube.create(SECRETS, namespace, secret("keys"))
    kube.delete(SECRETS, namespace, "keys")
    seen = {"resourceVersion": version_of(first), "uid": first["metadata"]["uid"]}
    with pytest.raises(ConflictError):
        kube.apply(SECRETS, namespace, secret("keys", "old", **seen))
    with pytest.raises(ConflictError):
        kube.replace(SECRETS, first)
    assert kube.get(SECRETS, namespace, "keys") is None


def test_a_merge_removes_what_is_null(kube: client.Cluster, namespace: str) -> None:
    assert kube.merge(SECRETS, namespace, "keys", {"metadata": {"labels": {"a": "b"}}}) is None
    kube.create(SECRETS, namespace, secret("keys"))
    assert kube.merge(SECRETS, namespace, "keys", {"metadata": {"labels": {"a": "b"}}})
    merged = kube.merge(SECRETS, namespace, "keys", {"metadata": {"labels": {"a": None, "c": "d"}}})
    assert merged is not None
    assert merged["metadata"]["labels"] == {"c": "d"}


def test_a_status_changes_nothing_else(kube: client.Cluster, namespace: str) -> None:
    policy = {
        "apiVersion": POLICIES.api_version,
        "kind": POLICIES.kind,
        "metadata": {"name": "main"},
        "spec": POLICY_SPEC,
    }
    made = kube.create(POLICIES, namespace, policy)
    changed = {
        **made,
        "metadata": {**made["metadata"], "labels": {"a": "b"}},
        "status": {"observedGeneration": 1},
    }
    after = kube.replace_status(POLICIES, changed)
    assert after["status"] == {"observedGeneration": 1}
    assert "labels" not in after["metadata"]
    with pytest.raises(ConflictError):
        kube.replace_status(POLICIES, made)


@pytest.mark.parametrize("text", ["%not-base64%SENTINEL", "SENTINEL*"])
@pytest.mark.parametrize("how", ["create", "apply"])
def test_an_invalid_secret_is_refused_without_its_value(
    kube: client.Cluster, namespace: str, text: str, how: str
) -> None:
    broken = {**secret("keys"), "data": {"entry": text}}
    # The server calls one of them its own failure (500): the type differs, the silence does not.
    with pytest.raises(MfaError, match="the Secret keys") as raised:
        getattr(kube, how)(SECRETS, namespace, broken)
    assert "SENTINEL" not in f"{raised.value!r} {raised.value.__cause__!r}"


def test_an_invalid_job_is_refused_with_the_servers_words(kube: client.Cluster, namespace: str) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "one"},
        "spec": {"template": {"spec": {"restartPolicy": "Never"}}},
    }
    with pytest.raises(RejectedError, match=r"spec\.template\.spec\.containers: Required value"):
        kube.create(JOBS, namespace, job)


def test_a_missing_namespace_is_said(kube: client.Cluster) -> None:
    with pytest.raises(RejectedError, match="The namespace nowhere does not exist"):
        kube.create(SECRETS, "nowhere", secret("keys"))
    assert kube.get(SECRETS, "nowhere", "keys") is None
    assert kube.get(NAMESPACES, None, "nowhere") is None


@pytest.mark.parametrize(
    ("verb", "kind"), [("list", SECRETS), ("get", SECRETS), ("create", JOBS), ("delete", JOBS)]
)
def test_a_missing_right_is_named(cluster: Cluster, namespace: str, verb: str, kind: Kind) -> None:
    cluster.kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    nobody, own = connect(kubeconfig=cluster.kubeconfig_for(namespace, "nobody"), environ={})
    assert own == namespace
    calls: dict[str, Callable[[], object]] = {
        "list": lambda: nobody.list(kind, namespace),
        "get": lambda: nobody.get(kind, namespace, "one"),
        "create": lambda: nobody.create(kind, namespace, {"metadata": {"name": "one"}}),
        "delete": lambda: nobody.delete(kind, namespace, "one"),
    }
    with pytest.raises(
        ForbiddenError, match=f"forbids it to {verb} .* in the namespace {namespace}"
    ) as raised:
        calls[verb]()
    nobody.forget_idle()
    assert f'Allow the verb "{verb}" on {kind.plural}' in raised.value.remedy
    assert f"in a Role of the namespace {namespace}" in raised.value.remedy


def test_a_token_that_is_no_longer_valid_may_be_replaced(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.kubectl("create", "serviceaccount", "leaving", "-n", namespace)
    kubeconfig = cluster.kubeconfig_for(namespace, "leaving")
    cluster.kubectl("delete", "serviceaccount", "leaving", "-n", namespace)
    leaving, _ = connect(kubeconfig=kubeconfig, environ={})

    def refused() -> MfaError:
        with pytest.raises(MfaError) as raised:
            leaving.list(SECRETS, namespace)
        return raised.value

    # Tokens that were found valid are believed for some seconds.
    until(lambda: isinstance(refused(), UnauthenticatedError), "the token to be refused")
    assert isinstance(refused(), RetryableError)
    leaving.forget_idle()
