"""Names that YAML would take for something else stay text: a namespace of digits, a Secret called "off"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
import yaml

from tests.support.chart import CHART, Helm, Tree

ODD: Final = ("42", "1e3", "off", "null", "2026-11-29")
"""Names that Kubernetes takes."""


def named(name: str) -> Tree:
    """A values.yaml with *name* wherever a name may stand."""
    return {
        "secretStore": {"existingSecret": name},
        "database": {"existingSecret": name, "existingSecretKey": name, "login": {"existingSecret": name}},
        "login": {
            "ingress": {"enabled": True, "className": name, "tls": [{"secretName": name}]},
            "serviceAccount": {"name": name},
        },
        "operator": {"watchNamespaces": [name], "secretNames": [name]},
        "serviceAccount": {"name": name},
        "imagePullSecrets": [{"name": name}],
        "priorityClassName": name,
        "podLabels": {"a": name},
        "image": {"tag": name},
        "rbac": {"aggregateClusterRoles": True},
        "metrics": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
        "networkPolicy": {"enabled": True},
    }


def scalars(node: object, place: str) -> Iterator[tuple[str, object]]:
    """Yield what stands in a tree, each by its place."""
    match node:
        case dict():
            for name, below in node.items():
                yield from scalars(below, f"{place}.{name}")
        case list():
            for below in node:
                yield from scalars(below, f"{place}[]")
        case _:
            yield place, node


def kinds(helm: Helm, name: str) -> dict[tuple[str, str], set[type]]:
    """Return which types of values stand at each place of each object."""
    more = ("cookieDomain: example.com", "trustedProxies: [10.0.0.0/8]", "host: login.example.com")
    lines = f"login: {{{', '.join(more)}, traefikMiddleware: {{enabled: true}}}}"
    text = helm.run("template", "mfa", str(CHART), f"--namespace={name}", values=(named(name), lines))
    found: dict[tuple[str, str], set[type]] = {}
    for tree in yaml.safe_load_all(text):
        for place, value in scalars(tree, tree["kind"]) if tree else ():
            found.setdefault((tree["metadata"]["name"].replace(name, "NAME"), place), set()).add(type(value))
    return found


@pytest.mark.parametrize("name", ODD)
def test_what_stands_for_a_name_is_text_whatever_it_looks_like(helm3: Helm, name: str) -> None:
    assert kinds(helm3, name) == kinds(helm3, "usual")


def test_so_is_a_release_s(helm3: Helm) -> None:
    for tree in helm3.render(
        {"secretStore": {"existingSecret": "k"}, "metrics": {"podMonitor": {"enabled": True}}}, release="42"
    ):
        labels = tree["metadata"]["labels"]
        assert (type(tree["metadata"]["name"]), labels["app.kubernetes.io/instance"]) == (str, "42")
