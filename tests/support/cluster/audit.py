"""What the API server was asked, and by whom: its audit log, without bodies.

Kubernetes' own parts are left out, so the log is short: it holds what the tests and the product asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # One line a request, once it is answered; a watch has one when it starts and one when it ends.
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["system:apiserver", "system:anonymous", "system:kube-proxy"]},
        {"level": "None", "users": ["system:kube-controller-manager", "system:kube-scheduler"]},
        {"level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the API server saw it.

    Attributes:
        verb: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``, ``delete``, …
        uri: Path and query.
        status: HTTP status of the answer.
        user: ``system:serviceaccount:…`` or the certificate's common name.
        agent: What the client calls itself.
        stage: ``ResponseComplete``; of a watch, which is long, ``ResponseStarted`` too.
    """

    verb: str
    uri: str
    status: int
    user: str
    agent: str
    stage: str


def read(log: Path) -> list[Request]:
    """Return all requests so far, in the order of their answers."""
    # The last line may still be in writing.
    lines = log.read_text("utf-8").rpartition("\n")[0].splitlines() if log.exists() else []
    return [_request(json.loads(line)) for line in lines]


def _request(event: dict[str, Any]) -> Request:
    return Request(
        verb=event["verb"],
        uri=event["requestURI"],
        status=event.get("responseStatus", {}).get("code", 0),
        user=event["user"].get("username", ""),
        agent=event.get("userAgent", ""),
        stage=event["stage"],
    )
