"""A release of the chart in a cluster with a node: what a platform team has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.chart import CHART, Helm
from tests.support.cluster.access import KubectlError

if TYPE_CHECKING:
    from practicus_mfa.crypto.keys import FernetKey
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.with_node import NodeCluster


class Release:
    """A release, named as its installation, and the two lines of its values.yaml that change."""

    def __init__(self, nodes: NodeCluster, helm: Helm, installation: ClusterInstallation) -> None:
        self.nodes, self.helm, self.installation = nodes, helm, installation
        self.name = installation.name
        repository, _, tag = nodes.image.rpartition(":")
        self._values = {
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "database": {"url": installation.database_url},
            "operator": {"resyncSeconds": 5},
        }

    def apply(self, verb: str, active: FernetKey, rolling: FernetKey | None = None) -> str:
        store = {"activeKey": active.text, "rollingKey": rolling.text if rolling else ""}
        where = f"--namespace={self.installation.namespace}"
        return self.helm.run(
            verb, self.name, str(CHART), where, values=(self._values, {"secretStore": store})
        )

    def kubectl(self, *arguments: str) -> str:
        return self.nodes.plane.kubectl("-n", self.installation.namespace, *arguments)

    def await_ready(self) -> None:
        try:
            self.kubectl("wait", "--for=condition=Ready", f"mfap/{self.name}", "--timeout=240s")
        except KubectlError as error:
            said = [
                self.kubectl(*words) for words in (("get", "pods,jobs,mfap", "-o=wide"), ("get", "events"))
            ]
            log = self.kubectl("logs", f"deploy/{self.name}-operator", "--tail=40")
            raise AssertionError("\n".join([str(error), *said, log])) from error
