"""Every value of the chart: each does something, and the same values make the same objects."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Final

import pytest
import yaml

from practicus_mfa.core.parse.login import login_config
from practicus_mfa.core.parse.values import read_values
from tests.support.chart import CHART, NAMESPACE, Helm, HelmError, Tree

EXAMPLES: Final[dict[str, Tree]] = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((CHART / "ci").glob("*-values.yaml"))
}
VALUES: Final[Tree] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))

Path = tuple[str, ...]

# A release's own namespace has to be among them: no example of a file.
WATCHED: Final = {"operator": {"watchNamespaces": [NAMESPACE, "team-a"], "secretNames": ["more"]}}
# Where somebody else makes the account.
ACCOUNTS: Final = {
    "serviceAccount": {"create": False, "name": "theirs"},
    "login": {
        "serviceAccount": {"create": False, "name": "theirs"},
        "podDisruptionBudget": {"enabled": False},
        "host": "login.example.com",
    },
    "database": {"existingSecret": "db"},
}
LEAST: Final[Tree] = EXAMPLES["least"]
TRIED: Final[dict[str, Tree]] = {
    **EXAMPLES,
    "namespaces": LEAST | WATCHED,
    "accounts": LEAST | ACCOUNTS,
}


def leaves(tree: Tree, above: Path = ()) -> Iterator[Path]:
    """Yield the path of each value; a section that is empty by default takes what is put there."""
    for name, below in tree.items():
        path = (*above, name)
        known = at(VALUES, path)
        if isinstance(below, dict) and isinstance(known, dict) and known and path not in FREE:
            yield from leaves(below, path)
        else:
            yield path


# Sections whose names are the user's.
FREE: Final = {("metrics", "dashboard", "labels"), ("resources",), ("login", "resources")}


def at(tree: Tree, path: Path) -> object:
    found: object = tree
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def without(tree: Tree, path: Path) -> Tree:
    copy = deepcopy(tree)
    section = copy
    for name in path[:-1]:
        section = section[name]
    del section[path[-1]]
    return copy


def rendered(helm: Helm, values: Tree) -> str:
    try:
        return helm.run("template", "mfa", str(CHART), f"--namespace={NAMESPACE}", values=(values,))
    except HelmError as error:
        return str(error)


@pytest.mark.parametrize("name", EXAMPLES)
def test_lint_finds_nothing(helm: Helm, name: str) -> None:
    assert "[WARNING]" not in helm.run("lint", "--strict", str(CHART), values=(EXAMPLES[name],))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_same_values_make_the_same_objects_byte_by_byte(helm: Helm, name: str) -> None:
    first, second = (
        helm.run("template", "mfa", str(CHART), f"--namespace={NAMESPACE}", values=(EXAMPLES[name],))
        for _ in range(2)
    )
    assert first == second
    assert 'app.kubernetes.io/instance: "mfa"' in first


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_product_reads_the_same_file(name: str) -> None:
    # `practicus-mfa up` takes the values.yaml of a release as it is.
    values = EXAMPLES[name]
    read_values(values)
    if "login" in values:
        login_config(values["login"])


def test_every_value_does_something(helm3: Helm) -> None:
    effective = set()
    for values in TRIED.values():
        whole = rendered(helm3, values)
        assert 'app.kubernetes.io/instance: "mfa"' in whole, whole
        effective |= {
            path
            for path in leaves(values)
            if path not in effective and rendered(helm3, without(values, path)) != whole
        }
    assert set(leaves(VALUES)) - effective == set()


def test_a_section_that_is_null_is_the_default(helm3: Helm) -> None:
    # "resources: null" asks for pods without any; a label for a dashboard may go too.
    sections = [name for name in VALUES if name not in {*LEAST, "resources", "crds"}]
    nothing: Tree = dict.fromkeys(sections)
    assert rendered(helm3, LEAST | nothing) == rendered(helm3, LEAST)
    usual = EXAMPLES["usual"]
    within = {
        "login": usual["login"]
        | dict.fromkeys(name for name in VALUES["login"] if name not in usual["login"]),
        "networkPolicy": usual["networkPolicy"] | {"dns": None, "database": None, "apiServer": None},
    }
    within["login"] |= {"resources": VALUES["login"]["resources"], "branding": VALUES["login"]["branding"]}
    assert rendered(helm3, usual | within) == rendered(helm3, usual)


def test_objects_of_two_releases_have_two_names(helm3: Helm) -> None:
    def names(release: str) -> set[tuple[str, str]]:
        objects = helm3.render(EXAMPLES["everything"], release=release)
        return {(tree["kind"], tree["metadata"]["name"]) for tree in objects}

    shared = names("one") & names("two")
    # Accounts that the example names are its own matter.
    assert shared == {("ServiceAccount", "operator"), ("ServiceAccount", "people")}


def test_no_object_stands_outside_of_the_release_s_namespace_unless_it_has_none(helm3: Helm) -> None:
    cluster_wide = {
        "ClusterRole",
        "ClusterRoleBinding",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    for tree in helm3.render(EXAMPLES["everything"]):
        wanted = None if tree["kind"] in cluster_wide else NAMESPACE
        assert tree["metadata"].get("namespace") == wanted, tree["kind"]
        assert tree["metadata"]["labels"]["app.kubernetes.io/instance"] == "practicus-mfa"
