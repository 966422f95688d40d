"""What the parts of a node are told: containerd, the network of pods, the kubelet and kube-proxy.

All of them see the machine's folders at their usual places (:mod:`tests.support.cluster.machine`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cluster.machine import Machine

Tree = dict[str, Any]

NAME: Final = "node"
"""The node's name in the cluster."""

SOCKET: Final = "/run/containerd/containerd.sock"
"""Where containerd is asked."""

NETWORKS: Final = "/var/lib/cni/net.d"
"""The folder of the network's description."""


def containerd(pause: str, plugins: Path) -> str:
    """Return containerd's configuration (TOML, version 2; newer ones read it too).

    Args:
        pause: The image of the process that holds a pod's namespaces.
        plugins: The folder of CNI's programs.
    """
    return f"""
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
# Where root lacks CAP_SYS_RESOURCE, runc dies when it is to make a process harder to kill.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{NETWORKS}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""


def network(machine: Machine) -> Tree:
    """Return the network of pods: a bridge on which they all hang."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": machine.pods, "gateway": machine.gateway}]]}
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        # A pod may reach itself by a Service.
        "hairpinMode": True,
        "ipam": addresses | {"routes": [{"dst": "0.0.0.0/0"}]},
    }
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}


def kubelet(machine: Machine, authority: Path) -> Tree:
    """Return the kubelet's configuration.

    Args:
        machine: What it runs on.
        authority: The file of the certificate that the API server's client certificate is signed with.
    """
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "authentication": {"x509": {"clientCAFile": str(authority)}, "anonymous": {"enabled": False}},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{machine.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        # Without a DNS server, a look-up is to fail at once and not after seconds.
        "resolvConf": "/var/lib/resolv.conf",
        # The disk is the machine's of whoever runs the tests: not ours to tidy, and no reason to refuse pods.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
    }


def kube_proxy(machine: Machine, kubeconfig: Path) -> Tree:
    """Return kube-proxy's configuration; settings of the kernel's connection tracking are left alone."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "mode": "iptables",
        "hostnameOverride": NAME,
        "clusterCIDR": machine.pods,
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
