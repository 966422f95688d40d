"""The login service as the chart installs it."""

from __future__ import annotations

from typing import Final

import pytest
import yaml

from practicus_mfa.kube.children import keyring_name
from practicus_mfa.kube.job import SECRET_MODE
from practicus_mfa.web.config import ServiceConfig, read_config
from tests.support.chart import ACTIVE, ROLLING, SEED, Helm, Tree, of_kind

DATABASE: Final = {"existingSecret": "db", "existingSecretKey": "uri"}
LEAST: Final = SEED | {"database": DATABASE, "login": {"host": "login.example.com"}}
"""The least that brings a login service."""

NAME: Final = "practicus-mfa-login"
EVERYTHING: Final = {
    "host": "Login.example.com:8443",
    "cookieDomain": "example.com",
    "trustedProxies": ["10.0.0.0/8", "2001:db8::1"],
    "access": [{"hosts": ["app.example.com"], "paths": ["/admin/*"], "groups": ["ops"]}, {"deny": True}],
    "settingsPage": "tighten",
    "outageGraceSeconds": 0,
    "branding": {"title": "ACME: log in", "helpUrl": "mailto:help@example.com"},
}


def login(*more: Tree) -> tuple[Tree, ...]:
    return (LEAST, *({"login": tree} for tree in more))


def deployment(objects: list[Tree]) -> Tree:
    return of_kind(objects, "Deployment", NAME)


def template(objects: list[Tree]) -> Tree:
    found: Tree = deployment(objects)["spec"]["template"]
    return found


def spec(objects: list[Tree]) -> Tree:
    found: Tree = template(objects)["spec"]
    return found


def volumes(objects: list[Tree]) -> dict[str, Tree]:
    return {volume["name"]: volume for volume in spec(objects)["volumes"]}


def config(objects: list[Tree]) -> ServiceConfig:
    return read_config(yaml.safe_load(of_kind(objects, "ConfigMap", NAME)["data"]["login.yaml"]))


# --- whether there is one -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "there"),
    [
        ({}, False),
        ({"host": "login.example.com"}, True),
        ({"host": "login.example.com", "enabled": True}, True),
        ({"host": "login.example.com", "enabled": False}, False),
    ],
)
def test_there_is_one_where_a_host_is_given_unless_it_is_switched_off(
    helm: Helm, values: Tree, *, there: bool
) -> None:
    objects = helm.render(SEED, {"database": DATABASE, "login": values})
    found = [tree for tree in objects if tree["metadata"]["name"] == NAME]
    assert bool(found) is there
    if there:
        assert {tree["kind"] for tree in found} == {
            "ConfigMap",
            "Deployment",
            "PodDisruptionBudget",
            "Service",
            "ServiceAccount",
        }


# --- its configuration --------------------------------------------------------------------------------------


def test_it_can_read_its_configuration(helm: Helm) -> None:
    read, usual = config(helm.render(*login(EVERYTHING))), read_config(EVERYTHING)
    # Probes and services go by the usual addresses.
    assert (read.listen, read.metrics) == (usual.listen, usual.metrics)
    assert read.login == usual.login


def test_its_defaults_are_the_product_s(helm3: Helm) -> None:
    assert config(helm3.render(LEAST)).login == read_config({"host": "login.example.com"}).login


def test_another_configuration_starts_it_anew_and_what_it_does_not_read_does_not(helm3: Helm) -> None:
    def annotations(*more: Tree) -> Tree:
        found: Tree = template(helm3.render(*more))["metadata"]["annotations"]
        return found

    before = annotations(LEAST)
    assert annotations(*login({"outageGraceSeconds": 31})) != before
    assert annotations(*login({"replicas": 5, "ingress": {"enabled": True}})) == before
    keys = {"secretStore": {"activeKey": ROLLING, "rollingKey": ACTIVE}}
    assert (annotations(LEAST, keys) == before) is True


# --- its database and keyring -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("database", "secret", "entry"),
    [
        ({"url": "postgresql://u:p@h/d"}, "practicus-mfa-database", "url"),
        # A name for the entry of an existing Secret is none for that of our own.
        (
            {"url": "postgresql://u:p@h/d", "existingSecretKey": "uri"},
            "practicus-mfa-database",
            "url",
        ),
        ({"existingSecret": "db", "existingSecretKey": "uri"}, "db", "uri"),
        (
            {"existingSecret": "db", "existingSecretKey": "uri", "login": {"existingSecret": "own"}},
            "own",
            "uri",
        ),
        ({"url": "postgresql://u:p@h/d", "login": {"existingSecret": "own"}}, "own", "url"),
    ],
)
def test_it_has_the_database_of_the_policy_or_a_lesser_role(
    helm3: Helm, database: Tree, secret: str, entry: str
) -> None:
    objects = helm3.render(SEED, {"database": database, "login": {"host": "login.example.com"}})
    assert volumes(objects)["database"]["secret"] == {
        "secretName": secret,
        "items": [{"key": entry, "path": "url"}],
        "defaultMode": SECRET_MODE,
    }
    # The operator's role is another.
    assert of_kind(objects, "MfaPolicy")["spec"]["databaseRef"]["name"] != "own"


def test_it_has_the_keyring_and_never_the_keys_that_were_asked_for(helm3: Helm) -> None:
    objects = helm3.render(LEAST)
    assert volumes(objects)["keyring"]["secret"] == {
        "secretName": keyring_name("practicus-mfa"),
        "items": [{"key": "keyring.yaml", "path": "keyring.yaml"}],
        "defaultMode": SECRET_MODE,
    }
    assert set(volumes(objects)) == {"configuration", "database", "keyring", "tmp"}
    mounts = {mount["name"]: mount for mount in spec(objects)["containers"][0]["volumeMounts"]}
    # A file that is mounted alone (subPath) would never change.
    assert not any("subPath" in mount for mount in mounts.values())
    assert {name for name, mount in mounts.items() if not mount.get("readOnly")} == {"tmp"}
    variables = {entry["name"]: entry for entry in spec(objects)["containers"][0]["env"]}
    for name, file in (("keyring", "keyring.yaml"), ("database", "url")):
        variable = {"keyring": "PRACTICUS_MFA_KEYRING", "database": "PRACTICUS_MFA_DATABASE_URL_FILE"}[name]
        assert variables[variable]["value"] == f"{mounts[name]['mountPath']}/{file}"
    assert mounts["configuration"]["mountPath"] == "/etc/practicus-mfa"


def test_without_mfa_it_starts_without_a_keyring(helm3: Helm) -> None:
    objects = helm3.render(LEAST, {"userLogin": {"mfa": {"enabled": False}}, "secretStore": None})
    assert volumes(objects)["keyring"]["secret"]["optional"] is True
