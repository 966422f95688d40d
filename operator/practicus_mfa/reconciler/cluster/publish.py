"""Publishing: the status of an MfaPolicy and the events of a pass, on the API server.

What a person or a machine waits for (a condition) is written at once. Steps and numbers are written every two
seconds, and the date of an idle policy's counts and the end of its audit every few minutes: a write wakes all
who watch. The end of the audit goes to the log too, which is out of reach for the database's owner.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.clock import Clock
from practicus_mfa.core.events import Event
from practicus_mfa.core.status import Manifest
from practicus_mfa.errors import MfaError, RetryableError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import ConflictError
from practicus_mfa.kube.objects import EVENTS, POLICIES, Tree
from practicus_mfa.reconciler.cluster.event_objects import event_object

log = logging.getLogger(__name__)

NUMBERS: Final = 2.0
"""Seconds between two writes where only numbers moved."""

DATES: Final = 300.0
"""Seconds between two writes where only the date of the counts moved, or the end of the audit."""

UNTOLD: Final = 20
"""Events that are kept for an API server that does not answer; of more than that the first are lost."""

_DATES: Final = frozenset({"lastScanTime", "scannedAt", "auditHead"})
_NUMBERS: Final = _DATES | {"message", "total", "enrolled", "active", "rolling", "unknown", "corrupt"}
_STEPS: Final = {"step", "attempt", "jobName", "keyringGeneration"}
_MOVING: Final = _NUMBERS | _STEPS | {"converged", "migrated", "remaining"}


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
        due_in: Seconds until what was held back may be written; ``None`` where nothing was.
    """

    cluster: Cluster
    clock: Clock
    host: str
    monotonic: Callable[[], float] = time.monotonic
    due_in: float | None = field(default=None, init=False)
    _written_at: float = field(default=float("-inf"))
    # Those that the API server did not take yet, as they will be written in the next pass.
    _untold: list[tuple[Tree, Event]] = field(default_factory=list)

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
        self.due_in = None
        if needed is None:
            return None
        if now - self._written_at < needed:
            self.due_in = needed - (now - self._written_at)
            return None
        written = self.cluster.replace_status(POLICIES, {**policy, "status": wanted})
        self._written_at = now
        _tell_head(policy, wanted)
        return written

    def events(self, policy: Tree, told: Iterable[Event]) -> None:
        """Say what happened, once. An event that can't be written stands in the log alone."""
        self._untold += [
            (event_object(policy["metadata"], event, self.clock(), self.host), event) for event in told
        ]
        late, self._untold = self._untold[-UNTOLD:], []
        for body, event in late:
            named = {"policy": _name_of(policy)}
            try:
                self.cluster.create(EVENTS, body["metadata"]["namespace"], body)
            except ConflictError:
                # It is there: told by an operator that ended before it could publish the status.
                continue
            except MfaError as error:
                log.warning("An event can't be written: %s: %s", event.reason, error, extra=named)
                if isinstance(error, RetryableError):
                    self._untold.append((body, event))
                    continue
            level = logging.WARNING if event.warning else logging.INFO
            log.log(level, "%s: %s", event.reason, event.message, extra=named)


def _tell_head(policy: Tree, status: Tree) -> None:
    head = status.get("auditHead")
    if head and head != policy.get("status", {}).get("auditHead"):
        named = {"policy": _name_of(policy)}
        log.info("The audit's head is %s:%s.", head["count"], head["hash"], extra=named)


def _name_of(policy: Tree) -> str:
    return f"{policy['metadata']['namespace']}/{policy['metadata']['name']}"
