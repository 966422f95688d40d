"""The operator brings the definition of MfaPolicy up to date, and never back."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from practicus_mfa.documents import parse_yaml
from practicus_mfa.errors import UsageError
from practicus_mfa.kube.client import Cluster as Api
from practicus_mfa.kube.connect import connect
from practicus_mfa.kube.definition import DEFINITIONS, NUMBER, bring_up_to_date
from tests.support.cluster.access import Cluster

FILE: Final = Path(__file__).parents[2] / "crds" / "mfapolicies.yaml"
NAME: Final = "widgets.test.practicus.ai"


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    yield connect(kubeconfig=cluster.kubeconfig)[0]
    cluster.kubectl("delete", "crd", NAME, "--ignore-not-found", "--wait=true")


def definition(number: int, *, short: str = "wid") -> dict[str, Any]:
    """The product's own definition under another name: other tests need the right one."""
    tree = copy.deepcopy(parse_yaml(FILE.read_text("utf-8"), str(FILE)))
    assert isinstance(tree, dict)
    tree["metadata"] = {"name": NAME, "annotations": {NUMBER: str(number)}}
    tree["spec"]["group"] = "test.practicus.ai"
    tree["spec"]["names"] = {"kind": "Widget", "plural": "widgets", "shortNames": [short]}
    return tree


def short_name(api: Api) -> str:
    found = api.get(DEFINITIONS, None, NAME)
    assert found is not None
    return str(found["spec"]["names"]["shortNames"][0])


def owners(api: Api) -> list[object]:
    found = api.get(DEFINITIONS, None, NAME)
    assert found is not None
    return list(found["metadata"].get("ownerReferences", []))


def test_the_product_s_definition_has_a_number() -> None:
    tree = parse_yaml(FILE.read_text("utf-8"), str(FILE))
    assert isinstance(tree, dict)
    assert int(tree["metadata"]["annotations"][NUMBER]) >= 1


def test_an_older_definition_is_brought_up_to_date(api: Api, cluster: Cluster) -> None:
    # As Helm leaves it: made by another one, fields owned by that.
    cluster.kubectl("create", "-f", "-", input=json.dumps(definition(1)))
    assert bring_up_to_date(api, definition(2, short="wdg"))
    assert short_name(api) == "wdg"


def test_a_newer_definition_is_left_alone(api: Api) -> None:
    assert bring_up_to_date(api, definition(3, short="wdg"))
    assert not bring_up_to_date(api, definition(2))
    assert short_name(api) == "wdg"


def test_a_definition_from_before_there_were_numbers_is_older(api: Api, cluster: Cluster) -> None:
    old = definition(1)
    del old["metadata"]["annotations"]
    cluster.kubectl("create", "-f", "-", input=json.dumps(old))
    assert bring_up_to_date(api, definition(1, short="wdg"))
    assert short_name(api) == "wdg"


def test_a_definition_goes_with_its_owner_as_long_as_one_is_named(api: Api, cluster: Cluster) -> None:
    cluster.kubectl("create", "clusterrole", "widgets-owner", "--verb=get", "--resource=pods")
    uid = cluster.kubectl("get", "clusterrole", "widgets-owner", "-o=jsonpath={.metadata.uid}")
    owner = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "name": "widgets-owner"}

    bring_up_to_date(api, definition(1), owner="widgets-owner")
    assert owners(api) == [owner | {"uid": uid}]
    bring_up_to_date(api, definition(1))
    assert owners(api) == []
    cluster.kubectl("delete", "clusterrole", "widgets-owner")


@pytest.mark.parametrize("tree", [None, [], {}, {"metadata": {"name": NAME, "annotations": {NUMBER: "x"}}}])
def test_what_is_no_definition_is_refused(api: Api, tree: object) -> None:
    with pytest.raises(UsageError, match="no definition with the annotation"):
        bring_up_to_date(api, tree)
