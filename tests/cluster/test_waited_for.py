"""`helm upgrade --wait`, as pipelines run it: it ends, and what has ended is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from practicus_mfa.crypto.keys import generate_key
from tests.support.cluster.fresh_release import fresh_release
from tests.support.cluster.login_release import REPLICAS
from tests.support.cluster.steps import NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cluster.with_node import NodeCluster

WAIT = ("--wait", "--timeout=5m")


@pytest.mark.parametrize("by", ["helm3", "helm4"])
def test_people_can_log_in_when_an_installation_was_waited_for_and_helm_4_waits_for_new_keys(
    node_cluster: NodeCluster, tmp_path: Path, pods_postgres_url: str, by: str
) -> None:
    old, new = generate_key(), generate_key()
    with fresh_release(node_cluster, tmp_path, pods_postgres_url, by=by) as release:
        release.apply("install", old, None, *WAIT)
        ready = "-o=jsonpath={.status.readyReplicas}"
        assert release.kubectl("get", f"deploy/{release.name}-login", ready) == str(REPLICAS)
        release.await_ready()
        release.installation.enrol(*NAMES)
        release.apply("upgrade", new, old, *WAIT)
        if by == "helm3":
            # It knows nothing of what a policy says of itself.
            release.await_ready()
        assert release.installation.conditions()["Ready"] == ("True", "Ready")
        assert release.installation.status()["activeKeyID"] == new.id
        release.installation.check_secrets(NAMES, new)
