"""What the Prometheus operator makes of a release's PodMonitor and PrometheusRule, in Prometheus' own words.

That operator is not here. Its two kinds are, as far as a release and who asks for them need it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import yaml

from tests.support.cluster import ways

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.chart import Tree
    from tests.support.cluster.access import Cluster

_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}

_GROUP: Final = "monitoring.coreos.com"
_KINDS: Final = {"PodMonitor": "podmonitors", "PrometheusRule": "prometheusrules"}

_TIMES: Final = {
    "MfaReconcileStale": r"(?<=> )\d+",
    "MfaScanStale": r"(?<=> )\d+",
    "MfaLoginErrorsHigh": r"(?<=\[)\d+m(?=\])",
}
"""Which numbers of an alert's expression are times. Not those of a rotation: a test makes one older."""


def chooser(monitor: Tree) -> str:
    """Return a PodMonitor's selector as ``kubectl get -l`` takes it."""
    selector = monitor["spec"]["selector"]
    equal = [f"{label}={value}" for label, value in selector["matchLabels"].items()]
    within = [
        f"{each['key']} {each['operator'].lower()} ({','.join(each['values'])})"
        for each in selector["matchExpressions"]
    ]
    return ",".join(equal + within)


def scrape_jobs(monitor: Tree, pods: Sequence[Tree]) -> list[Tree]:
    """Return what is scraped for a PodMonitor that chooses these pods, and the labels of each."""
    namespace, name = monitor["metadata"]["namespace"], monitor["metadata"]["name"]
    kept = monitor["spec"]["podTargetLabels"]
    return [
        {
            "job_name": f"{namespace}/{name}/{number}",
            "honor_labels": endpoint.get("honorLabels", False),
            "scrape_interval": endpoint["interval"],
            "metrics_path": endpoint.get("path", "/metrics"),
            "scheme": endpoint.get("scheme", "http"),
            "static_configs": [target for pod in pods for target in _targets(pod, endpoint["port"], kept)],
        }
        for number, endpoint in enumerate(monitor["spec"]["podMetricsEndpoints"])
    ]


def _targets(pod: Tree, port: str, kept: Sequence[str]) -> list[Tree]:
    """Return the containers' ports of that name, by the pod's address."""
    meta = pod["metadata"]
    labels = {
        "namespace": meta["namespace"],
        "pod": meta["name"],
        "endpoint": port,
        **{re.sub(r"\W", "_", label): meta["labels"][label] for label in kept},
    }
    return [
        {
            "targets": [f"{pod['status']['podIP']}:{each['containerPort']}"],
            "labels": labels | {"container": container["name"]},
        }
        for container in pod["spec"]["containers"]
        for each in container["ports"]
        if each["name"] == port
    ]


def quicker(groups: Sequence[Tree], factor: int) -> list[Tree]:
    """Return the same alerts, each of which fires and ends *factor* times sooner.

    What is shorter is how long an expression has to hold, and what :data:`_TIMES` finds.
    """
    return [group | {"rules": [_quicker(rule, factor) for rule in group["rules"]]} for group in groups]


def _quicker(rule: Tree, factor: int) -> Tree:
    def sooner(found: re.Match[str]) -> str:
        unit = "s" if found[0][-1].isalpha() else ""
        return f"{_seconds(found[0]) // factor}{unit}"

    expression = rule["expr"]
    if times := _TIMES.get(rule["alert"]):
        expression, many = re.subn(times, sooner, expression)
        assert many, (rule["alert"], times)
    return rule | {"expr": expression, "for": f"{_seconds(rule['for']) // factor}s"}


def _seconds(duration: str) -> int:
    found = re.fullmatch(r"(\d+)([smh]?)", duration)
    assert found, duration
    return int(found[1]) * _SECONDS[found[2]]


@contextmanager
def kinds(cluster: Cluster) -> Iterator[None]:
    """Have the Prometheus operator's two kinds in a cluster; they take any object."""
    definitions = [_definition(kind, plural) for kind, plural in _KINDS.items()]
    cluster.apply(yaml.safe_dump_all(definitions))
    names = [f"crd/{each['metadata']['name']}" for each in definitions]
    ways.await_definitions(cluster)
    try:
        yield
    finally:
        # Gone, not going: whoever comes next makes them anew.
        cluster.kubectl("delete", *names)


def _definition(kind: str, plural: str) -> Tree:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{_GROUP}"},
        "spec": {
            "group": _GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [version],
        },
    }
