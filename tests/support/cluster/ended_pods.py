"""Pods that end as a test wants it, where a pretended node holds them: what a kubelet would write of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from practicus_mfa.clock import utc_now
from practicus_mfa.core.status import instant
from practicus_mfa.kube.objects import PODS
from tests.support.waiting import until

if TYPE_CHECKING:
    from practicus_mfa.kube.objects import Tree
    from tests.support.cluster.operating import ClusterInstallation


def held_pod(installation: ClusterInstallation) -> Tree:
    """Wait for a pod that has not begun, and return it."""
    found: list[Tree] = []

    def there() -> bool:
        found[:] = [
            pod
            for pod in installation.cluster.list(PODS, installation.namespace)
            if pod["status"].get("phase") == "Pending" and "deletionTimestamp" not in pod["metadata"]
        ]
        return found != []

    until(there, "a pod that waits")
    return found[0]


def end(
    installation: ClusterInstallation, code: int, reason: str, *, message: str = "", evicted: bool = False
) -> None:
    """End the pod that waits with an exit *code*, or by its node's needs, as the kubelet tells it."""
    pod = held_pod(installation)
    now = instant(utc_now())
    container = pod["spec"]["containers"][0]
    ended = {"exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now, "message": message}
    conditions = [{"type": "Ready", "status": "False"}]
    if evicted:
        why = {"reason": "TerminationByKubelet", "message": "The node was low on resource: memory."}
        conditions.append({"type": "DisruptionTarget", "status": "True", **why})
    status = {
        **pod["status"],
        "phase": "Failed",
        "conditions": conditions,
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"terminated": ended},
            }
        ],
    }
    installation.cluster.replace_status(PODS, {**pod, "status": status})
