"""A platform team's installation in a cluster: values as the chart renders them, operators, users."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from practicus_mfa.core.manifests import render
from practicus_mfa.core.parse.values import read_values
from practicus_mfa.crypto.keys import HeldKeys, id_of
from practicus_mfa.documents import dump_yaml
from practicus_mfa.kube.children import keyring_name
from practicus_mfa.kube.connect import connect
from practicus_mfa.kube.objects import EVENTS, JOBS, POLICIES, SECRETS, Tree
from practicus_mfa.reconciler.cluster.keyring_secrets import KeyringSecrets
from practicus_mfa.storage.versions import upgrade
from tests.support.installation import ENVIRONMENT, PROGRAM, Installation
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from practicus_mfa.core.keyring import Keyring
    from practicus_mfa.kube.client import Cluster
    from tests.support.cluster import access

NAME = "practicus-mfa"
READY_SECONDS = 240.0


@dataclass(frozen=True)
class OperatorProcess:
    """An operator as a process of its own.

    Attributes:
        popen: The process.
        log: Where its log goes.
    """

    popen: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """What it logged."""
        # The last line may still be in writing.
        whole = self.log.read_text("utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines() if line[:1] == "{"]

    def port(self) -> int:
        """The port of its endpoints, once it listens."""
        ports = [line["port"] for line in self.lines() if "port" in line]
        return int(ports[0]) if ports else 0

    def kill(self) -> None:
        """End it without a word."""
        self.popen.kill()
        self.popen.wait()


@dataclass(frozen=True)
class ClusterInstallation(Installation):
    """An installation in a namespace of a cluster.

    Attributes:
        cluster: The cluster, with every right.
        kubeconfig: The same as a file.
        namespace: The release's.
        name: The release's.
    """

    cluster: Cluster = field(kw_only=True)
    kubeconfig: Path = field(kw_only=True)
    namespace: str = field(kw_only=True)
    name: str = NAME

    @classmethod
    def within(
        cls, plane: access.Cluster, namespace: str, root: Path, database_url: str, *, name: str = NAME
    ) -> ClusterInstallation:
        """Return the installation of a namespace that is there; nothing is applied yet.

        Args:
            plane: The cluster, by its administrator.
            namespace: Where the release is to be.
            root: For its files.
            database_url: An empty database.
            name: The release's.
        """
        client, _ = connect(kubeconfig=plane.kubeconfig)
        return cls(
            root=root,
            database_url=database_url,
            cluster=client,
            kubeconfig=plane.kubeconfig,
            namespace=namespace,
            name=name,
        )

    # --- what a platform team does ---------------------------------------------------------------

    def apply(self, active: str, rolling: str = "", **sections: object) -> None:
        """Do what ``helm upgrade`` does with these values: the Secrets first, then the policy."""
        tree: dict[str, Any] = {"secretStore": {"activeKey": active, "rollingKey": rolling}, **sections}
        tree["database"] = {"url": self.database_url}
        wanted = render(
            read_values(tree, source="the test"),
            active=id_of(active),
            rolling=id_of(rolling),
            name=self.name,
            namespace=self.namespace,
        )
        for secret in (wanted.secret_store, wanted.database):
            if secret is not None:
                self.cluster.apply(SECRETS, self.namespace, dict(secret))
        self.cluster.apply(POLICIES, self.namespace, dict(wanted.policy))

    def set_up_database(self) -> None:
        """Make the tables, so that users can be there before the operator."""
        with self.database() as db:
            upgrade(db)

    # --- operators -------------------------------------------------------------------------------

    @contextmanager
    def operator(self, *, kubeconfig: Path | None = None, **config: object) -> Iterator[OperatorProcess]:
        """An operator of this namespace, running; ended at the end if it still runs."""
        process = self.start_operator(kubeconfig=kubeconfig, **config)
        try:
            yield process
        finally:
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGTERM)
                try:
                    process.popen.wait(timeout=LIMIT_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise

    def start_operator(self, *, kubeconfig: Path | None = None, **config: object) -> OperatorProcess:
        """Start one; the caller ends it."""
        arguments, log = self.operator_arguments(kubeconfig, config)
        with log.open("wb") as out:
            popen = subprocess.Popen(
                [*PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=ENVIRONMENT,
            )
        return OperatorProcess(popen, log)

    def operator_arguments(
        self, kubeconfig: Path | None, config: Mapping[str, object]
    ) -> tuple[list[str], Path]:
        """Return the program's arguments for one more operator, and where its log goes."""
        number = len(list(self.root.glob("operator-*.log")))
        file, log = self.root / f"operator-{number}.yaml", self.root / f"operator-{number}.log"
        settings: dict[str, object] = {
            "watchNamespaces": [self.namespace],
            "leaseNamespace": self.namespace,
            "metricsAddress": "127.0.0.1:0",
            "resyncSeconds": 5,
            "jobTemplate": {"image": "practicus-mfa:test", "imagePullPolicy": "Never"},
            **config,
        }
        file.write_text(dump_yaml(settings), encoding="utf-8")
        log.touch()
        where = str(kubeconfig or self.kubeconfig)
        return ["operator", "--config", str(file), "--kubeconfig", where], log

    # --- what people see -------------------------------------------------------------------------

    def policy(self) -> Tree:
        """The MfaPolicy as it stands."""
        found = self.cluster.get(POLICIES, self.namespace, self.name)
        assert found is not None
        return found

    def status(self) -> dict[str, Any]:
        """Its status."""
        found: dict[str, Any] = self.policy().get("status", {})
        return found

    def published(self) -> dict[str, Any]:
        """As :meth:`status`: here nothing else is published."""
        return self.status()

    def conditions(self) -> dict[str, tuple[str, str]]:
        """Each condition's status and reason."""
        return {
            each["type"]: (each["status"], each["reason"]) for each in self.status().get("conditions", [])
        }

    def events(self) -> list[str]:
        """The reasons of its events, in the order in which they were told."""
        found = [
            event
            for event in self.cluster.list(EVENTS, self.namespace)
            if event["involvedObject"]["name"] == self.name and event["involvedObject"]["kind"] == "MfaPolicy"
        ]
        return [event["reason"] for event in sorted(found, key=lambda event: str(event["eventTime"]))]

    def jobs(self) -> list[Tree]:
        """The Jobs of the namespace."""
        return self.cluster.list(JOBS, self.namespace)

    def await_ready(self, *, seconds: float = READY_SECONDS) -> None:
        """Wait until Ready is true of the policy's present generation."""

        def ready() -> bool:
            policy = self.policy()
            return any(
                each["type"] == "Ready"
                and each["status"] == "True"
                and each["observedGeneration"] == policy["metadata"]["generation"]
                for each in policy.get("status", {}).get("conditions", [])
            )

        try:
            until(ready, "Ready", seconds=seconds)
        except AssertionError as error:
            logs = [path.read_text("utf-8")[-3000:] for path in sorted(self.root.glob("operator-*.log"))]
            report = "\n".join([dump_yaml(self.status()), *logs])
            raise AssertionError(f"{error}\n{report}") from error

    def await_step(self, step: str) -> None:
        """Wait until a rotation has come to that step."""
        until(lambda: self.status().get("rotation", {}).get("step") == step, f"step {step}")

    def await_reason(self, kind: str, reason: str) -> None:
        """Wait until that is the reason of a condition."""
        until(lambda: self.conditions().get(kind, ("", ""))[1] == reason, f"{kind} to be {reason}")

    def quiet(self, seconds: float) -> list[str]:
        """Return the policy's resource versions over so many seconds."""
        end, versions = time.monotonic() + seconds, []
        while time.monotonic() < end:
            versions.append(str(self.policy()["metadata"]["resourceVersion"]))
            time.sleep(0.2)
        return versions

    def keyring(self) -> tuple[Keyring, HeldKeys]:
        """The keyring as it stands."""
        loaded = KeyringSecrets(self.cluster, self.namespace, self.name).load()
        assert loaded is not None
        return loaded

    @property
    def keyring_name(self) -> str:
        """The name of the keyring's Secret."""
        return keyring_name(self.name)
