"""The whole product, for tests that follow what people meet: ``tests/cluster/conftest.py`` takes them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from practicus_mfa.crypto.keys import generate_key
from tests.support.chart import Helm
from tests.support.cluster.administrator import NAME, Administrator, chromium, come_in, window
from tests.support.cluster.fresh_release import fresh_release, program
from tests.support.cluster.ingress import Ingress, ingress
from tests.support.cluster.product import LogIns, give_passwords
from tests.support.cluster.whole_product import Product

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster.with_node import NodeCluster

EARLIER: Final = [f"user-{number}" for number in range(0, 120, 2)]
LATER: Final = [f"user-{number}" for number in range(1, 120, 2)]
PEOPLE: Final = [name for pair in zip(EARLIER, LATER, strict=True) for name in pair]
"""They log in one after the other: one whose row moves early, one whose row moves late."""

ABROAD: Final = "user-abroad"
"""Logs in never; the row is between the others'."""

USERS: Final = len([*PEOPLE, ABROAD, NAME])


@pytest.fixture(scope="module")
def product(
    node_cluster: NodeCluster, tmp_path_factory: pytest.TempPathFactory, pods_postgres: str
) -> Iterator[Product]:
    """A release that Helm 3 installed, and users with MFA."""
    with fresh_release(node_cluster, tmp_path_factory.mktemp("release"), pods_postgres) as release:
        installation, key = release.installation, generate_key()
        # Only harmless pods may be there: those of the chart and of its Jobs are.
        restricted = "pod-security.kubernetes.io/enforce=restricted"
        release.kubectl("label", "namespace", installation.namespace, restricted, "--overwrite")
        told = release.apply("install", key)
        release.await_ready()
        release.await_people()
        installation.enrol(*EARLIER, ABROAD, *LATER)
        give_passwords(installation, *PEOPLE)
        yield Product(release, told, LogIns(PEOPLE), key)


@pytest.fixture(scope="module")
def administrator(product: Product) -> Iterator[Administrator]:
    """The first one, who came in as the notes say and stays logged in."""
    release = product.release
    with chromium(release.nodes.node.machine) as started, window(started) as page:
        with ingress(release.nodes.node.machine, release.service()):
            came = come_in(release, product.told, page)
        yield came


@pytest.fixture(scope="module")
def anew(product: Product, administrator: Administrator) -> Product:
    """The same after Helm 4 took the release over, removed it, and installed it once more."""
    release = product.release
    release.helm = Helm(program("helm4"), kubeconfig=release.nodes.plane.kubeconfig)
    lives = release.lives()
    release.apply("upgrade", product.key)
    release.await_ready()
    assert release.lives() == lives
    release.uninstall()
    # They said good-bye: nobody waits for leases to run out.
    assert product.keys_held() == []
    # What users' secrets can be read with is nobody's to remove.
    assert release.installation.keyring()[0].ids == {product.key.id}
    release.apply("install", product.key)
    release.await_ready()
    release.await_people()
    return product


@pytest.fixture
def at(product: Product) -> Iterator[Ingress]:
    """Where people come, at this moment."""
    release = product.release
    with ingress(release.nodes.node.machine, release.service()) as running:
        yield running


@pytest.fixture
def at_anew(anew: Product) -> Iterator[Ingress]:
    """Where they come after the second installation."""
    release = anew.release
    with ingress(release.nodes.node.machine, release.service()) as running:
        yield running
