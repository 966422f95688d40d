"""What the operator tells Prometheus. No user, no key ID and no message is ever a label.

Gauges stand for one policy each and go when it goes; counters belong to the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from practicus_mfa import __version__
from practicus_mfa.core.events import removed_early
from practicus_mfa.core.status import Manifest, conditions_of
from practicus_mfa.reconciler.cluster.queue import Key

PREFIX: Final = "practicus_mfa"
POLICY: Final = ("namespace", "policy")

STATES: Final = ("enrolled", "active", "rolling", "unknown", "corrupt")
TRUTHS: Final = ("True", "False", "Unknown")

PASS_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper bounds of the histogram's buckets."""


# When a counter began is a series more for each, and nothing asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class _Counted:
    """What one rotation has come to, as far as the counters know."""

    rotation: object = None
    migrated: int = 0
    skipped: dict[str, int] = field(default_factory=dict)


class Metrics:
    """The operator's metrics, in a registry of their own."""

    def __init__(self) -> None:
        """Begin with no policy."""
        self.registry: Final = CollectorRegistry()
        self._users = self._gauge("users", "Users with MFA, by the state of their token.", "state")
        self._scanned = self._gauge("users_scan_timestamp_seconds", "When users were counted.")
        self._readers = self._gauge("readers", "Log-in replicas that hold a lease.", "state")
        self._condition = self._gauge("condition", "1 for the status that a condition has.", "type", "status")
        self._removed_early = self._gauge(
            "old_key_removed_early", "1 while rows need a key that values.yaml no longer names."
        )
        self._started = self._gauge(
            "rotation_start_timestamp_seconds", "When the rotation under way began, 0 for none."
        )
        self._succeeded = self._gauge(
            "reconcile_last_success_timestamp_seconds", "When a pass last came to its end."
        )
        self._passes = Counter(
            f"{PREFIX}_reconcile", "Passes by result.", ("result",), registry=self.registry
        )
        self._seconds = Histogram(
            f"{PREFIX}_reconcile_duration_seconds",
            "How long a pass took.",
            buckets=PASS_SECONDS,
            registry=self.registry,
        )
        self._rows = self._counter("rows_reencrypted", "Rows brought under the active key.")
        self._skipped = self._counter("rows_skipped", "Rows that no known key opens.", "reason")
        info = Gauge(f"{PREFIX}_build_info", "Which program this is.", ("version",), registry=self.registry)
        info.labels(__version__).set(1)
        for result in ("success", "retry", "error"):
            self._passes.labels(result)
        self._counted: dict[Key, _Counted] = {}

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, (*POLICY, *labels), registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, (*POLICY, *labels), registry=self.registry)

    def ended(self, result: str, seconds: float) -> None:
        """Count a pass: ``success``, ``retry`` (something was out of reach) or ``error`` (our mistake)."""
        self._passes.labels(result).inc()
        self._seconds.observe(seconds)

    def show(self, key: Key, status: Manifest, now: datetime) -> None:
        """Show what a pass over *key* found."""
        self._succeeded.labels(*key).set(now.timestamp())
        for condition in conditions_of(status):
            for truth in TRUTHS:
                self._condition.labels(*key, condition["type"], truth).set(condition["status"] == truth)
        users = _section(status, "users")
        if not users:
            return
        self._removed_early.labels(*key).set(removed_early(status))
        for state in STATES:
            self._users.labels(*key, state).set(_whole(users, state) + _of_tables(status, state))
        self._scanned.labels(*key).set(_seconds(status.get("lastScanTime")))
        readers = _section(status, "readers")
        self._readers.labels(*key, "converged").set(_whole(readers, "converged"))
        self._readers.labels(*key, "waiting").set(_whole(readers, "total") - _whole(readers, "converged"))
        self._show_rotation(key, _section(status, "rotation"), users)

    def _show_rotation(self, key: Key, rotation: Mapping[str, Any], users: Mapping[str, Any]) -> None:
        over = not rotation or rotation.get("completedAt")
        self._started.labels(*key).set(0 if over else _seconds(rotation.get("startedAt")))
        counted = self._counted.get(key)
        if counted is None:
            # What was there before this process began is not its own work.
            skipped = {reason: _whole(users, reason) for reason in ("unknown", "corrupt")}
            self._counted[key] = _Counted(rotation.get("id"), _whole(rotation, "migrated"), skipped)
            self._rows.labels(*key).inc(0)
            return
        if counted.rotation != rotation.get("id"):
            counted.rotation, counted.migrated = rotation.get("id"), 0
        self._rows.labels(*key).inc(max(0, _whole(rotation, "migrated") - counted.migrated))
        counted.migrated = _whole(rotation, "migrated")
        for reason in ("unknown", "corrupt"):
            found = _whole(users, reason)
            self._skipped.labels(*key, reason).inc(max(0, found - counted.skipped.get(reason, 0)))
            counted.skipped[reason] = found

    def forget(self, key: Key) -> None:
        """Drop everything that names *key*."""
        self._counted.pop(key, None)
        labels = dict(zip(POLICY, key, strict=True))
        for metric in self._of_policies():
            metric.remove_by_labels(labels)

    def _of_policies(self) -> Iterable[Gauge | Counter]:
        return (
            self._users,
            self._scanned,
            self._readers,
            self._condition,
            self._removed_early,
            self._started,
            self._succeeded,
            self._rows,
            self._skipped,
        )


def _of_tables(status: Manifest, state: str) -> int:
    """Return the rows of other applications' tables in that state; they count as ours do."""
    tables = status.get("tables")
    name = "total" if state == "enrolled" else state
    return sum(_whole(table, name) for table in tables) if isinstance(tables, list) else 0


def _section(status: Manifest, name: str) -> Mapping[str, Any]:
    found = status.get(name)
    return found if isinstance(found, Mapping) else {}


def _whole(section: Mapping[str, Any], name: str) -> int:
    value = section.get(name, 0)
    return value if isinstance(value, int) else 0


def _seconds(instant: object) -> float:
    """Return seconds since 1970 of an instant as the status spells it, 0 for none."""
    return datetime.fromisoformat(instant).timestamp() if isinstance(instant, str) and instant else 0.0
