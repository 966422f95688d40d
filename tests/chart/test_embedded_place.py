"""Where the embedded platform keeps its data, how it is reached, and what it is not installed with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from practicus_mfa.core.parse.login import login_config
from tests.chart.test_embedded import LEAST, NAME, PUBLIC, container, mounted, pod
from tests.chart.test_notes import chart, notes
from tests.support.chart import NAMESPACE, Helm, Tree, of_kind

__all__ = ["chart"]

LOGIN: Final = {"login": PUBLIC}


def test_its_data_stays_on_a_volume_that_an_uninstallation_leaves(helm3: Helm) -> None:
    volume = {"size": "5Gi", "storageClass": "fast"}
    objects = helm3.render(LEAST, {"database": {"embedded": volume}})
    claim = of_kind(objects, "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"]["resources"]["requests"] == {"storage": "5Gi"}
    assert claim["spec"]["storageClassName"] == "fast"
    volumes = {each["name"]: each for each in pod(objects)["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert volumes["values"]["secret"]["secretName"] == of_kind(objects, "Secret")["metadata"]["name"]


def test_the_cluster_chooses_the_class_where_nobody_does(helm3: Helm) -> None:
    assert "storageClassName" not in of_kind(helm3.render(LEAST), "PersistentVolumeClaim")["spec"]


def test_there_is_never_a_second_pod(helm3: Helm) -> None:
    found = of_kind(helm3.render(LEAST), "StatefulSet")["spec"]
    assert (found["replicas"], found["podManagementPolicy"]) == (1, "Parallel")


def test_the_service_and_the_ingress_lead_to_it(helm3: Helm) -> None:
    objects = helm3.render(LEAST, LOGIN)
    service = of_kind(objects, "Service", NAME)["spec"]
    workload = of_kind(objects, "StatefulSet")["spec"]
    assert service["selector"] == workload["selector"]["matchLabels"]
    assert service["selector"].items() <= workload["template"]["metadata"]["labels"].items()
    names = {port["name"] for port in container(objects)["ports"]}
    assert [port["targetPort"] for port in service["ports"]] == ["http"]
    assert names == {"http"}
    (rule,) = of_kind(objects, "Ingress")["spec"]["rules"]
    assert rule["host"] == "login.example.com"
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == NAME


def test_without_a_host_a_forwarded_port_is_enough(helm3: Helm, chart: Path) -> None:
    assert login_config(mounted(helm3.render(LEAST))["login"]).origin == "http://127.0.0.1:8080"
    told = notes(helm3, chart, LEAST)
    assert f"kubectl -n {NAMESPACE} port-forward sts/{NAME} 8080:8080" in told


def test_the_notes_name_what_is_there(helm: Helm, chart: Path) -> None:
    told = notes(helm, chart, LEAST, LOGIN)
    assert f"exec sts/{NAME} -- practicus-mfa status\n" in told
    assert f"exec sts/{NAME} -- practicus-mfa users create NAME --superuser" in told
    assert "--origin https://login.example.com" in told
    for absent in ("mfap", "deploy/", "definition of MfaPolicy", "There is no login service"):
        assert absent not in told


def test_a_closed_network_lets_people_in_and_nothing_out(helm3: Helm) -> None:
    objects = helm3.render(LEAST, {"networkPolicy": {"enabled": True}})
    policies = {tree["metadata"]["name"]: tree["spec"] for tree in objects if tree["kind"] == "NetworkPolicy"}
    assert policies.keys() == {"practicus-mfa-nothing", NAME, "practicus-mfa-test"}
    # Named among policyTypes and without a rule: nothing goes out.
    assert policies[NAME]["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policies[NAME]
    (people,) = policies[NAME]["ingress"]
    assert people == {"ports": [{"port": "http", "protocol": "TCP"}]}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"database": {"url": "postgresql://u:hunter2@h/d"}},
            "database.embedded.enabled: given beside url; keep one of them: there is one database",
        ),
        (
            {"database": {"existingSecret": "db"}},
            "database.embedded.enabled: given beside existingSecret; keep one of them: there is one database",
        ),
        ({"database": {"login": {"existingSecret": "db"}}}, "database.login.existingSecret: given beside"),
        ({"database": {"embedded": {"size": "big"}}}, "database.embedded.size: not a size"),
        (
            {"secretStore": {"activeKey": "", "existingSecret": "keys"}},
            "secretStore.existingSecret: the embedded platform reads no Secret",
        ),
        ({"login": {"enabled": False}}, "login.enabled: the embedded platform is reached by"),
        ({"login": {"replicas": 3}}, "login.replicas: the embedded platform is one pod"),
        ({"login": {"autoscaling": {"enabled": True}}}, "login.autoscaling.enabled: the embedded platform"),
        (
            {"login": {"ingress": {"enabled": True}}},
            "login.ingress.enabled: nobody else reaches the loopback",
        ),
        ({"metrics": {"podMonitor": {"enabled": True}}}, "metrics.podMonitor.enabled: the embedded platform"),
        ({"metrics": {"prometheusRule": {"enabled": True}}}, "metrics.prometheusRule.enabled: the embedded"),
        ({"metrics": {"dashboard": {"enabled": True}}}, "metrics.dashboard.enabled: the embedded platform"),
    ],
)
def test_what_makes_no_sense_beside_it_is_refused(helm3: Helm, values: Tree, told: str) -> None:
    refusal = helm3.refusal(LEAST, values)
    assert told in refusal
    assert "hunter2" not in refusal
    # That, and nothing else.
    assert len([line for line in refusal.splitlines() if ": " in line]) == 2, refusal


def test_what_is_switched_off_is_no_embedded_platform(helm3: Helm) -> None:
    objects = helm3.render(LEAST, {"database": {"embedded": {"enabled": False}}})
    kinds = {tree["kind"] for tree in objects}
    assert "MfaPolicy" in kinds
    assert kinds.isdisjoint({"StatefulSet", "PersistentVolumeClaim"})
