"""The chart on a real API server: installed by one command, upgraded, and removed."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final

import pytest

from practicus_mfa.crypto.keys import generate_key, parse_key
from tests.support.chart import CHART, Helm, HelmError
from tests.support.cluster import ways
from tests.support.cluster.access import KubectlError
from tests.support.cluster.control_plane import ControlPlane
from tests.support.unavailable import without
from tests.support.waiting import until

CRD: Final = "mfapolicies.mfa.practicus.ai"
OLD: Final = generate_key().text
NEW: Final = generate_key().text


@pytest.fixture(scope="module")
def fresh() -> Iterator[ControlPlane]:
    """A cluster that does not know MfaPolicies."""
    try:
        programs = ways.control_plane_programs()
    except ways.NoClusterError as error:
        without(error)
    with ControlPlane(programs) as plane:
        yield plane


@pytest.fixture(params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, fresh: ControlPlane) -> Iterator[Helm]:
    try:
        program = ways.find(request.param)
    except ways.NoClusterError as error:
        without(error)
    yield Helm(program, kubeconfig=fresh.kubeconfig)
    fresh.kubectl("delete", "crd", CRD, "--ignore-not-found")


@pytest.fixture
def home(fresh: ControlPlane) -> Iterator[str]:
    name = fresh.create_namespace()
    yield name
    fresh.delete_namespace(name)


def run(helm: Helm, verb: str, home: str, **secret_store: str) -> str:
    # There is no node: nothing would ever run.
    values = {"secretStore": secret_store, "operator": {"replicas": 0}}
    return helm.run(verb, "mfa", str(CHART), f"--namespace={home}", values=(values,))


def policy(cluster: ControlPlane, home: str) -> Any:  # noqa: ANN401 - as the API server gives it
    return json.loads(cluster.kubectl("get", "mfap", "mfa", "-n", home, "-o=json"))


def say_retirable(cluster: ControlPlane, home: str) -> None:
    condition = {
        "type": "OldKeyRetirable",
        "status": "True",
        "reason": "Safe",
        "message": "",
        "observedGeneration": policy(cluster, home)["metadata"]["generation"],
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    patch = json.dumps({"status": {"conditions": [condition]}})
    cluster.kubectl("patch", "mfap", "mfa", "-n", home, "--subresource=status", "--type=merge", "-p", patch)


def rolling_key(cluster: ControlPlane, home: str) -> str:
    entry = "-o=jsonpath={.data.rollingKey}"
    return b64decode(cluster.kubectl("get", "secret", "mfa-secret-store", "-n", home, entry)).decode()


def test_a_life_of_a_release(helm: Helm, fresh: ControlPlane, home: str) -> None:
    # One command on a cluster that has never heard of an MfaPolicy.
    told = run(helm, "install", home, activeKey=OLD)
    assert f"kubectl -n {home} wait --for=condition=Ready mfap/mfa" in told
    installed = policy(fresh, home)
    assert installed["spec"]["secretStoreRef"]["activeKeyID"] == parse_key(OLD).id

    # Two changed lines begin a rotation: each change of keys is a new generation.
    run(helm, "upgrade", home, activeKey=NEW, rollingKey=OLD)
    rotating = policy(fresh, home)
    assert rotating["metadata"]["generation"] == installed["metadata"]["generation"] + 1
    assert rotating["spec"]["secretStoreRef"]["rollingKeyID"] == parse_key(OLD).id

    # The old key can't go while rows may need it.
    def refused() -> bool:
        try:
            run(helm, "upgrade", home, activeKey=NEW)
        except HelmError as error:
            # It comes into force at some moment, also between the edits of the Secret and of the policy.
            if rolling_key(fresh, home) == OLD:
                return f"kubectl -n {home} describe mfap mfa" in str(error)
        run(helm, "upgrade", home, activeKey=NEW, rollingKey=OLD)
        return False

    until(refused, "a refusal of the upgrade")
    assert (rolling_key(fresh, home) == OLD) is True
    # Helm goes on with the rest. A policy that names the refused keys would never be Ready again: Helm 3
    # compares releases, not what is there, and would find nothing to put back.
    assert policy(fresh, home)["spec"]["secretStoreRef"] == rotating["spec"]["secretStoreRef"]
    run(helm, "upgrade", home, activeKey=NEW, rollingKey=OLD)
    assert policy(fresh, home)["spec"]["secretStoreRef"] == rotating["spec"]["secretStoreRef"]
    # Helm applies the Secret before the policy: the operator's word about the policy as it was counts.
    say_retirable(fresh, home)

    def passed() -> bool:
        try:
            run(helm, "upgrade", home, activeKey=NEW)
        except HelmError:
            # The policy may have got through where the Secret did not, and be of another generation by now.
            say_retirable(fresh, home)
            return False
        return True

    until(passed, "the upgrade to pass")
    assert "rollingKeyID" not in policy(fresh, home)["spec"]["secretStoreRef"]

    helm.run("uninstall", "mfa", f"--namespace={home}")
    assert fresh.kubectl("get", "mfap,secrets,roles,rolebindings", "-n", home, "-o=name") == ""
    everywhere = "clusterroles,clusterrolebindings,validatingadmissionpolicies"
    assert home not in fresh.kubectl("get", everywhere, "-o=name")
    # Other releases may need it.
    assert CRD in fresh.kubectl("get", "crd", "-o=name")


def test_a_rollback_in_the_middle_of_a_rotation_passes(helm: Helm, fresh: ControlPlane, home: str) -> None:
    run(helm, "install", home, activeKey=OLD)
    run(helm, "upgrade", home, activeKey=NEW, rollingKey=OLD)
    helm.run("rollback", "mfa", "1", f"--namespace={home}")
    assert policy(fresh, home)["spec"]["secretStoreRef"] == {
        "name": "mfa-secret-store",
        "activeKeyID": parse_key(OLD).id,
    }
    helm.run("uninstall", "mfa", f"--namespace={home}")


def test_an_operator_of_namespaces_may_read_its_secrets_and_no_others(
    helm: Helm, fresh: ControlPlane, home: str
) -> None:
    values = {
        "secretStore": {"activeKey": OLD},
        "operator": {"replicas": 0, "watchNamespaces": [home]},
    }
    helm.run("install", "mfa", str(CHART), f"--namespace={home}", values=(values,))
    account = fresh.kubeconfig_for(home, "mfa-operator")

    def may(*what: str) -> bool:
        try:
            fresh.kubectl("auth", "can-i", *what, f"--namespace={home}", "--quiet", kubeconfig=account)
        except KubectlError:
            # It says no by its exit code.
            return False
        return True

    assert may("watch", "secrets/mfa-secret-store")
    assert may("patch", "secrets/mfa-keyring")
    assert may("create", "secrets")
    assert may("update", "mfapolicies/mfa", "--subresource=status")
    assert not may("list", "secrets")
    assert not may("get", "secrets/another")
    assert not may("delete", "secrets/mfa-keyring")
    # A watch by name is what the operator asks for.
    by_name = ["get", "secrets", "-n", home, "--field-selector=metadata.name=mfa-secret-store", "-o=name"]
    assert fresh.kubectl(*by_name, kubeconfig=account).strip() == "secret/mfa-secret-store"
    helm.run("uninstall", "mfa", f"--namespace={home}")


def test_an_operator_of_the_cluster_may_bring_its_definition_up_to_date_and_no_other(
    helm: Helm, fresh: ControlPlane, home: str
) -> None:
    run(helm, "install", home, activeKey=OLD)
    account = fresh.kubeconfig_for(home, "mfa-operator")
    allowed = fresh.kubectl("auth", "can-i", "--list", f"--namespace={home}", kubeconfig=account)
    line = next(line for line in allowed.splitlines() if line.startswith("customresourcedefinitions"))
    assert CRD in line
    assert line.endswith("[get patch]")
    helm.run("uninstall", "mfa", f"--namespace={home}")
