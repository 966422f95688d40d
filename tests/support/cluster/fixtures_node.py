"""What tests that run pods may ask for; ``tests/cluster/conftest.py`` takes them in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.cluster import ways
from tests.support.cluster.with_node import NodeCluster
from tests.support.cluster.with_node import node_cluster as started
from tests.support.unavailable import without

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
def node_cluster() -> Iterator[NodeCluster]:
    """A cluster that runs pods, of this session (under pytest-xdist: of each worker)."""
    whole = started()
    try:
        cluster = whole.__enter__()
    except ways.NoClusterError as error:
        without(error)
    yield cluster
    whole.__exit__(None, None, None)


@pytest.fixture
def node_namespace(node_cluster: NodeCluster) -> Iterator[str]:
    """The name of a new, empty namespace in which only harmless pods may run (Pod Security: restricted)."""
    name = node_cluster.plane.create_namespace()
    node_cluster.plane.kubectl(
        "label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted", "--overwrite"
    )
    yield name
    node_cluster.plane.delete_namespace(name)


@pytest.fixture(scope="module")
def pods_postgres(node_cluster: NodeCluster, postgres_server: PostgresServer) -> Iterator[str]:
    """The same for all tests of a module, which leave the server running."""
    with pods_database(node_cluster, postgres_server) as url:
        yield url


@pytest.fixture
def pods_postgres_url(node_cluster: NodeCluster, postgres_server: PostgresServer) -> Iterator[str]:
    """A SQLAlchemy URL to an empty PostgreSQL database that both pods and this machine reach."""
    with pods_database(node_cluster, postgres_server) as url:
        yield url


@contextmanager
def pods_database(node_cluster: NodeCluster, postgres_server: PostgresServer) -> Iterator[str]:
    """Give a URL to an empty database, as those fixtures do, for as long as the ``with`` lasts."""
    postgres_server.start()
    postgres_server.listen_on(node_cluster.host_address, node_cluster.clients)
    name = postgres_server.create_database()
    yield postgres_server.url(name, host=node_cluster.host_address)
    postgres_server.start()
    postgres_server.drop_database(name)
