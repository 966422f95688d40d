"""What the chart installs, and with which rights."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
import yaml
from packaging.version import Version

import practicus_mfa
from practicus_mfa.core.parse.values import CHART_ONLY
from practicus_mfa.reconciler.cluster.config import read_config
from tests.support.chart import ACTIVE, CHART, NAMESPACE, ROLLING, SEED, Helm, Tree, of_kind

ROOT: Final = Path(__file__).parents[2]
NAMESPACED: Final = {"operator": {"watchNamespaces": [NAMESPACE, "team-a"], "secretNames": ["more"]}}


def operator_config(objects: list[Tree]) -> object:
    return yaml.safe_load(of_kind(objects, "ConfigMap")["data"]["operator.yaml"])


def pod(objects: list[Tree]) -> Tree:
    template: Tree = of_kind(objects, "Deployment")["spec"]["template"]
    return template


def rules(roles: list[Tree]) -> list[Tree]:
    return [rule for role in roles for rule in role["rules"]]


def test_the_chart_s_definition_is_the_product_s() -> None:
    # `make manifests` copies it.
    assert (CHART / "crds" / "mfapolicies.yaml").read_bytes() == (
        ROOT / "crds" / "mfapolicies.yaml"
    ).read_bytes()


def test_chart_and_package_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert chart["appVersion"] == practicus_mfa.__version__
    assert Version(chart["version"].replace("-", ".").replace(".dev.", ".dev")) == Version(
        chart["appVersion"]
    )


def test_artifact_hub_is_told_of_the_definition_as_it_is() -> None:
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["annotations"]
    definition = yaml.safe_load((ROOT / "crds" / "mfapolicies.yaml").read_text("utf-8"))
    (told,) = yaml.safe_load(annotations["artifacthub.io/crds"])
    assert (told["kind"], told["name"]) == (
        definition["spec"]["names"]["kind"],
        definition["metadata"]["name"],
    )
    assert [told["version"]] == [version["name"] for version in definition["spec"]["versions"]]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert annotations["artifacthub.io/license"] == project["license"]
    # Words of https://artifacthub.io/docs/topics/annotations/helm/
    assert annotations["artifacthub.io/category"] == "security"
    assert annotations["artifacthub.io/operatorCapabilities"] == "Seamless Upgrades"


def test_no_template_makes_a_key_or_asks_the_cluster() -> None:
    # Whatever is drawn, or asked of a cluster or a clock, is another at each render.
    function = re.compile(
        r"\b(rand[A-Z]\w+|shuffle|gen[A-Z]\w+|derivePassword|bcrypt|htpasswd|encryptAES|uuidv4"
        r"|lookup|getHostByName|env|expandenv|now|ago)\b"
    )
    for template in (CHART / "templates").iterdir():
        for action in re.findall(r"\{\{-? *(?!-? */\*)(.*?)\}\}", template.read_text("utf-8"), re.DOTALL):
            assert not function.search(re.sub(r'"[^"]*"|`[^`]*`', "", action)), (template.name, action)


def test_lint_finds_nothing(helm: Helm) -> None:
    assert "[WARNING]" not in helm.run("lint", "--strict", str(CHART), values=(SEED,))


def test_every_value_of_the_schema_has_a_default_that_is_shown() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))

    def missing(path: str, part: Tree, shown: object) -> list[str]:
        found = []
        for name, below in part.get("properties", {}).items():
            place = f"{path}.{name}"
            if not isinstance(shown, dict) or name not in shown:
                found.append(place)
            elif shown[name]:
                found += missing(place, below, shown[name])
        return found

    # What a parent chart says.
    assert set(missing("", schema, values)) == {".global", ".enabled"}


def test_the_product_knows_each_name_that_the_chart_knows_and_no_other() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    read = {"userLogin", "secretStore", "database", "migration"}
    assert set(schema["properties"]) == {*CHART_ONLY, *read}


def test_keys_and_urls_have_a_type_and_no_form_in_the_schema() -> None:
    # Helm prints a value that doesn't fit its form, and a name that it doesn't know.
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))["properties"]
    database = schema["database"]["properties"]
    for place in (schema["secretStore"], schema["database"], database["login"], database["embedded"]):
        assert "additionalProperties" not in place
    for field in ("activeKey", "rollingKey"):
        assert schema["secretStore"]["properties"][field] == {"type": ["string", "null"]}
    assert schema["database"]["properties"]["url"] == {"type": ["string", "null"]}


def test_keys_and_urls_stand_in_secrets_alone(helm3: Helm) -> None:
    url = "postgresql://u:hunter2@h/d"
    values = {
        "secretStore": {"activeKey": ACTIVE, "rollingKey": ROLLING},
        "database": {"url": url},
        "login": {"host": "login.example.com"},
    }
    text = json.dumps([tree for tree in helm3.render(values) if tree["kind"] != "Secret"])
    assert (any(secret in text for secret in (ACTIVE, ROLLING, "hunter2"))) is False


def test_the_operator_can_read_its_configuration(helm3: Helm) -> None:
    values = {
        "image": {"digest": "sha256:00ff", "pullPolicy": "Never"},
        "nodeSelector": {"disk": "fast"},
        "operator": {"jobTemplate": {"nodeSelector": {"disk": "slow"}, "resources": {"limits": {"cpu": 1}}}},
    }
    objects = helm3.render(SEED, values)
    config = read_config(operator_config(objects))
    assert config.watch_namespaces == ()
    assert (config.lease_namespace, config.metrics_port, config.resync_seconds) == (NAMESPACE, 9464, 60)
    assert config.job_template.image == "practicus/practicus-mfa@sha256:00ff"
    assert config.job_template.image_pull_policy == "Never"
    assert config.job_template.node_selector == {"disk": "slow"}
    assert config.job_template.resources == {"limits": {"cpu": 1}}
    # Policies of any namespace: an account of that name is not there.
    assert config.job_template.service_account == ""
    assert pod(objects)["spec"]["nodeSelector"] == {"disk": "fast"}


def test_the_operator_gets_the_definition_that_helm_would_not_upgrade(helm3: Helm) -> None:
    objects = helm3.render(SEED)
    assert of_kind(objects, "ConfigMap")["data"]["mfapolicies.yaml"].strip() == (
        (ROOT / "crds" / "mfapolicies.yaml").read_text("utf-8").strip()
    )
    config = read_config(operator_config(objects))
    assert str(config.definition) == "/etc/practicus-mfa/mfapolicies.yaml"
    assert config.definition_owner == ""
    assert any(
        "customresourcedefinitions" in rule["resources"] for rule in of_kind(objects, "ClusterRole")["rules"]
    )


def test_a_definition_that_is_not_kept_goes_with_the_operator_s_role(helm3: Helm) -> None:
    objects = helm3.render(SEED, {"crds": {"keep": False}})
    owner = read_config(operator_config(objects)).definition_owner
    assert owner == of_kind(objects, "ClusterRole")["metadata"]["name"]


@pytest.mark.parametrize("values", [{"crds": {"enabled": False}}, NAMESPACED], ids=["crds off", "namespaced"])
def test_a_definition_that_is_somebody_else_s_is_not_touched(helm3: Helm, values: Tree) -> None:
    objects = helm3.render(SEED, values)
    assert read_config(operator_config(objects)).definition is None
    assert list(of_kind(objects, "ConfigMap")["data"]) == ["operator.yaml"]
    everything = rules([tree for tree in objects if tree["kind"] in {"Role", "ClusterRole"}])
    assert not any("customresourcedefinitions" in rule["resources"] for rule in everything)


def test_another_configuration_starts_the_operator_anew(helm3: Helm) -> None:
    before, after = (
        pod(helm3.render(SEED, {"operator": {"resyncSeconds": seconds}}))["metadata"]["annotations"]
        for seconds in (60, 61)
    )
    assert before != after


def test_other_keys_do_not_start_the_operator_anew(helm3: Helm) -> None:
    before, after = (pod(helm3.render({"secretStore": {"activeKey": key}})) for key in (ACTIVE, ROLLING))
    assert (before == after) is True


def test_the_operator_s_pod_is_restricted(helm3: Helm) -> None:
    # Pod Security Standards, "Restricted".
    spec = pod(helm3.render(SEED))["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["args"] == ["operator", "--config", "/etc/practicus-mfa/operator.yaml"]
    assert {variable["name"] for variable in container["env"]} == {"POD_NAMESPACE", "POD_NAME"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}


# --- rights -------------------------------------------------------------------------------------------------


def test_the_operator_of_a_cluster_has_no_more_rights_than_it_needs(helm3: Helm) -> None:
    for rule in rules([of_kind(helm3.render(SEED), "ClusterRole")]):
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert "deletecollection" not in rule["verbs"]
        if "secrets" in rule["resources"]:
            assert "delete" not in rule["verbs"]


def test_an_operator_of_namespaces_has_roles_in_these_and_nothing_else(helm3: Helm) -> None:
    objects = helm3.render(SEED, NAMESPACED)
    assert not [tree for tree in objects if tree["kind"] in {"ClusterRole", "ClusterRoleBinding"}]
    roles = [tree for tree in objects if tree["kind"] == "Role"]
    assert sorted((role["metadata"]["namespace"], role["metadata"]["name"]) for role in roles) == [
        (NAMESPACE, "practicus-mfa-operator"),
        (NAMESPACE, "practicus-mfa-operator-lease"),
        ("team-a", "practicus-mfa-operator"),
    ]


def test_an_operator_of_namespaces_reads_secrets_by_name(helm3: Helm) -> None:
    values = NAMESPACED | {"database": {"existingSecret": "db"}}
    roles = [tree for tree in helm3.render(SEED, values) if tree["kind"] == "Role"]
    of_secrets = [rule for rule in rules(roles) if "secrets" in rule["resources"]]
    names = [
        "practicus-mfa-secret-store",
        "practicus-mfa-keyring",
        "practicus-mfa-keyring-archive",
        "db",
        "more",
    ]
    for rule in of_secrets:
        assert rule.get("resourceNames") == names or rule["verbs"] == ["create"]


def test_jobs_of_namespaces_run_as_an_account_without_a_token(helm3: Helm) -> None:
    objects = helm3.render(SEED, NAMESPACED)
    accounts = [
        tree
        for tree in objects
        if tree["kind"] == "ServiceAccount" and tree["metadata"]["name"] == "practicus-mfa-migration"
    ]
    assert [account["metadata"]["namespace"] for account in accounts] == [NAMESPACE, "team-a"]
    assert {account["automountServiceAccountToken"] for account in accounts} == {False}
    template = read_config(operator_config(objects)).job_template
    assert template.service_account == "practicus-mfa-migration"


def test_the_guard_of_rolling_keys_can_be_switched_off(helm3: Helm) -> None:
    kinds = {tree["kind"] for tree in helm3.render(SEED, {"admission": {"enabled": False}})}
    assert kinds.isdisjoint({"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"})
