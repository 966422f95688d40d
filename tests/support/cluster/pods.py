"""Pods that run once, as harmless as the strictest rules of a cluster ask for."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.support.cluster.access import KubectlError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.cluster.access import Cluster

LIMIT_SECONDS: Final = 240
"""Far above what a pod takes from its making to its end on a busy machine."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A pod that has ended.

    Attributes:
        code: Its exit code.
        output: What it wrote.
    """

    code: int
    output: str


def run_pod(
    cluster: Cluster,
    namespace: str,
    image: str,
    arguments: Sequence[str],
    *,
    command: Sequence[str] = (),
    secrets_at: Mapping[str, str] | None = None,
    token: bool = False,
    user: int | None = None,
) -> Finished:
    """Run a pod to its end and remove it.

    Args:
        cluster: Where.
        namespace: Where in it.
        image: On the node already.
        arguments: For the image's own program, or for ``command``.
        command: In place of the image's own program.
        secrets_at: Names of Secrets by the folder that they are to be found in.
        token: Whether it gets the service account's.
        user: A user that the image knows nothing of, in the group of root, as OpenShift chooses it.
    """
    name = f"once-{secrets.token_hex(4)}"
    folders: dict[str, dict[str, Any]] = {
        path: {"secret": {"secretName": secret}} for path, secret in (secrets_at or {}).items()
    }
    folders["/tmp"] = {"emptyDir": {}}  # noqa: S108 - the pod's, and nobody else's
    volumes = {f"volume-{number}": pair for number, pair in enumerate(folders.items())}
    container: dict[str, Any] = {
        "name": "once",
        "image": image,
        "imagePullPolicy": "Never",
        "args": list(arguments),
        "volumeMounts": [{"name": volume, "mountPath": path} for volume, (path, _) in volumes.items()],
        "securityContext": {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if command:
        container["command"] = list(command)
    someone = {} if user is None else {"runAsUser": user, "runAsGroup": 0, "fsGroup": user}
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": token,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **someone},
        "containers": [container],
        "volumes": [{"name": volume, **source} for volume, (_, source) in volumes.items()],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    cluster.apply(json.dumps(pod))
    where = ("pod", name, f"--namespace={namespace}")

    ended = "{.status.containerStatuses[0].state.terminated.exitCode}"
    try:
        # It ends by itself or never: a limit for the latter.
        cluster.kubectl("wait", *where, f"--for=jsonpath={ended}", f"--timeout={LIMIT_SECONDS}s")
    except KubectlError as error:
        raise AssertionError(f"{error}\n{cluster.kubectl('describe', *where)}") from error
    code = cluster.kubectl("get", *where, f"-o=jsonpath={ended}")
    output = cluster.kubectl("logs", name, f"--namespace={namespace}")
    cluster.kubectl("delete", *where, "--wait=false")
    return Finished(int(code), output)
