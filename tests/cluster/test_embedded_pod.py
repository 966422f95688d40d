"""The chart's database.embedded on a node: one pod that people log in to, and that follows values.yaml."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from practicus_mfa.crypto.keys import generate_key
from tests.support.chart import CHART, Helm
from tests.support.cluster import ways
from tests.support.cluster.ingress import ingress
from tests.support.login_site import HOST
from tests.support.people import PASSWORD
from tests.support.waiting import until
from tests.support.web_user import WebUser, code_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.crypto.keys import FernetKey
    from tests.support.cluster.with_node import NodeCluster

POD: Final = "mfa-login-0"
OLD, NEW = generate_key(), generate_key()


@pytest.fixture
def volume(node_cluster: NodeCluster, node_namespace: str, tmp_path: Path) -> Iterator[None]:
    """A volume for who asks for one, of no class; the folder is open as fsGroup would make it elsewhere."""
    folder = tmp_path / "volume"
    folder.mkdir()
    folder.chmod(0o777)
    for above in tmp_path.parents:
        if above.stat().st_uid == tmp_path.stat().st_uid and above.name.startswith("pytest-"):
            above.chmod(0o755)
    tree = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": node_namespace},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": str(folder)},
            "claimRef": {"namespace": node_namespace, "name": "mfa-data"},
        },
    }
    node_cluster.plane.apply(json.dumps(tree))
    yield
    node_cluster.plane.kubectl("delete", "pv", node_namespace, "--wait=false")


class Tried:
    """A release for trying out, in a namespace that only restricted pods may run in."""

    def __init__(self, nodes: NodeCluster, namespace: str) -> None:
        self._nodes, self._namespace = nodes, namespace
        self._helm = Helm(ways.find("helm3"), kubeconfig=nodes.plane.kubeconfig)

    def apply(self, verb: str, active: FernetKey, rolling: FernetKey | None = None) -> None:
        repository, _, tag = self._nodes.image.rpartition(":")
        machine = self._nodes.node.machine
        values = {
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "secretStore": {"activeKey": active.text, "rollingKey": rolling.text if rolling else ""},
            "database": {"embedded": {"enabled": True}},
            "login": {"host": HOST, "trustedProxies": [machine.address, machine.gateway]},
        }
        self._helm.run(verb, "mfa", str(CHART), f"--namespace={self._namespace}", values=(values,))

    def test(self, program: str) -> str:
        """What `helm test` says, of another Helm than that which installs."""
        helm = Helm(ways.find(program), kubeconfig=self._nodes.plane.kubeconfig)
        return helm.run("test", "mfa", f"--namespace={self._namespace}", "--logs")

    def kubectl(self, *arguments: str) -> str:
        return self._nodes.plane.kubectl("-n", self._namespace, *arguments)

    def program(self, *arguments: str) -> str:
        return self.kubectl("exec", POD, "--", "practicus-mfa", *arguments)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.program("status", "-o", "json"))
        return found


@pytest.mark.usefixtures("volume")
def test_people_stay_logged_in_while_helm_upgrade_brings_a_new_key(
    node_cluster: NodeCluster, node_namespace: str
) -> None:
    tried = Tried(node_cluster, node_namespace)
    tried.apply("install", OLD)
    tried.kubectl("rollout", "status", "sts/mfa-login", "--timeout=240s")
    for program in ("helm3", "helm4"):
        told = tried.test(program)
        assert re.search(r"^Phase: +Succeeded$", told, re.MULTILINE)
        assert ":8080/readyz\nready\n" in told
    made = tried.program(
        "users", "create", "ada", "--superuser", "--setup-link", "--origin", f"https://{HOST}"
    )
    link = re.search(rf"https://{re.escape(HOST)}(/setup/\S+)", made)
    assert link, made
    service = tried.kubectl("get", "service", "mfa-login", "-o=jsonpath={.spec.clusterIP}")
    with ingress(node_cluster.node.machine, service) as at, WebUser(at) as ada:
        ada.get(link[1])
        ada.post(link[1], username="ada", new_password=PASSWORD, repeated=PASSWORD)
        ada.get("/login/remember")
        ada.post("/login/remember", remember="no")
        failure, secret = ada.enrol()
        assert failure == ""
        tried.apply("upgrade", NEW, OLD)
        # The kubelet would bring the mounted Secret up to date within two minutes; now it does at once.
        tried.kubectl("annotate", "pod", POD, "example.com/look=now")
        until(lambda: tried.status()["activeKeyID"] == NEW.id, "the new key to write", seconds=240)
        until(lambda: tried.status()["users"]["active"] == 1, "the row to be under it")
        assert "ada" in ada.get("/account").text
        with WebUser(at) as again:
            again.get("/login")
            again.post("/login", username="ada", password=PASSWORD)
            again.get("/login/totp")
            # That of now was used up when the app was set up.
            again.post("/login/totp", code=code_now(secret, steps=1))
            assert "ada" in again.get("/account").text
    (state,) = json.loads(tried.kubectl("get", "pod", POD, "-o=json"))["status"]["containerStatuses"]
    assert state["restartCount"] == 0
