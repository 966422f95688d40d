"""The definition of MfaPolicy, brought up to date by the operator that needs it.

Helm installs a chart's definitions once and never touches them again, so the chart hands its copy to the
operator. Of two releases in one cluster the newer definition wins: each one counts its changes in an
annotation, and none is replaced by an older one.
"""

from __future__ import annotations

from typing import Final

from practicus_mfa.errors import UsageError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.objects import Kind, Tree, name_of

DEFINITIONS: Final = Kind(
    api_version="apiextensions.k8s.io/v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
)
_ROLES: Final = Kind(
    api_version="rbac.authorization.k8s.io/v1", kind="ClusterRole", plural="clusterroles", namespaced=False
)

NUMBER: Final = "mfa.practicus.ai/definition"
"""The annotation that counts the changes of a definition."""


def bring_up_to_date(cluster: Cluster, ours: object, *, owner: str = "") -> bool:
    """Make the cluster's definition what *ours* says, unless the cluster's is newer.

    Args:
        cluster: The API server.
        ours: A CustomResourceDefinition.
        owner: A ClusterRole that the definition, and every object of it, goes with; '' for none.

    Returns:
        Whether it was applied.

    Raises:
        UsageError: *ours* is none or has no number, or the API server refuses it.
        UnreachableError: The API server can't be reached.
    """
    number = _number(ours) if isinstance(ours, dict) else None
    if not isinstance(ours, dict) or number is None:
        raise UsageError(
            f"This is no definition with the annotation {NUMBER}.",
            remedy="Use crds/mfapolicies.yaml of this release.",
        )
    name = name_of(ours)
    theirs = cluster.get(DEFINITIONS, None, name)
    if theirs is not None and (_number(theirs) or 0) > number:
        return False
    metadata = {"name": name, "annotations": ours["metadata"]["annotations"]}
    role = cluster.get(_ROLES, None, owner) if owner else None
    if role is not None:
        # Without it, an owner that an earlier apply named is removed.
        metadata["ownerReferences"] = [
            {
                "apiVersion": _ROLES.api_version,
                "kind": _ROLES.kind,
                "name": owner,
                "uid": role["metadata"]["uid"],
            }
        ]
    cluster.apply(DEFINITIONS, None, {**ours, "metadata": metadata})
    return True


def _number(definition: Tree) -> int | None:
    annotations = (definition.get("metadata") or {}).get("annotations") or {}
    text = str(annotations.get(NUMBER, ""))
    return int(text) if text.isascii() and text.isdecimal() else None
