from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from practicus_mfa.errors import UsageError
from practicus_mfa.kube.connect import connect
from practicus_mfa.kube.faults import UnauthenticatedError
from practicus_mfa.kube.objects import PODS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.scripted_api import ScriptedApi

IN_POD = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}


class AMinuteLater(datetime):
    """What the library knows of time, a minute from now."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> AMinuteLater:
        return super().now(tz) + timedelta(seconds=61)


def kubeconfig(path: Path, server: str, user: dict[str, Any]) -> Path:
    tree = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "there", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "main", "context": {"cluster": "there", "user": "me", "namespace": "auth"}}],
        "current-context": "main",
    }
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture
def account(tmp_path: Path) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("first")
    (folder / "ca.crt").write_text("a certificate")
    (folder / "namespace").write_text("operators")
    return folder


def sent_token(api: ScriptedApi, file: Path) -> str:
    api.answer({})
    cluster, namespace = connect(kubeconfig=file, environ={})
    assert namespace == "auth"
    cluster.get(PODS, "auth", "one")
    cluster.forget_idle()
    return api.asked[-1].headers["authorization"]


def test_the_flag_comes_before_the_environment_and_the_pod(
    tmp_path: Path, account: Path, api: ScriptedApi
) -> None:
    flag = kubeconfig(tmp_path / "flag", "https://flag.example", {"token": "t"})
    variable = kubeconfig(tmp_path / "variable", "https://variable.example", {"token": "t"})
    environ = {**IN_POD, "KUBECONFIG": f"{tmp_path}/missing:{variable}"}
    assert connect(kubeconfig=flag, environ=environ, service_account=account)[0].server == "flag.example"
    assert connect(environ=environ, service_account=account)[0].server == "variable.example"
    cluster, namespace = connect(environ=IN_POD, service_account=account)
    assert (cluster.server, namespace) == ("[fd00::1]:443", "operators")


def test_a_pods_token_is_read_anew_each_minute(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, _ = connect(environ=IN_POD, service_account=account)
    credentials = cluster._exchange._credentials
    (account / "token").write_text("second\n")
    assert credentials() == {"authorization": "bearer first"}

    monkeypatch.setattr("kubernetes.config.incluster_config.datetime.datetime", AMinuteLater)
    assert credentials() == {"authorization": "bearer second"}


def test_a_pods_lost_token_may_come_back(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, _ = connect(environ=IN_POD, service_account=account)
    (account / "token").unlink()

    monkeypatch.setattr("kubernetes.config.incluster_config.datetime.datetime", AMinuteLater)
    with pytest.raises(UnauthenticatedError, match="could not be read"):
        cluster.get(PODS, "auth", "one")


def test_a_broken_service_account_is_said(account: Path) -> None:
    (account / "ca.crt").unlink()
    with pytest.raises(UsageError, match=f"in {account}, can't be used"):
        connect(environ=IN_POD, service_account=account)


def test_a_token_file_of_a_kubeconfig_is_sent(tmp_path: Path, api: ScriptedApi) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    file = kubeconfig(tmp_path / "config", api.url, {"tokenFile": "token"})
    assert sent_token(api, file) == "Bearer from-a-file"


def test_a_plug_in_brings_the_credentials(tmp_path: Path, api: ScriptedApi) -> None:
    version = "client.authentication.k8s.io/v1"
    brought = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": "from-a-plug-in"}}
    program = ["-c", f"print({json.dumps(brought)!r})"]
    plugin = {"exec": {"apiVersion": version, "command": sys.executable, "args": program}}
    assert sent_token(api, kubeconfig(tmp_path / "config", api.url, plugin)) == "Bearer from-a-plug-in"


def test_a_plug_in_that_fails_is_named(tmp_path: Path) -> None:
    plugin = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/nowhere/log-in"}}
    file = kubeconfig(tmp_path / "config", "https://there.example", plugin)
    with pytest.raises(UsageError, match="the plug-in log-in gave no credentials for me"):
        connect(kubeconfig=file, environ={})


def test_credentials_that_do_not_exist_are_named_and_nothing_is_quoted(tmp_path: Path) -> None:
    user = {"client-certificate": "missing.crt", "client-key-data": "c2VjcmV0"}
    file = kubeconfig(tmp_path / "config", "https://there.example", user)
    with pytest.raises(UsageError, match="the credentials of the context main can't be used") as raised:
        connect(kubeconfig=file, environ={})
    assert "c2VjcmV0" not in raised.value.message
    assert raised.value.__cause__ is None
    assert file.read_text().count("c2VjcmV0") == 1


def test_another_library_is_told_how_to_reach_the_cluster_but_shows_no_token(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", "https://there.example", {"token": "token-of-mine"})
    access = connect(kubeconfig=file, environ={})[0]._exchange.access()
    assert (access.server, access.authorization) == ("https://there.example", "Bearer token-of-mine")
    assert "token-of-mine" not in repr(access)
