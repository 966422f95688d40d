"""What a published status says to those who read it alone: whether it is current, and how things stand.

A status is true of the generation that it names, and of the moment of its last scan. Who waits for a change
of the spec must not take the old ``Ready`` for the new one (kstatus has it so).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from practicus_mfa.core.conditions import UNREACHABLE
from practicus_mfa.core.status import Manifest, conditions_of

SILENCE: Final = timedelta(minutes=15)
"""An operator that runs publishes a scan every 5 minutes, unless the database is out of reach."""


class Standing(StrEnum):
    """How things stand for the spec as it is now."""

    READY = "ready"
    NEEDS_PERSON = "needs person"
    UNDER_WAY = "under way"


def standing(status: Manifest, generation: int) -> Standing:
    """Return how things stand for *generation*; conditions that were found for an older one don't count."""
    found = {each["type"]: each for each in conditions_of(status) if _is_of(each, generation)}
    if _is(found, "Ready", "True"):
        return Standing.READY
    return Standing.NEEDS_PERSON if _is(found, "Stalled", "True") else Standing.UNDER_WAY


def database_unreachable(status: Manifest) -> bool:
    """Whether the database was out of reach."""
    return any(
        each["type"] == "DatabaseReachable" and each["reason"] == UNREACHABLE
        for each in conditions_of(status)
    )


def doubts(status: Manifest, generation: int, now: datetime) -> tuple[str, ...]:
    """Return why *status* may not be true now, a sentence each; none where it is current.

    Args:
        status: As it was published; empty where nobody has published one.
        generation: The MfaPolicy's ``metadata.generation``.
        now: The time.
    """
    if not status:
        return ("there is no status yet: the operator has not seen the policy",)
    found = []
    if status.get("observedGeneration") != generation:
        found.append(f"generation {generation} of the spec was not yet seen by the operator")
    # A database out of reach, or a policy that can't be used, is not scanned however well the operator is.
    scanned = any(
        each["type"] == "DatabaseReachable" and each["status"] == "True" for each in conditions_of(status)
    )
    at = _moment(status.get("lastScanTime"))
    if scanned and at is not None and now - at > SILENCE:
        minutes = int(SILENCE.total_seconds()) // 60
        found.append(f"no scan for more than {minutes} minutes: the operator may be down")
    return tuple(found)


def _is(found: Mapping[str, Mapping[str, str]], kind: str, status: str) -> bool:
    return kind in found and found[kind]["status"] == status


def _is_of(condition: Mapping[str, object], generation: int) -> bool:
    return condition.get("observedGeneration") == generation


def _moment(text: object) -> datetime | None:
    """Return a time as Kubernetes writes it, ``None`` where there is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
