"""What a log-in replica tells Prometheus."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import generate_latest

from practicus_mfa.web.metrics import LOGIN_RESULTS, VERIFY_SECONDS, LoginMetrics


def lines(metrics: LoginMetrics) -> list[str]:
    return generate_latest(metrics.registry).decode().splitlines()


def test_results_are_there_before_they_happen() -> None:
    found = lines(LoginMetrics())
    assert 'practicus_mfa_login_total{result="clock_skew"} 0.0' in found
    assert 'practicus_mfa_enrollments_total{result="success"} 0.0' in found
    assert any(line.startswith('practicus_mfa_build_info{version="') for line in found)


def test_what_happens_is_counted() -> None:
    metrics = LoginMetrics()
    metrics.login("success")
    metrics.enrolment("wrong_code")
    metrics.login_seconds(0.03)
    metrics.verify_unavailable()
    found = lines(metrics)
    assert 'practicus_mfa_login_total{result="success"} 1.0' in found
    assert 'practicus_mfa_enrollments_total{result="wrong_code"} 1.0' in found
    assert "practicus_mfa_verify_unavailable_total 1.0" in found
    assert 'practicus_mfa_login_duration_seconds_bucket{le="0.05"} 1.0' in found
    assert 'practicus_mfa_login_duration_seconds_bucket{le="0.025"} 0.0' in found


def test_durations_of_forward_auth_make_a_histogram() -> None:
    metrics = LoginMetrics()
    for seconds in (VERIFY_SECONDS[0], 0.0002, 0.0002, 7.0):
        metrics.verify_seconds(seconds)
    name = "practicus_mfa_verify_duration_seconds"
    found = lines(metrics)
    assert f"# TYPE {name} histogram" in found
    assert [line for line in found if line.startswith((f"{name}_bucket", f"{name}_count"))] == [
        f'{name}_bucket{{le="5e-05"}} 1.0',
        f'{name}_bucket{{le="0.0001"}} 1.0',
        f'{name}_bucket{{le="0.00025"}} 3.0',
        f'{name}_bucket{{le="0.0005"}} 3.0',
        f'{name}_bucket{{le="0.001"}} 3.0',
        f'{name}_bucket{{le="0.0025"}} 3.0',
        f'{name}_bucket{{le="0.005"}} 3.0',
        f'{name}_bucket{{le="0.01"}} 3.0',
        f'{name}_bucket{{le="0.025"}} 3.0',
        f'{name}_bucket{{le="0.1"}} 3.0',
        f'{name}_bucket{{le="1"}} 3.0',
        f'{name}_bucket{{le="+Inf"}} 4.0',
        f"{name}_count 4.0",
    ]
    total = next(line for line in found if line.startswith(f"{name}_sum"))
    assert float(total.split()[1]) == VERIFY_SECONDS[0] + 0.0004 + 7.0


def test_the_reference_names_every_metric_and_no_other() -> None:
    reference = (Path(__file__).parents[3] / "docs" / "reference" / "metrics.md").read_text("utf-8")
    ours = reference.partition("## The login service")[2].partition("## Useful questions")[0]
    named = set(re.findall(r"^\| `(practicus_mfa_\w+)`", ours, re.MULTILINE))
    collected = list(LoginMetrics().registry.collect())
    counters = {f"{each.name}_total" for each in collected if each.type == "counter"}
    assert named == counters | {each.name for each in collected if each.type != "counter"}
    assert re.findall(r"^\| `([a-z_]+)` \|", ours, re.MULTILINE)[-len(LOGIN_RESULTS) :] == [*LOGIN_RESULTS]
