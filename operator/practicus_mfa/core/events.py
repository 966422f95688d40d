"""Events: what changed between two published statuses, said once, when it changed.

They are derived from the statuses alone, so a restart repeats none, and a rotation that ran through
between two looks still tells of all its steps. Who is interrupted between telling and publishing tells the
same again: each event says which occasion it is about, so that a second telling can be known as one.
"""

from __future__ import annotations

import json
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

REMOVED_EARLY: Final = "removed from values.yaml too early"
"""What the condition OldKeyRetirable says of such a key; its reason is that of any other that rows need."""


def events(
    before: Manifest,
    after: Manifest,
    work: WorkSeen,
    *,
    failed_before: bool,
    told: Mapping[str, object] | None = None,
) -> tuple[Event, ...]:
    """Return what happened between two statuses.

    Args:
        before: The status as it was published last; empty at the very first time.
        after: The status that is published now.
        work: The workers; a failed attempt is told once.
        failed_before: Whether that failure was there at the last look.
        told: Values of the policy, by path, that who asked for them was named with already.
    """
    return (
        *_rotation(before, after),
        *_conditions(before, after),
        *_removed_early(before, after),
        *_work(work, after, failed_before=failed_before),
        *_policy(before, after, told or {}),
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
    if removed_early(after) and not removed_early(before):
        was, now = _condition(before, "OldKeyRetirable"), _condition(after, "OldKeyRetirable")
        yield Event("OldKeyRemovedEarly", now["message"], warning=True, occasion=_since(was, now))


def removed_early(status: Manifest) -> bool:
    """Whether *status* tells of a rolling key that was removed from values.yaml while rows need it."""
    return REMOVED_EARLY in _condition(status, "OldKeyRetirable").get("message", "")


def _since(was: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return what a change of a condition is called, after what was published of it before."""
    return f"{was.get('lastTransitionTime')} {was.get('reason')} {now.get('message')}"


def _work(work: WorkSeen, after: Manifest, *, failed_before: bool) -> Iterator[Event]:
    if work.state is WorkState.FAILED and not failed_before:
        # A Job is named after its attempt, so whoever looks at it anew tells nothing new.
        told = f"{work.name}: {work.why}"
        yield Event("MigrationJobFailed", told, warning=True, occasion=f"{_this_rotation(after)} {work.name}")


def _policy(before: Manifest, after: Manifest, told: Mapping[str, object]) -> Iterator[Event]:
    if not before.get("effective") or before["effective"] == after.get("effective"):
        return
    changed = changed_values(before, after)
    untold = {path: entry for path, entry in changed.items() if told.get(path) != entry.get("value")}
    if changed and not untold:
        return
    named = ", ".join(f"{path} is {_spelled(entry)}" for path, entry in untold.items())
    message = f"The policy in force changed{f': {named}' if named else ''}."
    edit = f"{before.get('observedGeneration')} {after.get('observedGeneration')}"
    yield Event("PolicyChanged", message, occasion=edit)


def changed_values(before: Manifest, after: Manifest) -> dict[str, Mapping[str, object]]:
    """Return which entries of ``effective`` differ between two statuses, by path, as they are after."""
    was, now = _entries(before), _entries(after)
    return {path: entry for path, entry in now.items() if was.get(path) != entry}


def _entries(manifest: Manifest) -> dict[str, Mapping[str, object]]:
    sections = _mapping(manifest, "effective")
    return {
        f"{section}.{name}": entry
        for section in sections
        for name, entry in _mapping(sections, section).items()
        if isinstance(entry, dict)
    }


def _spelled(entry: Mapping[str, object]) -> str:
    whence = {"override": "by the settings page", "values": "by values.yaml"}
    return f"{json.dumps(entry.get('value'))} {whence.get(str(entry.get('source')), '')}".rstrip()


def change_told(request: str, author: str, what: str) -> Event:
    """Return the event of a change that an administrator asked for.

    Args:
        request: What no other request is called.
        author: Who.
        what: What changed, in words.
    """
    message = f"{author} changed the policy on the settings page: {what}."
    return Event("PolicyChanged", message, occasion=f"request {request}")


def _mapping(manifest: Manifest, name: str) -> Mapping[str, object]:
    found = manifest.get(name)
    return found if isinstance(found, dict) else {}


def _condition(manifest: Manifest, kind: str) -> Mapping[str, str]:
    return next((entry for entry in conditions_of(manifest) if entry["type"] == kind), {})
