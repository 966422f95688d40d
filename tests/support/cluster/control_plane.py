"""A control plane of its own: etcd, the API server, the controller manager, if wanted the scheduler.

Everything lies in one folder and listens on one address, on ports that nobody else has; nothing is shared
with another cluster on the machine. Without a node, pods stay Pending. What a node needs to join is here too:
the authority, the service range, credentials for its parts.
"""

from __future__ import annotations

import json
import shutil
import ssl
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.support.cluster import audit, kubeconfigs
from tests.support.cluster import control_plane_programs as programs_of
from tests.support.cluster.access import Cluster
from tests.support.cluster.certificates import Authority
from tests.support.cluster.control_plane_programs import LOOPBACK, ControlPlanePrograms, Credentials
from tests.support.cluster.guarded import ClusterStartError, GuardedProgram, Stop
from tests.support.cluster.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType

START_SECONDS: Final = 300
"""A limit for a start that hangs, far above the ten seconds that it takes."""

START_ATTEMPTS: Final = 5
"""Between choosing a free port and listening on it somebody else may take it."""

_PAUSE_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 5.0


class ControlPlane(Cluster):
    """One control plane, started by the constructor, ended by :meth:`close` or the end of a ``with``.

    Attributes:
        address: Where the API server listens, and where it says that it is. Pods reach it there.
        port: Its port, the same after a restart.
        authority: Signs every certificate of this cluster; ``authority.certificate.file`` is the trust root.
        service_range: CIDR of the addresses of Services.
        dns_service: Address that a cluster DNS has, if there is one.
    """

    service_range = programs_of.SERVICE_RANGE
    dns_service = programs_of.DNS_SERVICE

    def __init__(self, programs: ControlPlanePrograms, address: str = LOOPBACK) -> None:
        """Make the folder, start everything and wait until it answers.

        Args:
            programs: What to start.
            address: An address of this machine, for the API server. On a loopback address no pod reaches it.

        Raises:
            ClusterStartError: Something did not start.
        """
        # A short path, whatever TMPDIR is: a node puts its sockets below.
        folder = Path(tempfile.mkdtemp(prefix="practicus-mfa-k8s-", dir="/tmp"))
        super().__init__(folder, folder / "admin.kubeconfig", programs.kubectl)
        self._programs = programs
        self._held: dict[str, GuardedProgram] = {}
        self.address = address
        try:
            self.authority = Authority(folder)
            self._credentials = Credentials.issue(self.authority, address)
            admin = self.authority.issue("admin", "admin", ["system:masters"])
            self._start_on_free_ports()
            kubeconfigs.with_certificate(self.kubeconfig, self.server, admin)
            self._start_controllers()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def server(self) -> kubeconfigs.Server:
        """The API server as clients know it."""
        return kubeconfigs.Server(
            f"https://{self.address}:{self.port}", self.authority.certificate.file.read_bytes()
        )

    @property
    def processes(self) -> dict[str, int]:
        """The process id of each program that runs, by its name."""
        return {name: program.pid for name, program in self._held.items() if program.running}

    def kubeconfig_of(self, file: str, user: str, groups: Collection[str] = ()) -> Path:
        """Write a kubeconfig with a client certificate for a user, such as a part of Kubernetes itself.

        Args:
            file: Its name in the folder, without ending.
            user: As RBAC knows it, ``system:node:…`` for example.
            groups: As RBAC knows them.
        """
        certificate = self.authority.issue(file, user, groups)
        return kubeconfigs.with_certificate(self.folder / f"{file}.kubeconfig", self.server, certificate)

    def start_apiserver(self) -> None:
        """Start the API server where it does not run, and wait until it is ready."""
        self._held["kube-apiserver"].start()
        self._wait_until_ready()

    def stop_apiserver(self, how: Stop = "SIGTERM") -> None:
        """Stop the API server alone, in order or as by a crash; what it has stored stays."""
        self._held["kube-apiserver"].stop(how)

    def restart_apiserver(self, how: Stop = "SIGTERM") -> None:
        """Stop and start the API server."""
        self.stop_apiserver(how)
        self.start_apiserver()

    def requests(self) -> list[audit.Request]:
        """Return what the API server was asked so far, without what Kubernetes' own parts asked."""
        return audit.read(self.folder / "audit.log")

    def close(self) -> None:
        """Stop everything and remove the folder."""
        for program in reversed(self._held.values()):
            program.stop("SIGKILL")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_on_free_ports(self) -> None:
        policy = self.folder / "audit-policy.json"
        policy.write_text(json.dumps(audit.POLICY), "utf-8")
        for attempt in range(1, START_ATTEMPTS + 1):
            self.port, etcd_port, peer_port = free_ports(3, *{self.address, LOOPBACK})
            etcd = programs_of.etcd(self._programs.etcd, self.folder / "etcd", etcd_port, peer_port)
            apiserver = programs_of.kube_apiserver(
                self._programs.kube_apiserver,
                self._credentials,
                address=self.address,
                port=self.port,
                etcd_port=etcd_port,
                audit=(policy, self.folder / "audit.log"),
            )
            self._hold("etcd", etcd).start()
            self._hold("kube-apiserver", apiserver)
            try:
                self.start_apiserver()
            except ClusterStartError as error:
                for program in self._held.values():
                    program.stop("SIGKILL")
                if attempt == START_ATTEMPTS or "address already in use" not in str(error):
                    raise
            else:
                return

    def _start_controllers(self) -> None:
        controllers = programs_of.kube_controller_manager(
            self._programs.kube_controller_manager,
            self._credentials,
            self.kubeconfig_of("controller-manager", "system:kube-controller-manager"),
        )
        self._hold("kube-controller-manager", controllers).start()
        if self._programs.kube_scheduler is not None:
            kubeconfig = self.kubeconfig_of("scheduler", "system:kube-scheduler")
            scheduler = programs_of.kube_scheduler(self._programs.kube_scheduler, kubeconfig)
            self._hold("kube-scheduler", scheduler).start()

    def _hold(self, name: str, command: list[str]) -> GuardedProgram:
        self._held[name] = GuardedProgram(self.folder, name, command)
        return self._held[name]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        context = ssl.create_default_context(cafile=str(self.authority.certificate.file))
        # No proxy is between this process and its own server, whatever the environment says.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        while not self._answers(opener):
            for name in ("etcd", "kube-apiserver"):
                program = self._held[name]
                if not program.running or time.monotonic() > deadline:
                    raise ClusterStartError(f"{name} is not ready:\n{program.log_end()}")
            time.sleep(_PAUSE_SECONDS)

    def _answers(self, opener: urllib.request.OpenerDirector) -> bool:
        # Readiness is for everybody to ask, by the API server's own default rules.
        try:
            with opener.open(f"{self.server.url}/readyz", timeout=_ANSWER_SECONDS) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
