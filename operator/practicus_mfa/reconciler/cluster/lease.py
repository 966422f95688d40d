"""The lease that says which operator leads, and what to do about it. Pure: no clock, no API server.

::

            free, given back, or unchanged for its duration
    WAIT ------------------------------------------------------> TAKE
     ^                                                             | written first
     | somebody else wrote first                                   v
     +---------------------- a conflict ------------------------ RENEW (every RENEW_SECONDS)

Times that others wrote are never compared with a clock of ours: clocks differ. Each observer measures on its
own clock for how long it has seen the same record, as client-go does (leaderelection).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from practicus_mfa.kube.objects import LEASES, Tree

DURATION_SECONDS: Final = 15
"""For so long a record must stand unchanged before somebody else may take the lease."""

RENEW_SECONDS: Final = 5.0
"""The holder writes the record that often."""

DEADLINE_SECONDS: Final = 10.0
"""A holder that couldn't renew for so long no longer leads: well before anybody else may begin."""

LOOK_SECONDS: Final = 2.0
"""Who waits looks that often."""


class Step(Enum):
    """What to do about the lease."""

    TAKE = "take"
    RENEW = "renew"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a Lease says (coordination.k8s.io/v1).

    Attributes:
        holder: Who holds it, empty where it was given back.
        renewed: When the holder says it has renewed it; only compared for being the same.
        duration: Seconds, in the holder's word.
        transitions: How often it went to another holder.
    """

    holder: str
    renewed: str
    duration: float
    transitions: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """A record, and since when it has been seen unchanged.

    Attributes:
        record: The record.
        since: Seconds of the observer's own monotonic clock.
    """

    record: Record
    since: float


def record_of(lease: Tree) -> Record:
    """Return what the Lease says. What is missing or of a wrong type is as if it was never written."""
    spec = lease.get("spec")
    said: Tree = spec if isinstance(spec, dict) else {}
    duration = said.get("leaseDurationSeconds")
    transitions = said.get("leaseTransitions")
    return Record(
        holder=str(said.get("holderIdentity") or ""),
        renewed=str(said.get("renewTime") or ""),
        duration=float(duration) if isinstance(duration, int) and duration > 0 else float(DURATION_SECONDS),
        transitions=transitions if isinstance(transitions, int) else 0,
    )


def sighted(before: Sighting | None, record: Record, now: float) -> Sighting:
    """Return the sighting of *record* at *now*, which goes on where it is the same as before."""
    return before if before is not None and before.record == record else Sighting(record, now)


def step(sighting: Sighting | None, identity: str, now: float) -> Step:
    """Return what to do.

    Args:
        sighting: The lease; ``None`` where there is none.
        identity: Who asks.
        now: Seconds of the clock of the sighting.
    """
    if sighting is None or not sighting.record.holder:
        return Step.TAKE
    if sighting.record.holder == identity:
        return Step.RENEW
    return Step.TAKE if now - sighting.since >= sighting.record.duration else Step.WAIT


def written(lease: Tree | None, *, namespace: str, name: str, holder: str, now: datetime) -> Tree:
    """Return the Lease as *holder* writes it, everything else in it kept.

    Args:
        lease: As it was read; ``None`` to create it.
        namespace: Where it lives.
        name: Its name.
        holder: Who takes or renews it, empty to give it back.
        now: The time of day, for people who look at it.
    """
    # MicroTime: RFC 3339 with six digits.
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if lease is None:
        lease = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": name, "namespace": namespace},
        }
    before = record_of(lease)
    spec = {**(lease.get("spec") or {}), "holderIdentity": holder, "renewTime": stamp}
    spec["leaseDurationSeconds"] = DURATION_SECONDS
    if holder and holder != before.holder:
        spec["acquireTime"] = stamp
        # Counts the holders after the first.
        spec["leaseTransitions"] = before.transitions + (1 if "renewTime" in (lease.get("spec") or {}) else 0)
    return {**lease, "spec": spec}
