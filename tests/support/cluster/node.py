"""A node that runs pods: containerd, the kubelet and kube-proxy, on a machine of its own.

It belongs to one control plane, which must listen where the machine reaches it
(:attr:`Machine.host_address`). It runs images that were put on it, and pulls none. Pods reach the API
server's Service, every other Service, each other, and what listens on the machine's outer end; there is no
DNS server, and a look-up fails at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.support.cluster import node_config
from tests.support.cluster.access import KubectlError
from tests.support.cluster.commands import CommandError
from tests.support.cluster.guarded import ClusterStartError, GuardedProgram
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.cluster.control_plane import ControlPlane
    from tests.support.cluster.machine import Machine

START_SECONDS: Final = 300
"""A limit for a part that hangs, far above the few seconds that each takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePrograms:
    """The programs of a node.

    Attributes:
        containerd: Brings ``ctr`` and ``containerd-shim-runc-v2`` with it, in the same folder.
        plugins: The folder of CNI's ``bridge`` and ``host-local``.
    """

    containerd: Path
    plugins: Path
    kubelet: Path
    kube_proxy: Path


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image as a docker-archive.

    Attributes:
        name: What a pod asks for, tag and all.
        file: Where it is.
    """

    name: str
    file: Path


class Node:
    """A node that has joined and is ready. It ends with its machine.

    Attributes:
        machine: What it runs on.
        containerd: May be stopped and started by tests, like the other two.
        kubelet: Takes the node's name with it.
        kube_proxy: Makes the Services reachable.
    """

    def __init__(
        self, programs: NodePrograms, machine: Machine, control_plane: ControlPlane, pause: ImageFile
    ) -> None:
        """Start everything and wait until the node is ready.

        Args:
            programs: What it is made of.
            machine: Where it runs.
            control_plane: What it joins.
            pause: The image of the process that holds a pod's namespaces.
        """
        self._programs = programs
        self._plane = control_plane
        self.machine = machine
        # What the machine's programs see as /var/lib.
        self._files = machine.folder / "lib"
        self._configure(pause)
        self.containerd = machine.program(
            "containerd", programs.containerd, "--config=/var/lib/containerd.toml"
        )
        self.kubelet = machine.program("kubelet", programs.kubelet, *self._kubelet_arguments())
        self.kube_proxy = machine.program(
            "kube-proxy", programs.kube_proxy, "--config=/var/lib/kube-proxy.json"
        )
        self.containerd.start()
        self._wait_until(self._containerd_answers, self.containerd)
        self.load(pause)
        self.kubelet.start()
        self.kube_proxy.start()
        self._wait_until(self._ready, self.kubelet, self.kube_proxy)

    def load(self, image: ImageFile) -> None:
        """Put an image on the node."""
        self._ctr("images", "import", str(image.file))

    def _configure(self, pause: ImageFile) -> None:
        machine, plane = self.machine, self._plane
        proxy = plane.kubeconfig_of("kube-proxy", "system:kube-proxy")
        trees = {
            "cni/net.d/pods.conflist": node_config.network(machine),
            "kubelet.json": node_config.kubelet(machine, plane.authority.certificate.file),
            "kube-proxy.json": node_config.kube_proxy(machine, proxy),
        }
        for name, tree in trees.items():
            (self._files / name).parent.mkdir(parents=True, exist_ok=True)
            (self._files / name).write_text(json.dumps(tree), "utf-8")
        toml = node_config.containerd(pause.name, self._programs.plugins)
        (self._files / "containerd.toml").write_text(toml, "utf-8")
        (self._files / "resolv.conf").touch()

    def _kubelet_arguments(self) -> list[str]:
        user = f"system:node:{node_config.NAME}"
        kubeconfig = self._plane.kubeconfig_of("kubelet", user, ["system:nodes"])
        return [
            "--config=/var/lib/kubelet.json",
            f"--kubeconfig={kubeconfig}",
            f"--hostname-override={node_config.NAME}",
            f"--node-ip={self.machine.address}",
        ]

    def _ctr(self, *arguments: str) -> str:
        ctr = self._programs.containerd.with_name("ctr")
        return self.machine.run(ctr, f"--address={node_config.SOCKET}", "--namespace=k8s.io", *arguments)

    def _containerd_answers(self) -> bool:
        try:
            self._ctr("version")
        except CommandError:
            return False
        return True

    def _ready(self) -> bool:
        node = ("node", node_config.NAME, "--timeout=1s")
        try:
            self._plane.kubectl("wait", *node, "--for=create")
            self._plane.kubectl("wait", *node, "--for=condition=Ready")
        except KubectlError:
            return False
        return True

    def _wait_until(self, condition: Callable[[], bool], *programs: GuardedProgram) -> None:
        def holds() -> bool:
            for program in programs:
                if not program.running:
                    raise ClusterStartError(f"{program.name} ended.\n{program.log_end()}")
            return condition()

        until(holds, f"{' and '.join(program.name for program in programs)}", seconds=START_SECONDS)
