"""What an installation says of its Jobs' pods; all else about them is ours to decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

PullPolicy = Literal["Always", "IfNotPresent", "Never"]

RESOURCES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        # A worker holds one page, so its memory is flat. A limit on the CPU would only slow it down.
        "limits": {"memory": "512Mi"},
    }
)

USER: Final = 10_001
"""User and group that the image was made for."""

AS_THE_IMAGE_S_USER: Final[Mapping[str, int]] = MappingProxyType(
    {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER}
)

TTL_SECONDS: Final = 3_600
"""How long a finished Job stays to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTemplate:
    """The part of a Job that the operator's configuration decides, in the words of Kubernetes.

    Attributes:
        image: The image of this program, whose entry point is the command line.
        image_pull_policy: '' leaves it to the cluster.
        image_pull_secrets: Names of Secrets.
        resources: Requests and limits of the container.
        node_selector: Labels that a node must have.
        tolerations: As in a pod.
        affinity: As in a pod.
        priority_class: '' for the cluster's default.
        service_account: '' for the namespace's default; its token is not mounted either way.
        pod_labels: Further labels of the pods.
        pod_annotations: Further annotations of the pods.
        security_context: As whom the pods run, in a pod's words; that they are restricted is not asked.
        volumes: Further volumes, as in a pod.
        volume_mounts: Where these are found, as in a container.
        ttl_seconds: How long a finished Job stays.
    """

    image: str
    image_pull_policy: PullPolicy | Literal[""] = ""
    image_pull_secrets: tuple[str, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=lambda: dict(RESOURCES))
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    priority_class: str = ""
    service_account: str = ""
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    security_context: Mapping[str, Any] = field(default_factory=lambda: dict(AS_THE_IMAGE_S_USER))
    volumes: tuple[Mapping[str, Any], ...] = ()
    volume_mounts: tuple[Mapping[str, Any], ...] = ()
    ttl_seconds: int = TTL_SECONDS
