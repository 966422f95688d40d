"""What cluster tests may ask for: a control plane, a cluster, a namespace in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.api_proxy import ApiProxy, api_proxy
from tests.support.cluster import ways
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.fixtures_node import (
    node_cluster,
    node_namespace,
    pods_postgres,
    pods_postgres_url,
)
from tests.support.cluster.fixtures_product import administrator, anew, at, at_anew, product
from tests.support.cluster.operating import ClusterInstallation
from tests.support.cluster.pretend_node import PretendNode
from tests.support.cluster.shared_operator import SharedOperator
from tests.support.cluster.shared_operator import shared_operator as running_operator
from tests.support.unavailable import without

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.access import Cluster

__all__ = [
    "administrator",
    "anew",
    "at",
    "at_anew",
    "node_cluster",
    "node_namespace",
    "pods_postgres",
    "pods_postgres_url",
    "product",
]


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A control plane of this session (under pytest-xdist: of each worker), for tests that stop its parts.

    A test that stops something starts it again.
    """
    try:
        programs = ways.control_plane_programs()
    except ways.NoClusterError as error:
        without(error)
    with ControlPlane(programs) as plane:
        ways.install_definitions(plane)
        yield plane


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster of any kind that knows MfaPolicies, with every right; it may have no node."""
    if not (way := ways.foreign()):
        yield request.getfixturevalue("control_plane")
        return
    with ways.foreign_cluster(way) as found:
        ways.install_definitions(found)
        yield found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a new, empty namespace."""
    name = cluster.create_namespace()
    yield name
    cluster.delete_namespace(name)


@pytest.fixture
def installation(cluster: Cluster, namespace: str, tmp_path: Path, postgres_url: str) -> ClusterInstallation:
    """An installation in an empty namespace, on PostgreSQL; nothing is applied and no operator runs yet."""
    return ClusterInstallation.within(cluster, namespace, tmp_path, postgres_url)


@pytest.fixture
def node(installation: ClusterInstallation, tmp_path: Path) -> Iterator[PretendNode]:
    """What runs the pods of the installation's Jobs."""
    with PretendNode(installation.cluster, installation.namespace, tmp_path / "pods") as pretended:
        yield pretended


@pytest.fixture
def api(cluster: Cluster, tmp_path: Path) -> Iterator[ApiProxy]:
    """A proxy before the API server, through which an operator can be led to spoil what it asks."""
    with api_proxy(cluster.kubeconfig, tmp_path / "proxied.kubeconfig") as running:
        yield running


@pytest.fixture(scope="module")
def shared_operator(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedOperator]:
    """An operator that serves all tests of a file."""
    with running_operator(cluster, tmp_path_factory.mktemp("shared")) as operator:
        yield operator


@pytest.fixture
def served(shared_operator: SharedOperator, postgres_url: str) -> Iterator[ClusterInstallation]:
    """An installation that the shared operator serves, on PostgreSQL; nothing is applied yet."""
    with shared_operator.installation(postgres_url) as installation:
        yield installation
