"""What may come to the pods of a release and go out from them, where networkPolicy is on."""

from __future__ import annotations

from typing import Final

import pytest

from practicus_mfa.kube.children import job_labels
from tests.chart.test_embedded import LEAST as EMBEDDED
from tests.chart.test_login import LEAST, login
from tests.support.chart import SEED, Helm, Tree, of_kind

ON: Final = {"networkPolicy": {"enabled": True}}
DNS: Final = [(53, "UDP"), (53, "TCP")]
API_SERVER: Final = [(443, "TCP"), (6443, "TCP")]
DATABASE: Final = [(5432, "TCP")]
MONITORING: Final = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
CHOSEN: Final = {"app.kubernetes.io/name": "practicus-mfa", "app.kubernetes.io/instance": "practicus-mfa"}
"""Labels of every pod of the release."""

Rule = tuple[list[tuple[object, str]], object]
"""Ports with their protocols, and peers; ``None`` for anybody."""


def pods(objects: list[Tree]) -> dict[str, Tree]:
    """Return the labels of each kind of pods."""
    found = {
        tree["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: tree["spec"][
            "template"
        ]["metadata"]["labels"]
        for tree in objects
        if tree["kind"] == "Deployment"
    }
    test = of_kind(objects, "Pod")["metadata"]["labels"]
    return {**found, "migration": job_labels("practicus-mfa"), "test": test}


def chosen(objects: list[Tree], labels: Tree) -> list[Tree]:
    """Return the policies that choose a pod with *labels*."""
    policies = [tree["spec"] for tree in objects if tree["kind"] == "NetworkPolicy"]
    return [spec for spec in policies if spec["podSelector"]["matchLabels"].items() <= labels.items()]


def allowed(objects: list[Tree], component: str, way: str) -> list[Rule]:
    """Return what a pod of *component* is allowed: ``ingress`` or ``egress``."""
    peers = {"ingress": "from", "egress": "to"}[way]
    return [
        ([(port["port"], port["protocol"]) for port in rule["ports"]], rule.get(peers))
        for spec in chosen(objects, pods(objects)[component])
        for rule in spec.get(way) or []
    ]


def test_there_is_none_unasked(helm3: Helm) -> None:
    assert "NetworkPolicy" not in {tree["kind"] for tree in helm3.render(LEAST)}


def test_every_pod_is_chosen_in_both_directions(helm: Helm) -> None:
    objects = helm.render(LEAST, ON)
    assert set(pods(objects)) == {"operator", "login", "migration", "test"}
    for labels in pods(objects).values():
        found = chosen(objects, labels)
        assert found
        assert all(spec["policyTypes"] == ["Ingress", "Egress"] for spec in found)
    # A pod that a later release brings is refused everything until something is said about it.
    (nothing,) = chosen(objects, CHOSEN)
    assert not nothing.get("ingress")
    assert not nothing.get("egress")


def test_the_operator_reaches_database_and_api_server(helm3: Helm) -> None:
    objects = helm3.render(LEAST, ON)
    assert allowed(objects, "operator", "ingress") == [([("metrics", "TCP")], MONITORING)]
    assert allowed(objects, "operator", "egress") == [(DNS, None), (DATABASE, None), (API_SERVER, None)]


def test_jobs_reach_the_database_and_nobody_reaches_them(helm3: Helm) -> None:
    objects = helm3.render(LEAST, ON)
    assert allowed(objects, "migration", "ingress") == []
    assert allowed(objects, "migration", "egress") == [(DNS, None), (DATABASE, None)]


def test_the_login_service_is_reached_by_anybody_and_reaches_the_database(helm3: Helm) -> None:
    objects = helm3.render(LEAST, ON)
    assert allowed(objects, "login", "ingress") == [
        ([("http", "TCP")], None),
        ([("metrics", "TCP")], MONITORING),
    ]
    assert allowed(objects, "login", "egress") == [(DNS, None), (DATABASE, None)]


def test_without_a_login_service_there_is_no_policy_of_it(helm3: Helm) -> None:
    names = {tree["metadata"]["name"] for tree in helm3.render(SEED, ON) if tree["kind"] == "NetworkPolicy"}
    assert names == {f"practicus-mfa-{whom}" for whom in ("nothing", "operator", "migration", "test")}


def test_the_pod_of_helm_test_reaches_what_it_asks_and_nothing_else(helm3: Helm) -> None:
    objects = helm3.render(LEAST, ON)
    logins = [{"podSelector": {"matchLabels": dict(CHOSEN, **{"app.kubernetes.io/component": "login"})}}]
    (port,) = (
        port["port"] for port in of_kind(objects, "Service")["spec"]["ports"] if port["name"] == "http"
    )
    assert allowed(objects, "test", "egress") == [([(port, "TCP")], logins)]
    assert allowed(objects, "test", "ingress") == []
    without = helm3.render(SEED, ON)
    assert allowed(without, "test", "egress") == [(DNS, None), (DATABASE, None)]


def test_peers_and_ports_can_be_named(helm: Helm) -> None:
    proxy = [{"namespaceSelector": {"matchLabels": {"team": "ingress"}}}]
    network: Tree = {
        "enabled": True,
        "ingressFrom": proxy,
        "metricsFrom": [],
        "dns": {"to": [{"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}], "ports": [5353]},
        "database": {"to": [{"ipBlock": {"cidr": "10.9.0.0/24"}}], "ports": [6432, 5432]},
        "apiServer": {"to": [{"ipBlock": {"cidr": "10.8.0.1/32"}}], "ports": [16443]},
    }
    objects = helm.render(LEAST, {"networkPolicy": network})
    test = [{"podSelector": {"matchLabels": pods(objects)["test"]}}]
    assert allowed(objects, "login", "ingress") == [([("http", "TCP")], proxy + test)]
    assert allowed(objects, "operator", "ingress") == []
    assert allowed(objects, "operator", "egress") == [
        ([(5353, "UDP"), (5353, "TCP")], network["dns"]["to"]),
        ([(6432, "TCP"), (5432, "TCP")], network["database"]["to"]),
        ([(16443, "TCP")], network["apiServer"]["to"]),
    ]


def test_the_ports_that_are_named_are_those_of_the_pods(helm3: Helm) -> None:
    objects = helm3.render(LEAST, ON)
    for name in ("operator", "login"):
        deployment = of_kind(objects, "Deployment", f"practicus-mfa-{name}")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        wanted = {port for ports, _ in allowed(objects, name, "ingress") for port, _ in ports}
        assert wanted <= {port["name"] for port in container["ports"]}


@pytest.mark.parametrize(
    ("url", "ports", "fits"),
    [
        ("postgresql://u:p@h/d", [5432], True),
        ("postgresql://u:p@h:6432/d", [5432], False),
        ("postgresql://u:p@h:6432/d", [5432, 6432], True),
        ("postgresql://u:p@h/d", [6432], False),
        ("postgresql://u:p%40:x@[::1]:6432/d?sslmode=require", [6432], True),
    ],
)
def test_a_database_that_nobody_could_reach_is_told(
    helm3: Helm, url: str, ports: list[int], *, fits: bool
) -> None:
    values = {"database": {"url": url}, "networkPolicy": {"enabled": True, "database": {"ports": ports}}}
    if fits:
        assert helm3.render(SEED, values)
    else:
        told = helm3.refusal(SEED, values)
        assert "networkPolicy.database.ports: the port of database.url is not among them; add it" in told
        assert "6432" not in told


@pytest.mark.parametrize(
    "network",
    [
        {"ingressFrom": [{}]},
        {"ingressFrom": [{"namespace": "x"}]},
        {"dns": {"ports": []}},
        {"database": {"ports": [0]}},
        {"dataBase": {}},
    ],
)
def test_what_would_allow_something_else_than_was_meant_is_refused(helm3: Helm, network: Tree) -> None:
    assert "/networkPolicy" in helm3.refusal(*login(), {"networkPolicy": network})


def test_no_list_is_empty_which_the_api_server_would_leave_out_and_argo_cd_take_for_a_difference(
    helm3: Helm,
) -> None:
    objects = [*helm3.render(LEAST, ON), *helm3.render(EMBEDDED, ON)]
    specs = [tree["spec"] for tree in objects if tree["kind"] == "NetworkPolicy"]
    assert [] not in [rules for spec in specs for rules in spec.values()]
