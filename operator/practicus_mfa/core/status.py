"""The status of an MfaPolicy, as a manifest: what is published, every time anew, from one snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from practicus_mfa.core.conditions import Condition, conditions, misconfigured
from practicus_mfa.core.decide import Plan
from practicus_mfa.core.observed import Counts, DatabaseSeen, Observed, RotationSeen
from practicus_mfa.core.plan import Step
from practicus_mfa.core.situation import Situation

Manifest = Mapping[str, object]
"""Plain values as YAML and JSON have them."""


def status(seen: Observed, plan: Plan, *, before: Manifest, effective: Manifest, work: str = "") -> Manifest:
    """Return the whole status.

    Args:
        seen: The snapshot that *plan* was made from.
        plan: What was decided.
        before: The status as last published: it dates conditions that did not change, and keeps the
            numbers of a database that is out of reach (dated by ``lastScanTime``).
        effective: The values of ``mfa`` and ``rememberMe`` in force, with their sources.
        work: The name of the workers' Job, or of the local processes.
    """
    head: dict[str, object] = {
        "observedGeneration": seen.generation,
        "conditions": _dated(conditions(seen, plan), before, seen.generation, seen.now),
        "effective": effective,
    }
    if not isinstance(seen.database, DatabaseSeen):
        return {**before, **head}
    s = Situation(seen, seen.database)
    rotation = s.rotation or (s.database.history[0] if s.database.history else None)
    return {
        **head,
        "activeKeyID": s.write_key or "",
        "rollingKeyID": s.wanted.rolling or "",
        "lastScanTime": instant(s.counts.counted_at),
        "keyringGeneration": s.keyring.generation if s.keyring else 0,
        "rolling": sum(counts.awaiting(s.write_key) for counts in (s.counts, *s.table_counts.values())),
        "users": {"total": s.database.users, "enrolled": s.counts.total, **_by_state(s.counts, s)},
        "tables": [
            {
                "table": name,
                "total": counts.total,
                **_by_state(counts, s),
                "scannedAt": instant(counts.counted_at),
            }
            for name, counts in sorted(s.table_counts.items())
        ],
        "readers": {
            "total": len(s.database.readers),
            "converged": len(s.database.readers) - len(s.lagging),
        },
        "rotation": _rotation(rotation, plan.step, s, work) if rotation else {},
        "history": [_past(past) for past in s.database.history],
        "auditHead": {"count": s.database.audit_head.count, "hash": s.database.audit_head.hash.hex()},
    }


def instant(moment: datetime) -> str:
    """Return *moment* as Kubernetes writes it (RFC 3339, seconds, UTC)."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _by_state(counts: Counts, s: Situation) -> Manifest:
    return {
        "active": counts.under(s.write_key),
        "rolling": counts.awaiting(s.write_key),
        "unknown": counts.unknown,
        "corrupt": counts.corrupt,
    }


def _rotation(rotation: RotationSeen, step: Step, s: Situation, work: str) -> Manifest:
    over = rotation.completed_at is not None
    return {
        "id": rotation.id,
        "step": str(_reached(rotation, step, s)),
        "startedAt": instant(rotation.started_at),
        "completedAt": instant(rotation.completed_at) if rotation.completed_at else None,
        "attempt": rotation.attempt,
        "migrated": rotation.migrated,
        "remaining": s.counts.awaiting(s.write_key if over else rotation.to_key),
        "jobName": "" if over else work,
    }


def _reached(rotation: RotationSeen, step: Step, s: Situation) -> Step:
    """Return the step to show: at least what the rotation's facts prove, whatever a pass does in between."""
    # One that was given up (its key was lost, or a backup restored) ended without retiring the old key.
    given_up = rotation.from_key not in s.database.retired_keys | {None, rotation.to_key}
    if rotation.completed_at and not given_up:
        return Step.COMPLETE
    proved = Step.STAGE
    if rotation.retired_at:
        proved = Step.RETIRE
    elif rotation.promoted_at or rotation.passes:
        proved = Step.MIGRATE
    return proved if rotation.completed_at else max(proved, step, key=tuple(Step).index)


def _past(rotation: RotationSeen) -> Manifest:
    return {
        "id": rotation.id,
        "activeKeyID": rotation.to_key,
        "startedAt": instant(rotation.started_at),
        "completedAt": instant(rotation.completed_at) if rotation.completed_at else None,
        "migrated": rotation.migrated,
        "attempt": rotation.attempt,
    }


def misconfigured_status(message: str, *, before: Manifest, generation: int, now: datetime) -> Manifest:
    """Return the status of a policy that no pass can be made for; numbers stay as they were, dated.

    Args:
        message: What is wrong and what to do about it.
        before: The status as last published.
        generation: The MfaPolicy's ``metadata.generation``.
        now: The time.
    """
    found = _dated(misconfigured(message), before, generation, now)
    return {**before, "observedGeneration": generation, "conditions": found}


def _dated(found: Iterable[Condition], before: Manifest, generation: int, now: datetime) -> list[Manifest]:
    """Return the conditions as manifests; one whose status did not change keeps its date."""
    earlier = {old["type"]: old for old in conditions_of(before)}
    dated: list[Manifest] = []
    for condition in found:
        old = earlier.get(condition.type)
        kept = old["lastTransitionTime"] if old and old["status"] == condition.status else None
        dated.append(
            {
                "type": condition.type,
                "status": str(condition.status),
                "reason": str(condition.reason),
                "message": condition.message,
                "observedGeneration": generation,
                "lastTransitionTime": kept or instant(now),
            }
        )
    return dated


def conditions_of(manifest: Manifest) -> tuple[Mapping[str, str], ...]:
    """Return the conditions of a published status, none where it is empty or damaged."""
    found = manifest.get("conditions")
    if not isinstance(found, list):
        return ()
    wanted = {"type", "status", "reason", "lastTransitionTime"}
    return tuple(entry for entry in found if isinstance(entry, dict) and wanted <= entry.keys())


def sound_status(found: object) -> Manifest:
    """Return *found*, read back from where a status is published; nothing where what a pass reads is damaged.

    A damaged status need not be mended: the next pass publishes it anew.
    """
    if not isinstance(found, dict):
        return {}
    rotation = found.get("rotation")
    counts = (
        [rotation.get(name, 0) for name in ("migrated", "remaining")] if isinstance(rotation, dict) else []
    )
    sound = all(isinstance(count, int) for count in counts) and all(
        isinstance(value, str) for entry in conditions_of(found) for value in (entry["type"], entry["status"])
    )
    return found if sound else {}
