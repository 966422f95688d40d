"""An operator of one namespace needs no more than what the chart's Roles allow, in a whole rotation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from tests.support.chart import CHART, Helm
from tests.support.cluster import ways
from tests.support.cluster.one_rotation import OneRotation
from tests.support.unavailable import without

if TYPE_CHECKING:
    from tests.support.cluster.access import Cluster
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.pretend_node import PretendNode


def rights(installation: ClusterInstallation, key: str) -> tuple[str, str]:
    """Return the operator's account and its Roles, as the chart renders them."""
    try:
        helm = Helm(ways.find("helm3"))
    except ways.NoClusterError as error:
        without(error)
    values = {
        "secretStore": {"activeKey": key},
        "database": {"url": installation.database_url},
        "operator": {"watchNamespaces": [installation.namespace]},
    }
    where = f"--namespace={installation.namespace}"
    rendered = helm.run("template", installation.name, str(CHART), where, values=(values,))
    wanted = {"ServiceAccount", "Role", "RoleBinding"}
    trees = [tree for tree in yaml.safe_load_all(rendered) if tree and tree["kind"] in wanted]
    bound = {
        subject["name"] for tree in trees if tree["kind"] == "RoleBinding" for subject in tree["subjects"]
    }
    (account,) = bound
    return account, yaml.safe_dump_all(trees)


def test_nothing_is_forbidden_to_the_charts_account_in_a_whole_rotation(
    cluster: Cluster, installation: ClusterInstallation, node: PretendNode
) -> None:
    story = OneRotation(installation)
    account, manifest = rights(installation, story.old.text)
    assert "ClusterRole" not in manifest
    cluster.kubectl("apply", "-n", installation.namespace, "-f", "-", input=manifest)
    kubeconfig = cluster.kubeconfig_for(installation.namespace, account)
    with installation.operator(kubeconfig=kubeconfig) as operator, story.reader():
        story.install()
        story.begin()
        story.check()
        story.finish()
    assert "orbid" not in operator.log.read_text("utf-8")
    # As a number of its own: times, hashes and names hold all sorts of digits.
    assert [line for line in operator.lines() if re.search(r"\b403\b", line["message"])] == []
    assert [line for line in operator.lines() if line["level"] in {"error", "critical"}] == []
