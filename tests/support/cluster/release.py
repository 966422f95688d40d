"""A release of the chart in a cluster with a node: what a platform team has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.support.chart import CHART, SEED, Helm, HelmError, Tree
from tests.support.cluster.access import KubectlError

if TYPE_CHECKING:
    from practicus_mfa.crypto.keys import FernetKey
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.with_node import NodeCluster


class Release:
    """A release, named as its installation, and the two lines of its values.yaml that change.

    Attributes:
        chart: What is installed and upgraded to: the project's, unless a test puts another one here.
    """

    def __init__(self, nodes: NodeCluster, helm: Helm, installation: ClusterInstallation) -> None:
        self.nodes, self.helm, self.installation = nodes, helm, installation
        self.name, self.chart = installation.name, CHART
        repository, _, tag = nodes.image.rpartition(":")
        self._values = {
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "database": {"url": installation.database_url},
            "operator": {"resyncSeconds": 5},
        }

    def apply(self, verb: str, active: FernetKey, rolling: FernetKey | None = None, *flags: str) -> str:
        store = {"activeKey": active.text, "rollingKey": rolling.text if rolling else ""}
        where = f"--namespace={self.installation.namespace}"
        return self.helm.run(
            verb, self.name, str(self.chart), where, *flags, values=(self._values, {"secretStore": store})
        )

    def refusal(self, key: FernetKey) -> str:
        """Try to upgrade to *key* alone; return what Helm says where that is refused, '' where it is not."""
        try:
            self.apply("upgrade", key)
        except HelmError as error:
            return str(error)
        return ""

    def change(self, **sections: object) -> None:
        """Change sections of values.yaml; nothing is upgraded yet."""
        self._values |= sections

    def rendered(self, *values: object) -> list[Tree]:
        """What the chart makes of its values and of further ones, the Secrets' apart; nothing is applied."""
        where = f"--namespace={self.installation.namespace}"
        text = self.helm.run("template", self.name, str(CHART), where, values=(self._values, SEED, *values))
        return [tree for tree in yaml.safe_load_all(text) if tree]

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
