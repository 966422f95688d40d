"""The programs of a control plane, and with which arguments they make one.

Each is as a real cluster has it in what tests rely on: node and RBAC authorization, every default admission
plug-in, tokens for service accounts, every controller. None elects a leader, for there is only one of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cluster.certificates import Authority, Certificate

LOOPBACK: Final = "127.0.0.1"

SERVICE_RANGE: Final = "10.250.0.0/24"
"""Addresses of Services; the first is the API server's own Service."""

API_SERVICE: Final = "10.250.0.1"

DNS_SERVICE: Final = "10.250.0.10"
"""Where pods look for a DNS server, if the cluster has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlanePrograms:
    """Where the programs are; pods are given to nodes only where there is a scheduler."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path
    kube_scheduler: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the API server shows and what it trusts.

    Attributes:
        authority: Signed every client that it believes.
        serving: What it shows to its clients.
        kubelet_client: What it shows to kubelets, for logs and exec.
        accounts: Signs the tokens of service accounts.
    """

    authority: Certificate
    serving: Certificate
    kubelet_client: Certificate
    accounts: Certificate

    @classmethod
    def issue(cls, authority: Authority, address: str) -> Credentials:
        """Sign them for an API server at the address."""
        names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
        hosts = dict.fromkeys((address, LOOPBACK, API_SERVICE, *names))
        return cls(
            authority=authority.certificate,
            serving=authority.issue("kube-apiserver", "kube-apiserver", hosts=hosts),
            kubelet_client=authority.issue("kubelet-client", "kube-apiserver", groups=["system:masters"]),
            accounts=authority.issue("service-accounts", "service-accounts"),
        )


def etcd(program: Path, data: Path, port: int, peer_port: int) -> list[str]:
    """Return the command of a store that forgets nothing while it lives, and is quick."""
    here, peers = f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{peer_port}"
    return [
        str(program),
        f"--data-dir={data}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={here}",
        f"--advertise-client-urls={here}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
    ]


def kube_apiserver(
    program: Path,
    credentials: Credentials,
    *,
    address: str,
    port: int,
    etcd_port: int,
    audit: tuple[Path, Path],
) -> list[str]:
    """Return the command of the API server.

    Args:
        program: Where it is.
        credentials: What it shows and trusts.
        address: Where it listens, and says that it is.
        port: On that address.
        etcd_port: Where its store is, on the loopback.
        audit: The policy and the log of what it is asked.
    """
    # The Service `kubernetes` must not lead to a loopback address.
    reconciler = "none" if address == LOOPBACK else "master-count"
    return [
        str(program),
        f"--etcd-servers=http://{LOOPBACK}:{etcd_port}",
        f"--bind-address={address}",
        f"--advertise-address={address}",
        f"--secure-port={port}",
        f"--endpoint-reconciler-type={reconciler}",
        f"--tls-cert-file={credentials.serving.file}",
        f"--tls-private-key-file={credentials.serving.key_file}",
        f"--client-ca-file={credentials.authority.file}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--audit-policy-file={audit[0]}",
        f"--audit-log-path={audit[1]}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={credentials.accounts.file}",
        f"--service-account-signing-key-file={credentials.accounts.key_file}",
        f"--kubelet-client-certificate={credentials.kubelet_client.file}",
        f"--kubelet-client-key={credentials.kubelet_client.key_file}",
        # Or `kubectl logs` would look for the node's name, which no DNS knows.
        "--kubelet-preferred-address-types=InternalIP",
        # Or a stop in order waits for clients to end their watches by themselves.
        "--shutdown-watch-termination-grace-period=1s",
        "--profiling=false",
    ]


def kube_controller_manager(program: Path, credentials: Credentials, kubeconfig: Path) -> list[str]:
    """Return the command of all controllers but one: a node's addresses are set by whoever makes the node."""
    return [
        str(program),
        f"--kubeconfig={kubeconfig}",
        "--controllers=*,-nodeipam",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={credentials.accounts.key_file}",
        f"--root-ca-file={credentials.authority.file}",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    ]


def kube_scheduler(program: Path, kubeconfig: Path) -> list[str]:
    """Return the command of the scheduler."""
    return [str(program), f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"]
