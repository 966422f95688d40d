"""Publishing: the status of an MfaPolicy and the events of a pass, on the API server.

What a person or a machine waits for (a condition, a step) is written at once. Numbers that move are written
every few seconds, and the date of an idle policy's counts every few minutes: a write wakes all who watch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from practicus_mfa.clock import Clock
from practicus_mfa.core.events import Event
from practicus_mfa.core.manifests import API_VERSION, KIND
from practicus_mfa.core.status import Manifest
from practicus_mfa.errors import MfaError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import ConflictError
from practicus_mfa.kube.objects import EVENTS, MANAGER, POLICIES, Tree

log = logging.getLogger(__name__)

NUMBERS: Final = 2.0
"""Seconds between two writes where only numbers moved."""

DATES: Final = 300.0
"""Seconds between two writes where only the date of the counts moved."""

LONGEST_MESSAGE: Final = 1024
"""Characters of an event's message that the API server takes."""

_DATES: Final = frozenset({"lastScanTime", "scannedAt"})
_NUMBERS: Final = _DATES | {"message", "total", "enrolled", "active", "rolling", "unknown", "corrupt"}
_MOVING: Final = _NUMBERS | {"converged", "migrated", "remaining", "auditHead"}


def without(tree: object, names: frozenset[str]) -> object:
    """Return *tree* without the members of these names, at any depth."""
    match tree:
        case Mapping():
            return {name: without(value, names) for name, value in tree.items() if name not in names}
        case list() | tuple():
            return [without(value, names) for value in tree]
        case _:
            return tree


def patience(written: Manifest, wanted: Manifest) -> float | None:
    """Return how old *written* must be before *wanted* takes its place, in seconds; ``None``: they agree."""
    if without(written, _MOVING) != without(wanted, _MOVING):
        return 0.0
    if without(written, _DATES) != without(wanted, _DATES):
        return NUMBERS
    return DATES if written != wanted else None


def spelled(status: Manifest) -> Tree:
    """Return *status* as the API server keeps it: what has no value is left out."""
    cleaned = _cleaned(status)
    assert isinstance(cleaned, dict)  # noqa: S101 - a mapping stays one
    return cleaned


def _cleaned(tree: object) -> object:
    match tree:
        case Mapping():
            return {str(name): _cleaned(value) for name, value in tree.items() if value is not None}
        case list() | tuple():
            return [_cleaned(value) for value in tree]
        case bool() | int():
            return tree
        case _:
            return str(tree)


@dataclass(slots=True)
class Publisher:
    """Publishes what passes over one policy find.

    Attributes:
        cluster: The API server.
        clock: The time of events.
        host: Who says it: the operator's pod.
        monotonic: Returns seconds that only grow.
    """

    cluster: Cluster
    clock: Clock
    host: str
    monotonic: Callable[[], float] = time.monotonic
    _written_at: float = field(default=float("-inf"))

    def status(self, policy: Tree, status: Manifest) -> Tree | None:
        """Write *status* if it is time to.

        Args:
            policy: The MfaPolicy as it was read; it must not have changed since.
            status: What is true of it.

        Returns:
            The MfaPolicy as it stands now, ``None`` where nothing was written.

        Raises:
            ConflictError: It has changed meanwhile.
            UnreachableError: The API server does not answer.
        """
        wanted = spelled(status)
        needed = patience(policy.get("status", {}), wanted)
        now = self.monotonic()
        if needed is None or now - self._written_at < needed:
            return None
        written = self.cluster.replace_status(POLICIES, {**policy, "status": wanted})
        self._written_at = now
        return written

    def events(self, policy: Tree, told: Iterable[Event]) -> None:
        """Say what happened, once. An event that can't be written stands in the log alone."""
        for event in told:
            try:
                namespace = policy["metadata"]["namespace"]
                self.cluster.create(EVENTS, namespace, self._event(policy["metadata"], event))
            except ConflictError:
                # It is there: an operator told it that ended before it could publish the status.
                continue
            except MfaError as error:
                log.warning("An event can't be written: %s", error, extra={"policy": _name_of(policy)})
            level = logging.WARNING if event.warning else logging.INFO
            log.log(level, "%s: %s", event.reason, event.message, extra={"policy": _name_of(policy)})

    def _event(self, metadata: Mapping[str, Any], event: Event) -> Tree:
        moment = self.clock()
        at = f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"
        # The name makes sure that an occasion is told once, whoever tells it.
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
            "reportingInstance": self.host,
        }


def _name_of(policy: Tree) -> str:
    return f"{policy['metadata']['namespace']}/{policy['metadata']['name']}"
