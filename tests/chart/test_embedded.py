"""The embedded platform as the chart installs it: one pod, for trying out."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Final

from click.testing import CliRunner

from practicus_mfa.cli.main import root
from practicus_mfa.cli.up import up
from practicus_mfa.core.parse.login import login_config
from practicus_mfa.core.parse.values import read_values
from practicus_mfa.documents import parse_yaml
from practicus_mfa.settings import read_settings
from tests.support.chart import ACTIVE, NAMESPACE, ROLLING, SEED, Helm, Tree, of_kind

LEAST: Final = SEED | {"database": {"embedded": {"enabled": True}}}
NAME: Final = "practicus-mfa-login"
PUBLIC: Final = {
    "host": "login.example.com",
    "trustedProxies": ["10.42.0.0/16"],
    "ingress": {"enabled": True},
}


def pod(objects: list[Tree]) -> Tree:
    found: Tree = of_kind(objects, "StatefulSet", NAME)["spec"]["template"]["spec"]
    return found


def container(objects: list[Tree]) -> Tree:
    (found,) = pod(objects)["containers"]
    assert isinstance(found, dict)
    return found


def mounted(objects: list[Tree]) -> Tree:
    """The values.yaml that the pod reads."""
    data = of_kind(objects, "Secret")["data"]
    assert list(data) == ["values.yaml"]
    found = parse_yaml(b64decode(data["values.yaml"]).decode(), "test")
    assert isinstance(found, dict)
    return found


def test_there_is_one_pod_and_nothing_of_an_operator(helm: Helm) -> None:
    kinds = sorted((tree["kind"], tree["metadata"]["name"]) for tree in helm.render(LEAST))
    assert kinds == [
        ("PersistentVolumeClaim", "practicus-mfa-data"),
        # Of `helm test`: nothing makes it before that.
        ("Pod", "practicus-mfa-test"),
        ("Secret", "practicus-mfa-values"),
        ("Service", NAME),
        ("ServiceAccount", NAME),
        ("StatefulSet", NAME),
    ]


def test_namespaces_of_an_operator_bring_none_of_its_rights(helm3: Helm) -> None:
    objects = helm3.render(LEAST, {"operator": {"watchNamespaces": [NAMESPACE, "team-a"]}})
    assert {tree["kind"] for tree in objects}.isdisjoint({"Role", "RoleBinding", "ClusterRole", "MfaPolicy"})
    assert len([tree for tree in objects if tree["kind"] == "ServiceAccount"]) == 1


def test_its_pod_is_restricted_and_has_no_token(helm3: Helm) -> None:
    # Pod Security Standards, "Restricted".
    objects = helm3.render(LEAST)
    found = pod(objects)
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert found["automountServiceAccountToken"] is False
    assert of_kind(objects, "ServiceAccount")["automountServiceAccountToken"] is False
    assert container(objects)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_what_its_pod_runs_is_a_command_of_the_program(helm3: Helm) -> None:
    objects = helm3.render(LEAST)
    command, *options = container(objects)["args"]
    assert command == up.name
    # The program takes every option, and stops at the file that is not here.
    ended = CliRunner().invoke(root, [command, *options, "--help"])
    assert ended.exit_code == 0, ended.output
    given = dict(option.split("=") for option in options)
    known = {option for parameter in up.params for option in parameter.opts}
    assert given.keys() <= known
    (port,) = container(objects)["ports"]
    assert given["--login-port"] == str(port["containerPort"])
    mounts = {mount["name"]: mount for mount in container(objects)["volumeMounts"]}
    assert given["--values"] == f"{mounts['values']['mountPath']}/values.yaml"
    # A file that is mounted alone is never brought up to date.
    assert mounts["values"]["readOnly"] is True
    assert all("subPath" not in mount for mount in mounts.values())
    assert given["--data-dir"].startswith(f"{mounts['data']['mountPath']}/")


def test_commands_in_its_pod_find_the_data(helm3: Helm) -> None:
    found = container(helm3.render(LEAST))
    (variable,) = found["env"]
    settings = read_settings({variable["name"]: variable["value"]})
    assert f"--data-dir={settings.data_dir}" in found["args"]


def test_it_is_asked_for_what_the_values_say(helm3: Helm) -> None:
    values = {
        "userLogin": {"mfa": {"mandatory": True, "gracePeriodDays": 7}, "session": {"hours": 876_000}},
        "secretStore": {"activeKey": ACTIVE, "rollingKey": ROLLING},
        "migration": {
            "batchSize": 50_000,
            "allowReverse": "012345678901",
            "tables": [
                {
                    "table": "t",
                    "idColumn": "i",
                    "tokenColumns": ["y"],
                    "where": {"digits": "0129", "on": True},
                }
            ],
        },
        "login": {**PUBLIC, "settingsPage": "tighten", "branding": {"title": "Größe <1> & more"}},
    }
    objects = helm3.render(LEAST, values)
    found = mounted(objects)
    read, wanted = read_values(found), read_values({**LEAST, **values})
    assert (read == wanted) is True
    login = login_config(found["login"])
    assert login == login_config(values["login"])
    # As `practicus-mfa up` would read the release's own file.
    assert found.keys() == {"database", "login", "migration", "secretStore", "userLogin"}


def test_other_keys_do_not_start_the_pod_anew(helm3: Helm) -> None:
    before, after = (
        helm3.render(LEAST, {"secretStore": {"activeKey": key}, "login": {"branding": {"title": key[:3]}}})
        for key in (ACTIVE, ROLLING)
    )
    assert (mounted(before) == mounted(after)) is False
    assert of_kind(before, "StatefulSet") == of_kind(after, "StatefulSet")


def test_keys_stand_in_the_secret_alone(helm3: Helm) -> None:
    objects = helm3.render(LEAST, {"secretStore": {"rollingKey": ROLLING}})
    text = json.dumps([tree for tree in objects if tree["kind"] != "Secret"])
    assert (any(key in text for key in (ACTIVE, ROLLING))) is False
