"""What is scraped, what is alerted on, and what a dashboard shows: by metrics that exist."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from practicus_mfa.core.status import misconfigured_status
from practicus_mfa.reconciler.cluster.metrics import Metrics
from practicus_mfa.reconciler.cluster.queue import Key
from practicus_mfa.web.metrics import LoginMetrics
from tests.chart.test_login import LEAST
from tests.support.chart import NAMESPACE, Helm, Tree, of_kind

RUNBOOKS: Final = Path(__file__).parents[2] / "docs" / "runbooks"
ALERTS: Final = [
    "MfaOperatorAbsent",
    "MfaReconcileStale",
    "MfaScanStale",
    "MfaRotationStalled",
    "MfaUnknownKeyRows",
    "MfaCorruptRows",
    "MfaReadersNotConverged",
    "MfaOldKeyRemovedEarly",
    "MfaLoginAbsent",
    "MfaLoginErrorsHigh",
]
RULE_ON: Final = {"metrics": {"prometheusRule": {"enabled": True}}}
OF_TARGETS: Final = {"namespace", "pod"}
"""Labels that Prometheus gives every series of a pod."""

Known = dict[str, dict[str, set[str]]]


def known() -> Known:
    """Return every series' name with its labels and their values, as the processes show them."""
    operator, login = Metrics(), LoginMetrics()
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    numbers = {"users": {"enrolled": 1}, "readers": {"total": 1}, "rotation": {"id": 1}}
    for _ in range(2):
        status = misconfigured_status("-", before=numbers, generation=1, now=moment)
        operator.show(Key(NAMESPACE, "practicus-mfa"), status, moment)
    found: Known = defaultdict(lambda: defaultdict(set))
    for registry in (operator.registry, login.registry):
        for metric in registry.collect():
            for sample in metric.samples:
                labels = found[sample.name]
                for name, value in sample.labels.items():
                    labels[name].add(value)
    return found


def selectors(expression: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Yield each metric of an expression with what is asked of its labels."""
    for name, asked in re.findall(r"\b(practicus_mfa_\w+)(?:\{([^}]*)\})?", expression):
        yield name, re.findall(r"""(\w+)(=~|!=|!~|=)"([^"]*)\"""", asked)


def strangers(expression: str, series: Known) -> list[str]:
    """Return what an expression names and no process shows."""
    found = []
    for name, asked in selectors(expression):
        if name not in series:
            found.append(name)
            continue
        for label, _, value in asked:
            values = series[name].get(label)
            if values is None and label not in OF_TARGETS:
                found.append(f"{name}{{{label}}}")
            elif values and not label.endswith(("namespace", "policy")):
                found += [f"{label}={each}" for each in value.split("|") if each not in values]
    return found


def rules(helm: Helm, *values: object) -> list[Tree]:
    (group,) = of_kind(helm.render(LEAST, RULE_ON, *values), "PrometheusRule")["spec"]["groups"]
    found: list[Tree] = group["rules"]
    return found


def test_nothing_of_it_is_there_unasked(helm3: Helm) -> None:
    kinds = {tree["kind"] for tree in helm3.render(LEAST)}
    assert kinds.isdisjoint({"PodMonitor", "PrometheusRule"})


# --- what is scraped ----------------------------------------------------------------------------------------


def test_a_monitor_chooses_the_pods_that_serve_metrics_by_the_port_s_name(helm: Helm) -> None:
    on = {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"}}
    objects = helm.render(LEAST, {"metrics": on})
    monitor = of_kind(objects, "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    selector, (endpoint,) = monitor["spec"]["selector"], monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["interval"] == "15s"
    # Otherwise the namespace of a policy would be told as that of the operator.
    assert endpoint["honorLabels"] is True
    (components,) = selector["matchExpressions"]
    pods = [tree["spec"]["template"] for tree in objects if tree["kind"] == "Deployment"]
    assert len(pods) == 2
    for pod in pods:
        labels = pod["metadata"]["labels"]
        assert selector["matchLabels"].items() <= labels.items()
        assert labels[components["key"]] in components["values"]
        (container,) = pod["spec"]["containers"]
        assert endpoint["port"] in [port["name"] for port in container["ports"]]


# --- what is alerted on -------------------------------------------------------------------------------------


def test_each_alert_has_a_page_that_says_what_to_do(helm: Helm) -> None:
    found_rules = rules(helm)
    assert [rule["alert"] for rule in found_rules] == ALERTS
    assert sorted(path.stem for path in RUNBOOKS.glob("Mfa*.md")) == sorted(ALERTS)
    for rule in found_rules:
        assert rule["annotations"]["runbook_url"].endswith(f"/{rule['alert']}.html")
        assert rule["labels"]["severity"] in {"warning", "critical"}
        page = (RUNBOOKS / f"{rule['alert']}.md").read_text("utf-8")
        assert page.startswith(f"# {rule['alert']}\n")
        # In this order: who is called at night reads from the top.
        found = re.findall(
            r"^\*\*(What it means|How urgent|What to look at|What to do)\b", page, re.MULTILINE
        )
        assert found == ["What it means", "How urgent", "What to look at", "What to do"]
    listed = re.findall(
        r"^\| \[(\w+)\].*\| (\w+) \|$", (RUNBOOKS / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert dict(listed) == {rule["alert"]: rule["labels"]["severity"] for rule in found_rules}


def test_the_pages_may_be_somewhere_else(helm3: Helm) -> None:
    where = {
        "metrics": {"prometheusRule": {"runbookUrl": "https://wiki.example.com/mfa/", "labels": {"a": "b"}}}
    }
    urls = {rule["annotations"]["runbook_url"] for rule in rules(helm3, where)}
    assert urls == {f"https://wiki.example.com/mfa/{name}.html" for name in ALERTS}


def test_alerts_ask_for_metrics_that_exist(helm3: Helm) -> None:
    series = known()
    for rule in rules(helm3):
        assert list(selectors(rule["expr"]))
        assert strangers(rule["expr"], series) == []
        assert "$" not in rule["expr"]


def test_alerts_are_about_the_policies_that_the_operator_serves(helm3: Helm) -> None:
    namespaced = {"operator": {"watchNamespaces": [NAMESPACE, "team-a"], "resyncSeconds": 3600}}
    expressions = {rule["alert"]: rule["expr"] for rule in rules(helm3, namespaced)}
    assert 'namespace=~"login|team-a"' in expressions["MfaUnknownKeyRows"]
    assert 'namespace="login", policy="practicus-mfa"' in expressions["MfaOperatorAbsent"]
    # Seldom looks are no reason to wake anybody.
    assert expressions["MfaReconcileStale"].endswith("> 10800")
    assert rules(helm3)[1]["expr"].endswith("> 900")


@pytest.mark.parametrize(
    ("values", "left_out"),
    [
        ({"login": {"enabled": False}}, {"MfaLoginAbsent", "MfaLoginErrorsHigh"}),
        # Then no replica holds a lease, and none has to.
        ({"userLogin": {"mfa": {"enabled": False}}}, {"MfaLoginAbsent"}),
        ({"login": {"replicas": 0}}, {"MfaLoginAbsent"}),
        ({"login": {"replicas": 0, "autoscaling": {"enabled": True}}}, set()),
    ],
)
def test_what_is_not_there_is_not_missed(helm3: Helm, values: Tree, left_out: set[str]) -> None:
    assert set(ALERTS) - {rule["alert"] for rule in rules(helm3, values)} == left_out


# --- what a dashboard shows ---------------------------------------------------------------------------------


def test_the_dashboard_shows_metrics_that_exist(helm: Helm) -> None:
    on = {"metrics": {"dashboard": {"enabled": True, "labels": {"folder": "security"}}}}
    found = of_kind(helm.render(LEAST, on), "ConfigMap", "practicus-mfa-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["labels"]["folder"] == "security"
    dashboard: dict[str, Any] = json.loads(found["data"]["practicus-mfa.json"])
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    series = known()
    assert [each for expression in expressions for each in strangers(expression, series)] == []
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(dashboard["panels"])))
    assert used == variables
    # Nothing lies over anything else.
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
