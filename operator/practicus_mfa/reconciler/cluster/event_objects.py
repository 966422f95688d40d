"""An event as Kubernetes keeps it: about an MfaPolicy, and named after its occasion.

The name makes sure that an occasion is told once: the API server refuses a second object of that name,
whoever sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from practicus_mfa.core.events import Event
from practicus_mfa.core.manifests import API_VERSION, KIND
from practicus_mfa.kube.objects import EVENTS, MANAGER, Tree

LONGEST_MESSAGE: Final = 1024
"""Characters of an event's message that the API server takes."""


def event_object(metadata: Mapping[str, Any], event: Event, moment: datetime, host: str) -> Tree:
    """Return *event* as an object (core/v1).

    Args:
        metadata: The MfaPolicy's.
        event: What happened.
        moment: When.
        host: Who says it: the operator's pod.
    """
    at = f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"
    which = " ".join((metadata["uid"], event.reason, event.occasion))
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {
            "name": f"{metadata['name']}.{sha256(which.encode()).hexdigest()[:16]}",
            "namespace": metadata["namespace"],
        },
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason,
        "message": event.message[:LONGEST_MESSAGE],
        "action": event.reason,
        "eventTime": at,
        "firstTimestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "lastTimestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "count": 1,
        "source": {"component": MANAGER},
        "reportingComponent": f"{API_VERSION.partition('/')[0]}/{MANAGER}",
        "reportingInstance": host,
    }
