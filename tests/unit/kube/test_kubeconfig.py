from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from practicus_mfa.errors import UsageError
from practicus_mfa.kube.kubeconfig import Context, choose

if TYPE_CHECKING:
    from pathlib import Path


def kubeconfig(path: Path, *names: str, current: str | None = None, **context: str) -> Path:
    tree: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "there", "cluster": {"server": "https://there.example"}}],
        "users": [{"name": "me", "user": {"exec": {"command": "/opt/bin/log-in"}}}],
        "contexts": [
            {"name": name, "context": {"cluster": "there", "user": "me", **context}} for name in names
        ],
    }
    if current is not None:
        tree["current-context"] = current
    path.write_text(yaml.safe_dump(tree))
    return path


def test_the_current_context_is_the_default(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", "staging", "production", current="production", namespace="auth")
    assert choose([file], None) == Context(
        name="production", cluster="there", user="me", namespace="auth", plugin="log-in"
    )
    assert choose([file], "staging").name == "staging"


def test_of_several_files_the_first_word_counts(tmp_path: Path) -> None:
    first = kubeconfig(tmp_path / "first", "shared", current="shared", namespace="one")
    second = kubeconfig(tmp_path / "second", "shared", "other", current="other", namespace="two")
    files = [tmp_path / "missing", first, second]
    assert choose(files, None).namespace == "one"
    assert choose(files, "other").namespace == "two"


def test_a_context_without_a_namespace_means_the_default_one(tmp_path: Path) -> None:
    assert choose([kubeconfig(tmp_path / "config", "a")], "a").namespace == "default"


def test_the_nearest_context_is_proposed(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", "staging", "production")
    with pytest.raises(UsageError, match="has no context prodution") as raised:
        choose([file], "prodution")
    assert raised.value.remedy == "Did you mean production?"


def test_all_contexts_are_listed_where_none_is_near(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", "staging", "production")
    with pytest.raises(UsageError) as raised:
        choose([file], "x")
    assert raised.value.remedy == "Name another with --context; there are: production, staging."


def test_a_missing_current_context_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no current context") as raised:
        choose([kubeconfig(tmp_path / "config", "staging")], None)
    assert raised.value.remedy == "Name one with --context; there are: staging."


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"There is no kubeconfig: {tmp_path}/config does not exist"):
        choose([tmp_path / "config"], None)


def test_a_context_needs_a_cluster(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", "a", cluster="elsewhere")
    with pytest.raises(UsageError, match="the context a has no cluster with a server"):
        choose([file], "a")


@pytest.mark.parametrize(
    "text", ["", "[]", "token: my-secret: x", "contexts: {}", "contexts: [1, {name: a}]"]
)
def test_what_is_no_kubeconfig_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(UsageError) as raised:
        choose([tmp_path / "config"], "a")
    assert "my-secret" not in f"{raised.value.message}{raised.value.__cause__}"
