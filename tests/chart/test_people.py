"""What the chart lets people do with MfaPolicies; what an API server makes of it stands in tests/cluster."""

from __future__ import annotations

from typing import Final

from tests.support.chart import SEED, Helm, Tree

ON: Final = {"rbac": {"aggregateClusterRoles": True}}
READ, WRITE = ["get", "list", "watch"], ["create", "update", "patch", "delete", "deletecollection"]


def of_people(objects: list[Tree]) -> dict[str, Tree]:
    """Return the ClusterRoles that others take in."""
    return {
        tree["metadata"]["name"]: tree
        for tree in objects
        if tree["kind"] == "ClusterRole"
        and any(label.startswith("rbac.authorization.k8s.io/") for label in tree["metadata"]["labels"])
    }


def test_nobody_gets_anything_unasked(helm3: Helm) -> None:
    assert of_people(helm3.render(SEED)) == {}


def test_view_reads_policies_and_edit_and_admin_write_them(helm: Helm) -> None:
    roles = of_people(helm.render(SEED, ON))
    into = {
        name: sorted(
            label.rpartition("-to-")[2]
            for label, on in role["metadata"]["labels"].items()
            if label.startswith("rbac.authorization.k8s.io/aggregate-to-") and on == "true"
        )
        for name, role in roles.items()
    }
    assert into == {
        "login-practicus-mfa-view": ["admin", "edit", "view"],
        "login-practicus-mfa-edit": ["admin", "edit"],
    }
    for name, verbs in (("login-practicus-mfa-view", READ), ("login-practicus-mfa-edit", WRITE)):
        assert roles[name]["rules"] == [
            {"apiGroups": ["mfa.practicus.ai"], "resources": ["mfapolicies"], "verbs": verbs}
        ]


def test_no_account_of_the_release_is_bound_to_them(helm3: Helm) -> None:
    objects = helm3.render(SEED, ON)
    bound = {tree["roleRef"]["name"] for tree in objects if tree["kind"].endswith("RoleBinding")}
    assert bound.isdisjoint(of_people(objects))


def test_the_embedded_platform_has_no_policy_and_no_such_role(helm3: Helm) -> None:
    assert of_people(helm3.render(SEED, ON, {"database": {"embedded": {"enabled": True}}})) == {}
