"""A cluster that runs pods: a control plane and a node, with the project's image on it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.cluster import images, machine, ways
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.control_plane_programs import ControlPlanePrograms
from tests.support.cluster.machine import Machine
from tests.support.cluster.node import Node, NodePrograms

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCluster:
    """A cluster with one node, both of the tests' own.

    Attributes:
        plane: What a test gives its orders to.
        node: Where pods run; its programs may be stopped and started.
        image: The name of the project's image, as a pod asks for it (with ``imagePullPolicy: Never`` or
            ``IfNotPresent``: it can't be pulled).
        host_address: This machine, as pods see it: what listens there they can reach.
        clients: CIDR of whom a server there sees: the node, its pods, and this machine itself.
    """

    plane: ControlPlane
    node: Node
    image: str
    host_address: str
    clients: str


@contextmanager
def node_cluster() -> Iterator[NodeCluster]:
    """Give a cluster with the product's kinds and a ready node, and remove it afterwards.

    Raises:
        NoClusterError: It can't be made here.
        CommandError: An image could not be made.
    """
    if reason := machine.missing():
        raise ways.NoClusterError(reason)
    node_programs = NodePrograms(
        containerd=ways.find("containerd"),
        plugins=ways.find("host-local").parent,
        kubelet=ways.find("kubelet"),
        kube_proxy=ways.find("kube-proxy"),
    )
    for program in ("runc", "iptables"):
        ways.find(program)
    plane_programs = ControlPlanePrograms(
        etcd=ways.find("etcd"),
        kube_apiserver=ways.find("kube-apiserver"),
        kube_controller_manager=ways.find("kube-controller-manager"),
        kubectl=ways.find("kubectl"),
        kube_scheduler=ways.find("kube-scheduler"),
    )
    pause, project = images.pause(), images.project()
    with Machine() as below, ControlPlane(plane_programs, below.host_address) as plane:
        node = Node(node_programs, below, plane, pause)
        node.load(project)
        ways.install_definitions(plane)
        yield NodeCluster(
            plane=plane,
            node=node,
            image=project.name,
            host_address=below.host_address,
            clients=below.block,
        )
