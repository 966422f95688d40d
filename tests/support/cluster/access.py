"""A cluster as a test holds it, wherever it came from: with every right, or with a service account's."""

from __future__ import annotations

import os
import secrets
import subprocess
from typing import TYPE_CHECKING, Final

from tests.support.cluster import kubeconfigs
from tests.support.cluster.rights import await_in_force
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

_LIMIT_SECONDS: Final = 900
"""Ends a kubectl that would wait for ever."""

_GUARDS: Final = ("validatingadmissionpolicybindings", "validatingadmissionpolicies")


class KubectlError(Exception):
    """The kubectl command failed; the message is what it wrote."""


class Cluster:
    """A cluster that tests may do everything with.

    Attributes:
        folder: For files of this test run.
        kubeconfig: The administrator's.
        program: kubectl.
    """

    def __init__(self, folder: Path, kubeconfig: Path, program: Path) -> None:
        """Remember where it is; nothing is asked yet."""
        self.folder = folder
        self.kubeconfig = kubeconfig
        self.program = program

    def kubectl(self, *arguments: str, input: str = "", kubeconfig: Path | None = None) -> str:  # noqa: A002 - as subprocess calls it
        """Run kubectl, as the administrator unless told otherwise, and return its output.

        Raises:
            KubectlError: It failed.
        """
        where = [f"--kubeconfig={kubeconfig or self.kubeconfig}", f"--cache-dir={self.folder / 'kubectl'}"]
        done = subprocess.run(
            [self.program, *where, *arguments],
            input=input,
            env=os.environ | {"KUBECTL_KUBERC": "false"},
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_SECONDS,
        )
        if done.returncode != 0:
            raise KubectlError(done.stderr.strip())
        return done.stdout

    def apply(self, manifest: str | Path) -> None:
        """Apply a manifest: its text (YAML or JSON), or a file or folder of them."""
        if isinstance(manifest, str):
            self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=manifest)
        else:
            self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(manifest))

    def create_namespace(self) -> str:
        """Make a namespace of a new name in which pods may be made at once, and return the name."""
        name = f"test-{secrets.token_hex(4)}"
        self.kubectl("create", "namespace", name)
        self.await_account(name)
        return name

    def await_account(self, namespace: str) -> None:
        """Wait until a namespace has its default service account."""
        # The controller manager makes it, and a pod without it is refused.
        which = ("get", "serviceaccount", "default", "-n", namespace, "--ignore-not-found", "-o=name")
        until(lambda: bool(self.kubectl(*which)), f"the default service account of {namespace}")

    def delete_namespace(self, name: str) -> None:
        """Have a namespace removed, without waiting for it, and what a release left behind for all of them.

        A guard judges Secrets of all namespaces: another test's release would be refused as well. An operator
        serves the policies of all: the next test would take for its own operator what this one still does.
        """
        guards = self.kubectl("get", ",".join(_GUARDS), "-o=name").split()
        left = [guard for guard in guards if guard.partition("/")[2].startswith(f"{name}-")]
        if left:
            self.kubectl("delete", *left, "--ignore-not-found")
        operators = ("deployments", "-l=app.kubernetes.io/component=operator", "-n", name)
        # Its pods first: it is over when they are.
        self.kubectl("delete", *operators, "--cascade=foreground")
        self.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")

    def kubeconfig_for(self, namespace: str, service_account: str, *, seconds: int = 3600) -> Path:
        """Write a kubeconfig with a token of a service account that exists; its rights are in force.

        Args:
            namespace: The account's, and the kubeconfig's default.
            service_account: Its name.
            seconds: How long the token lives (TokenRequest gives 10 minutes at least).
        """
        await_in_force(self, namespace, service_account, namespace)
        token = self.kubectl(
            "create", "token", service_account, f"--namespace={namespace}", f"--duration={seconds}s"
        )
        file = self.folder / f"{namespace}.{service_account}.{secrets.token_hex(4)}.kubeconfig"
        return kubeconfigs.with_token(file, kubeconfigs.server_of(self.kubeconfig), token.strip(), namespace)
