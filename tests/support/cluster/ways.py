"""Where the tests' cluster comes from: the first of these that this machine has.

1. ``PRACTICUS_MFA_TEST_KUBECONFIG``: the kubeconfig of a cluster that tests may do everything with. A
   variable of its own and not ``KUBECONFIG``, so that nobody's real cluster is ever meant.
2. kind, where it is installed and a Docker engine runs.
3. Programs in ``KUBEBUILDER_ASSETS`` (etcd, kube-apiserver, kubectl), the controller manager from wherever it
   is.
4. Programs of our own: etcd from the system, the others built by Go.

The last two make a :class:`~tests.support.cluster.control_plane.ControlPlane`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.cluster import debian_programs, go_programs
from tests.support.cluster.access import Cluster, KubectlError
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.control_plane_programs import ControlPlanePrograms
from tests.support.postgres_programs import in_ci
from tests.support.waiting import until_it_succeeds

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN_VARIABLE: Final = "PRACTICUS_MFA_TEST_KUBECONFIG"
ASSETS_VARIABLE: Final = "KUBEBUILDER_ASSETS"

ROOT: Final = Path(__file__).parents[3]
DEFINITIONS: Final = ROOT / "crds"
"""What the product adds to a cluster's API."""


class NoClusterError(Exception):
    """There is no way to a cluster here; the message says how to get one."""


def find(name: str) -> Path:
    """Return where a program of a cluster is; in CI it is got where it is missing.

    Args:
        name: ``etcd``, ``kube-apiserver``, ``helm4``, …

    Raises:
        NoClusterError: It is not here.
    """
    if assets := os.environ.get(ASSETS_VARIABLE):
        program = Path(assets) / name
        if os.access(program, os.X_OK):
            return program
    try:
        if name in debian_programs.PACKAGES:
            return debian_programs.find(name)
        if in_ci():
            go_programs.ensure([name])
    except go_programs.ProgramsMissingError as error:
        raise NoClusterError(str(error)) from error
    if go_programs.missing([name]):
        raise NoClusterError(f"{name} is not built yet. {go_programs.REMEDY}")
    return go_programs.path(name)


def control_plane_programs() -> ControlPlanePrograms:
    """Return the programs of a control plane of our own, without a scheduler.

    Raises:
        NoClusterError: One is not here.
    """
    return ControlPlanePrograms(
        etcd=find("etcd"),
        kube_apiserver=find("kube-apiserver"),
        kube_controller_manager=find("kube-controller-manager"),
        kubectl=find("kubectl"),
    )


def foreign() -> str:
    """Name the way to a cluster that is not our own, or return nothing."""
    if os.environ.get(GIVEN_VARIABLE):
        return "given"
    return "kind" if _kind_works() else ""


@contextmanager
def any_cluster() -> Iterator[Cluster]:
    """Give a cluster by the first way that there is, with the product's kinds.

    Raises:
        NoClusterError: There is no way.
    """
    way = foreign()
    with foreign_cluster(way) if way else ControlPlane(control_plane_programs()) as cluster:
        install_definitions(cluster)
        yield cluster


@contextmanager
def foreign_cluster(way: str) -> Iterator[Cluster]:
    """Give the cluster that :func:`foreign` named."""
    with tempfile.TemporaryDirectory(prefix="practicus-mfa-test-") as name:
        folder = Path(name)
        if way == "given":
            yield Cluster(folder, Path(os.environ[GIVEN_VARIABLE]).absolute(), _any_kubectl())
        else:
            with _kind(folder) as cluster:
                yield cluster


def install_definitions(cluster: Cluster) -> None:
    """Teach a cluster the product's kinds and wait until it knows them."""
    if not list(DEFINITIONS.glob("*.yaml")):
        return
    cluster.apply(DEFINITIONS)
    await_definitions(cluster)


def await_definitions(cluster: Cluster) -> None:
    """Wait until every definition is established, and its kind is among those that clients find."""

    def look() -> None:
        # It fails at once where a definition is so new that it has no conditions.
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        names = cluster.kubectl("get", "crd", "-o=jsonpath={.items[*].metadata.name}").split()
        # kubectl, Helm and kopf look for a kind in the list of all kinds, which follows a moment later.
        cluster.kubectl("get", ",".join(names), "--all-namespaces", "-o=name")

    until_it_succeeds(look, "the established definitions", despite=KubectlError)


@contextmanager
def _kind(folder: Path) -> Iterator[Cluster]:
    """Make a cluster by kind. Untested where no Docker engine runs, as in our CI."""
    kubeconfig = folder / "admin.kubeconfig"
    which = ["--name", f"practicus-mfa-{secrets.token_hex(4)}", "--kubeconfig", str(kubeconfig)]
    try:
        subprocess.run(["kind", "create", "cluster", *which, "--wait=120s"], check=True)
        yield Cluster(folder, kubeconfig, _any_kubectl())
    finally:
        subprocess.run(["kind", "delete", "cluster", *which], check=True)


def _kind_works() -> bool:
    if shutil.which("kind") is None or shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def _any_kubectl() -> Path:
    installed = shutil.which("kubectl")
    return Path(installed) if installed else find("kubectl")
