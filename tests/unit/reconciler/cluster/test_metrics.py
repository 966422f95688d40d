from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from practicus_mfa.reconciler.cluster.metrics import Metrics
from practicus_mfa.reconciler.cluster.queue import Key

KEY = Key("team", "mfa")
NOW = datetime(2026, 5, 1, 12, 0, 0, 0, UTC)
POLICY = {"namespace": "team", "policy": "mfa"}


def status(**parts: object) -> dict[str, Any]:
    return {
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "x", "message": ""}
        ],
        "users": {"total": 12, "enrolled": 10, "active": 6, "rolling": 4, "unknown": 0, "corrupt": 0},
        "tables": [{"table": "notes", "total": 5, "active": 3, "rolling": 2, "unknown": 0, "corrupt": 0}],
        "readers": {"total": 3, "converged": 2},
        "rotation": {"id": 1, "startedAt": "2026-05-01T11:00:00Z", "migrated": 6},
        "lastScanTime": "2026-05-01T11:59:00Z",
        **parts,
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"practicus_mfa_{name}", labels)


def test_users_are_counted_with_the_rows_of_other_tables(metrics: Metrics) -> None:
    metrics.show(KEY, status(), NOW)
    assert value(metrics, "users", **POLICY, state="enrolled") == 15
    assert value(metrics, "users", **POLICY, state="rolling") == 6
    assert value(metrics, "users_scan_timestamp_seconds", **POLICY) == NOW.timestamp() - 60


def test_a_condition_has_one_status(metrics: Metrics) -> None:
    metrics.show(KEY, status(), NOW)
    found = [
        value(metrics, "condition", **POLICY, type="Ready", status=truth)
        for truth in ("True", "False", "Unknown")
    ]
    assert found == [1, 0, 0]


@pytest.mark.parametrize(
    ("note", "told"), [("", 0), (" Key ab was removed from values.yaml too early; …", 1)]
)
def test_a_key_that_was_removed_too_early_is_told(metrics: Metrics, note: str, told: int) -> None:
    condition = {"type": "OldKeyRetirable", "status": "False", "reason": "RowsRemain"}
    message = f"Rows may still need key ab.{note}"
    metrics.show(KEY, status(conditions=[condition | {"lastTransitionTime": "x", "message": message}]), NOW)
    assert value(metrics, "old_key_removed_early", **POLICY) == told


def test_a_rotation_that_is_over_has_no_start(metrics: Metrics) -> None:
    metrics.show(KEY, status(), NOW)
    assert value(metrics, "rotation_start_timestamp_seconds", **POLICY) == NOW.timestamp() - 3600
    rotation = {"id": 1, "startedAt": "2026-05-01T11:00:00Z", "completedAt": "2026-05-01T12:00:00Z"}
    metrics.show(KEY, status(rotation=rotation), NOW)
    assert value(metrics, "rotation_start_timestamp_seconds", **POLICY) == 0


def test_rows_are_counted_from_where_the_process_began(metrics: Metrics) -> None:
    metrics.show(KEY, status(), NOW)
    assert value(metrics, "rows_reencrypted_total", **POLICY) == 0
    metrics.show(KEY, status(rotation={"id": 1, "migrated": 10}), NOW)
    assert value(metrics, "rows_reencrypted_total", **POLICY) == 4
    metrics.show(KEY, status(rotation={"id": 2, "migrated": 3}), NOW)
    assert value(metrics, "rows_reencrypted_total", **POLICY) == 7


def test_skipped_rows_are_counted_when_they_are_found(metrics: Metrics) -> None:
    metrics.show(KEY, status(), NOW)
    metrics.show(KEY, status(users={"enrolled": 10, "unknown": 2, "corrupt": 1}), NOW)
    metrics.show(KEY, status(users={"enrolled": 10, "unknown": 1, "corrupt": 1}), NOW)
    assert value(metrics, "rows_skipped_total", **POLICY, reason="unknown") == 2
    assert value(metrics, "rows_skipped_total", **POLICY, reason="corrupt") == 1


def test_a_policy_of_which_nothing_is_known_yet_has_conditions_alone(metrics: Metrics) -> None:
    metrics.show(KEY, {"conditions": status()["conditions"]}, NOW)
    assert value(metrics, "condition", **POLICY, type="Ready", status="True") == 1
    assert value(metrics, "users", **POLICY, state="enrolled") is None


def test_a_policy_that_is_gone_leaves_nothing(metrics: Metrics) -> None:
    metrics.show(KEY, status(), NOW)
    metrics.forget(KEY)
    named = [
        sample
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.labels.get("policy")
    ]
    assert named == []


def test_passes_are_counted_by_result(metrics: Metrics) -> None:
    metrics.ended("success", 0.2)
    assert value(metrics, "reconcile_total", result="success") == 1
    assert value(metrics, "reconcile_total", result="error") == 0
    assert value(metrics, "reconcile_duration_seconds_count") == 1


def test_the_reference_names_every_metric_and_no_other(metrics: Metrics) -> None:
    reference = (Path(__file__).parents[4] / "docs" / "reference" / "metrics.md").read_text("utf-8")
    operators = reference.partition("## The operator")[2].partition("## The login service")[0]
    named = set(re.findall(r"^\| `(practicus_mfa_\w+)`", operators, re.MULTILINE))
    counters = {f"{each.name}_total" for each in metrics.registry.collect() if each.type == "counter"}
    others = {each.name for each in metrics.registry.collect() if each.type != "counter"}
    assert named == counters | others
