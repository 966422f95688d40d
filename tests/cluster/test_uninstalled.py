"""What an uninstall leaves in a cluster, and that a new release goes on with it.

A file of its own: a release that was removed is none for other tests, and an operator of the cluster looks
after the policies of every release that there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cluster.test_installed import NEW, OLD, RELEASE, SAMPLE, rotated
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cluster.with_node import NodeCluster


def test_an_uninstall_leaves_the_keyring_and_the_data(
    node_cluster: NodeCluster, tmp_path: Path, pods_postgres_url: str
) -> None:
    with rotated(node_cluster, tmp_path, pods_postgres_url, SAMPLE) as release:
        release.helm.run("uninstall", RELEASE, f"--namespace={release.installation.namespace}", "--wait")
        assert release.kubectl("get", "mfap,deploy", "-o=name") == ""
        until(lambda: not release.kubectl("get", "jobs", "-o=name"), "Jobs go with their policy")
        keyring, held = release.installation.keyring()
        assert NEW.id in keyring.ids
        assert held[NEW.id].text == NEW.text
        release.installation.check_secrets(SAMPLE, NEW)
        # And a new release of that name goes on with them.
        release.apply("install", NEW, OLD)
        release.await_ready()
        assert release.installation.status()["users"]["active"] == len(SAMPLE)
