"""Events: what changed between two published statuses, said once, when it changed.

They are derived from the statuses alone, so a restart repeats none, and a rotation that ran through
between two looks still tells of all its steps. Who is interrupted between telling and publishing tells the
same again: each event says which occasion it is about, so that a second telling can be known as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.core.observed import WorkSeen, WorkState
from practicus_mfa.core.plan import Step
from practicus_mfa.core.sentences import rows
from practicus_mfa.core.status import Manifest, conditions_of


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for people: a Kubernetes Event, or a line on a terminal.

    Attributes:
        reason: What, in one word.
        message: What, in a sentence.
        warning: Somebody should look at it.
        occasion: With the reason, the same whenever the same is told again, and never otherwise.
    """

    reason: str
    message: str
    warning: bool = False
    occasion: str = field(default="", compare=False)


ORDER: Final = tuple(Step)
REACHED: Final = (
    (Step.PROMOTE, "ReadersConverged", "Every reader can read with the keys in use."),
    (Step.RETIRE, "MigrationCompleted", "Every row that can be read is under the active key."),
    (Step.COMPLETE, "OldKeyRetired", "No row needs an older key; the database refuses them."),
)
"""What is said when a rotation reaches a step, or is found beyond it."""


def events(before: Manifest, after: Manifest, work: WorkSeen, *, failed_before: bool) -> tuple[Event, ...]:
    """Return what happened between two statuses.

    Args:
        before: The status as it was published last; empty at the very first time.
        after: The status that is published now.
        work: The workers; a failed attempt is told once.
        failed_before: Whether that failure was there at the last look.
    """
    return (
        *_rotation(before, after),
        *_conditions(before, after),
        *_removed_early(before, after),
        *_work(work, after, failed_before=failed_before),
        *_policy(before, after),
    )


def _rotation(before: Manifest, after: Manifest) -> Iterator[Event]:
    rotation, was = _mapping(after, "rotation"), _mapping(before, "rotation")
    number = rotation.get("id")
    if number is None:
        return
    same, this = was.get("id") == number, _this_rotation(after)
    if not same:
        yield Event("RotationStarted", f"Rotation {number} began.", occasion=this)
    active = after.get("activeKeyID")
    if active != before.get("activeKeyID") and before.get("activeKeyID"):
        yield Event("KeyPromoted", f"Key {active} is the active key now.", occasion=f"{this} {active}")
    from_step = _place(was.get("step")) if same else -1
    to_step = _place(rotation.get("step"))
    for step, reason, message in REACHED:
        if from_step < _place(step) <= to_step:
            count = f" {_migrated(rotation)}" if reason == "MigrationCompleted" else ""
            yield Event(reason, f"Rotation {number}: {message}{count}", occasion=this)


def _this_rotation(manifest: Manifest) -> str:
    """Return what no other rotation is called: another database counts them from 1 again."""
    rotation = _mapping(manifest, "rotation")
    return f"{rotation.get('id')} {rotation.get('startedAt')}"


def _migrated(rotation: Mapping[str, object]) -> str:
    count = rotation.get("migrated")
    return f"{rows(count if isinstance(count, int) else 0, 'was', 'were')} re-encrypted."


def _place(step: object) -> int:
    """Return how far a step is in a rotation; before all of them where it is none."""
    return ORDER.index(Step(step)) if isinstance(step, str) and step in ORDER else -1


def _conditions(before: Manifest, after: Manifest) -> Iterator[Event]:
    told_as = {"UnknownKey": "UnknownKeyFound", "CorruptRows": "CorruptRowsFound"}
    was, now = _condition(before, "DataUpToDate"), _condition(after, "DataUpToDate")
    reason = now.get("reason", "")
    if reason in told_as and was.get("reason") != reason:
        yield Event(told_as[reason], now["message"], warning=True, occasion=_since(was, now))


def _removed_early(before: Manifest, after: Manifest) -> Iterator[Event]:
    marker = "removed from values.yaml too early"
    was, now = _condition(before, "OldKeyRetirable"), _condition(after, "OldKeyRetirable")
    message = now.get("message", "")
    if marker in message and marker not in was.get("message", ""):
        yield Event("OldKeyRemovedEarly", message, warning=True, occasion=_since(was, now))


def _since(was: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return what a change of a condition is called, after what was published of it before."""
    return f"{was.get('lastTransitionTime')} {was.get('reason')} {now.get('message')}"


def _work(work: WorkSeen, after: Manifest, *, failed_before: bool) -> Iterator[Event]:
    if work.state is WorkState.FAILED and not failed_before:
        # A Job is named after its attempt, so whoever looks at it anew tells nothing new.
        told = f"{work.name}: {work.why}"
        yield Event("MigrationJobFailed", told, warning=True, occasion=f"{_this_rotation(after)} {work.name}")


def _policy(before: Manifest, after: Manifest) -> Iterator[Event]:
    if before.get("effective") and before["effective"] != after.get("effective"):
        edit = f"{before.get('observedGeneration')} {after.get('observedGeneration')}"
        yield Event("PolicyChanged", "The policy in force changed.", occasion=edit)


def _mapping(manifest: Manifest, name: str) -> Mapping[str, object]:
    found = manifest.get(name)
    return found if isinstance(found, dict) else {}


def _condition(manifest: Manifest, kind: str) -> Mapping[str, str]:
    return next((entry for entry in conditions_of(manifest) if entry["type"] == kind), {})
