"""A release with a login service in a namespace of its own, for tests that need it for themselves."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.support.chart import Helm
from tests.support.cluster import ways
from tests.support.cluster.login_release import LoginRelease
from tests.support.cluster.operating import ClusterInstallation
from tests.support.unavailable import without

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.with_node import NodeCluster

RELEASE: Final = "mfa"


def program(name: str) -> Path:
    """Return where a program is; where it is missing, skip the test, and in CI fail it."""
    try:
        return ways.find(name)
    except ways.NoClusterError as error:
        without(error)


@contextmanager
def fresh_release(
    nodes: NodeCluster, root: Path, database_url: str, *, by: str = "helm3"
) -> Iterator[LoginRelease]:
    """Give a release that is not installed yet, and remove its namespace in the end.

    Args:
        nodes: Where.
        root: An empty folder.
        database_url: An empty database that pods reach.
        by: The Helm that installs it.
    """
    plane = nodes.plane
    helm = Helm(program(by), kubeconfig=plane.kubeconfig)
    namespace = plane.create_namespace()
    installation = ClusterInstallation.within(plane, namespace, root, database_url, name=RELEASE)
    try:
        yield LoginRelease(nodes, helm, installation)
    finally:
        plane.delete_namespace(namespace)
