from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.support.cluster import go_programs, ways
from tests.support.cluster.access import KubectlError
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.support.cluster.access import Cluster
    from tests.support.cluster.control_plane import ControlPlane
    from tests.support.cluster.guarded import Stop


@pytest.mark.skipif(
    ways.ASSETS_VARIABLE in os.environ, reason="whose programs are given chooses their version"
)
def test_the_server_is_the_kubernetes_that_was_asked_for(control_plane: ControlPlane) -> None:
    version = json.loads(control_plane.kubectl("version", "-o=json"))
    assert version["serverVersion"]["gitVersion"] == go_programs.KUBERNETES
    assert version["serverVersion"]["minor"] == "36"


def test_each_namespace_is_new_and_empty(cluster: Cluster, namespace: str) -> None:
    assert cluster.kubectl("get", "secrets,jobs,pods", "-n", namespace, "-o=name") == ""


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_objects_outlive_the_api_server(control_plane: ControlPlane, how: Stop) -> None:
    name = control_plane.create_namespace()
    control_plane.kubectl("create", "configmap", "kept", "-n", name)
    before = control_plane.processes
    control_plane.stop_apiserver(how)
    with pytest.raises(KubectlError, match="refused"):
        control_plane.kubectl("get", "configmaps", "-n", name)
    control_plane.start_apiserver()
    assert "kept" in control_plane.kubectl("get", "configmaps", "-n", name, "-o=name")
    changed = {part for part, pid in control_plane.processes.items() if pid != before[part]}
    assert changed == {"kube-apiserver"}
    control_plane.delete_namespace(name)


def test_a_service_account_may_do_what_its_role_says_and_no_more(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    cluster.kubectl("create", "role", "reader", "-n", namespace, "--verb=get,list", "--resource=configmaps")
    grant = ["rolebinding", "reader", "--role=reader", f"--serviceaccount={namespace}:reader"]
    cluster.kubectl("create", *grant, "-n", namespace)
    kubeconfig = cluster.kubeconfig_for(namespace, "reader")
    # Without -n: the kubeconfig's own namespace.
    assert "kube-root-ca.crt" in cluster.kubectl("get", "configmaps", "-o=name", kubeconfig=kubeconfig)
    for refused in ("get secrets", "get configmaps -n default", "create configmap other"):
        with pytest.raises(KubectlError, match=f"User .system:serviceaccount:{namespace}:reader. cannot"):
            cluster.kubectl(*refused.split(), kubeconfig=kubeconfig)


def test_controllers_work_as_in_a_real_cluster(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "job", "one", "-n", namespace, "--image=unused")

    def pods() -> str:
        return cluster.kubectl("get", "pods", "-n", namespace, "-l", "job-name=one", "-o=name")

    until(lambda: pods() != "", "the pod of a Job")
    cluster.kubectl("delete", "job", "one", "-n", namespace)
    until(lambda: pods() == "", "the pod's removal with its Job")


def test_requests_are_known_with_who_made_them_and_secrets_are_not_in_them(
    control_plane: ControlPlane,
) -> None:
    name = control_plane.create_namespace()
    control_plane.kubectl("create", "secret", "generic", "kept", "-n", name, "--from-literal=word=Ahr3quooqu")
    control_plane.kubectl("get", "secret", "kept", "-n", name)
    kubeconfig = control_plane.kubeconfig_for(name, "default")
    with pytest.raises(KubectlError, match="forbidden"):
        control_plane.kubectl("get", "secrets", kubeconfig=kubeconfig)
    secrets = f"/api/v1/namespaces/{name}/secrets"

    def seen() -> list[tuple[str, str, int]]:
        asked = control_plane.requests()
        return [(each.verb, each.user, each.status) for each in asked if secrets in each.uri]

    # A line is written after the answer.
    until(lambda: len(seen()) >= 3, "what was asked last")
    account = f"system:serviceaccount:{name}:default"
    assert seen() == [("create", "admin", 201), ("get", "admin", 200), ("list", account, 403)]
    assert "Ahr3quooqu" not in (control_plane.folder / "audit.log").read_text("utf-8")
    control_plane.delete_namespace(name)
