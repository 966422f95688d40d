"""When each alert fires: Prometheus' own program is given made-up series, and asked."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.chart.test_monitoring import ALERTS, rules
from tests.support.chart import Helm
from tests.support.cluster import ways
from tests.support.unavailable import without

POLICY: Final = 'namespace="login", policy="practicus-mfa"'
MINUTES: Final = 300
STILL: Final = f"0x{MINUTES}"
CLOCK: Final = f"0+60x{MINUTES}"
"""A time that is always now: the first sample is at 1970, one follows each minute."""
STOPPED: Final = f"0+60x10 600x{MINUTES - 10}"
GONE: Final = f"0+60x10 _x{MINUTES - 10}"

SUCCESS: Final = f"practicus_mfa_reconcile_last_success_timestamp_seconds{{{POLICY}}}"
SCAN: Final = f"practicus_mfa_users_scan_timestamp_seconds{{{POLICY}}}"
START: Final = f"practicus_mfa_rotation_start_timestamp_seconds{{{POLICY}}}"
MOVED: Final = f"practicus_mfa_rows_reencrypted_total{{{POLICY}}}"
EARLY: Final = f"practicus_mfa_old_key_removed_early{{{POLICY}}}"
LOGGED_IN: Final = 'practicus_mfa_login_total{namespace="login", pod="a", result="success"}'
FAILED: Final = 'practicus_mfa_login_total{namespace="login", pod="a", result="error"}'
ASKED: Final = 'practicus_mfa_verify_duration_seconds_count{namespace="login", pod="a"}'
UNANSWERED: Final = 'practicus_mfa_verify_unavailable_total{namespace="login", pod="a"}'


def rows(state: str) -> str:
    return f'practicus_mfa_users{{{POLICY}, state="{state}"}}'


def readers(state: str) -> str:
    return f'practicus_mfa_readers{{{POLICY}, state="{state}"}}'


def condition(kind: str, status: str) -> str:
    return f'practicus_mfa_condition{{{POLICY}, type="{kind}", status="{status}"}}'


ALL_IS_WELL: Final = {
    SUCCESS: CLOCK,
    SCAN: CLOCK,
    START: STILL,
    MOVED: STILL,
    EARLY: STILL,
    rows("unknown"): STILL,
    rows("corrupt"): STILL,
    rows("rolling"): f"9x{MINUTES}",
    readers("converged"): f"2x{MINUTES}",
    readers("waiting"): STILL,
    condition("DatabaseReachable", "False"): STILL,
    condition("ReadersConverged", "False"): STILL,
    condition("Stalled", "True"): STILL,
    LOGGED_IN: CLOCK,
    FAILED: STILL,
    ASKED: CLOCK,
    UNANSWERED: STILL,
}

CASES: Final[dict[str, tuple[dict[str, str], set[str]]]] = {
    "all is well": ({}, set()),
    "nobody logs in": ({LOGGED_IN: STILL}, set()),
    "no operator": (
        {name: GONE for name in ALL_IS_WELL if POLICY in name},
        {"MfaOperatorAbsent"},
    ),
    "no pass ends": ({SUCCESS: STOPPED}, {"MfaReconcileStale"}),
    "a standby shows an older look": (
        {SUCCESS.replace("}", ', pod="standby"}'): STOPPED, SCAN.replace("}", ', pod="standby"}'): STOPPED},
        set(),
    ),
    "nothing is counted": ({SCAN: STOPPED}, {"MfaScanStale"}),
    "the database is away": ({condition("DatabaseReachable", "False"): f"1x{MINUTES}"}, {"MfaScanStale"}),
    "a rotation moves no row": ({START: f"600x{MINUTES}"}, {"MfaRotationStalled"}),
    "a long rotation moves rows": ({START: f"600x{MINUTES}", MOVED: CLOCK}, set()),
    "a rotation has just begun": ({START: f"{MINUTES * 60 - 1800}x{MINUTES}"}, set()),
    "a person is needed": ({condition("Stalled", "True"): f"1x{MINUTES}"}, {"MfaRotationStalled"}),
    "an unknown key": ({rows("unknown"): f"1x{MINUTES}"}, {"MfaUnknownKeyRows"}),
    "a corrupt row": ({rows("corrupt"): f"1x{MINUTES}"}, {"MfaCorruptRows"}),
    "a reader lags": ({condition("ReadersConverged", "False"): f"1x{MINUTES}"}, {"MfaReadersNotConverged"}),
    "a reader lags for a moment": (
        {condition("ReadersConverged", "False"): f"{STILL.removesuffix(str(MINUTES))}295 1x5"},
        set(),
    ),
    "the old key was removed early": ({EARLY: f"1x{MINUTES}"}, {"MfaOldKeyRemovedEarly"}),
    "no replica is ready": ({readers("converged"): STILL}, {"MfaLoginAbsent"}),
    "every replica lags": ({readers("converged"): STILL, readers("waiting"): f"2x{MINUTES}"}, set()),
    "log-ins fail": ({FAILED: f"0+6x{MINUTES}"}, {"MfaLoginErrorsHigh"}),
    "proxies are told nothing": ({UNANSWERED: f"0+6x{MINUTES}"}, {"MfaLoginErrorsHigh"}),
    "few of many questions go unanswered": ({UNANSWERED: f"0+2x{MINUTES}"}, set()),
    "both": ({FAILED: f"0+6x{MINUTES}", UNANSWERED: f"0+9x{MINUTES}"}, {"MfaLoginErrorsHigh"}),
    "few of many log-ins fail": ({FAILED: f"0+2x{MINUTES}"}, set()),
    "one of two log-ins fails": ({LOGGED_IN: f"0+0.1x{MINUTES}", FAILED: f"0+0.1x{MINUTES}"}, set()),
}
"""What differs from all being well, and which alerts fire."""


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return ways.find("promtool")
    except ways.NoClusterError as error:
        without(error)


def test_each_alert_fires_when_it_should_and_no_other_does(
    promtool: Path, helm3: Helm, tmp_path: Path
) -> None:
    assert {alert for _, fire in CASES.values() for alert in fire} == set(ALERTS)
    groups = {"groups": [{"name": "practicus-mfa", "rules": rules(helm3)}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups), "utf-8")
    asked = 'count by (alertname) (ALERTS{alertstate="firing"})'
    tests = [
        {
            "name": name,
            "interval": "1m",
            "input_series": [
                {"series": series, "values": values} for series, values in (ALL_IS_WELL | changes).items()
            ],
            "promql_expr_test": [
                {
                    "expr": asked,
                    "eval_time": f"{MINUTES}m",
                    "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in fire],
                }
            ],
        }
        for name, (changes, fire) in CASES.items()
    ]
    told = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(told), "utf-8")
    for arguments in (["check", "rules", "--lint-fatal", "rules.yaml"], ["test", "rules", "tests.yaml"]):
        done = subprocess.run(
            [promtool, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
