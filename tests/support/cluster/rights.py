"""What an account may do in a namespace, as the API server says of it (SelfSubjectRulesReview)."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.cluster.access import Cluster

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
NOBODY: Final = "nobody"
"""An account that is not there: nobody gave it anything."""

Rules = frozenset[tuple[str, str]]
"""Pairs of what and a verb."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What an account may do beyond what every account may.

    Attributes:
        resources: Verbs by ``group/resource``, and the name in brackets where there is one.
        paths: Verbs with paths that belong to no resource.
    """

    resources: dict[str, str]
    paths: frozenset[str] = frozenset()


def rights(cluster: Cluster, home: str, account: str, namespace: str) -> Rights:
    """Return what an account may do in a namespace.

    Args:
        cluster: Where.
        home: The account's namespace.
        account: Its name; there need be no such account.
        namespace: Where in the cluster.
    """
    its, everybodys = rules(cluster, home, account, namespace), rules(cluster, home, NOBODY, namespace)
    assert everybodys <= its
    resources: dict[str, set[str]] = defaultdict(set)
    for what, verb in its - everybodys:
        resources[what].add(verb)
    paths = {f"{verb} {what}" for what, verb in its - everybodys if what.startswith("/")}
    verbs = {what: " ".join(sorted(found)) for what, found in resources.items() if what[0] != "/"}
    return Rights(verbs, frozenset(paths))


def rules(cluster: Cluster, home: str, account: str, namespace: str) -> Rules:
    """Return all that an account may do there, with what every account may."""
    status = _reviewed(cluster, home, account, namespace)
    assert not status["incomplete"], status.get("evaluationError")
    return _spelled_out(status["resourceRules"] + status["nonResourceRules"])


def await_in_force(cluster: Cluster, home: str, account: str, namespace: str) -> None:
    """Wait until the API server lets an account do what bindings give it in a namespace, and in the cluster.

    It hears of roles and bindings by watches, as everybody does, so a first request can come before it has.
    """
    given = _given(cluster, home, account, namespace)
    if not given:
        return

    def known() -> bool:
        status = _reviewed(cluster, home, account, namespace)
        # Incomplete where it knows a binding, and its role not yet.
        told = _spelled_out(status["resourceRules"] + status["nonResourceRules"])
        return not status["incomplete"] and given <= told

    until(known, f"the rights of {home}/{account} in {namespace}")


def _given(cluster: Cluster, home: str, account: str, namespace: str) -> Rules:
    """Return what the roles say that an account is bound to."""
    kinds = "rolebindings,clusterrolebindings"
    bindings = json.loads(cluster.kubectl("get", kinds, "-n", namespace, "-o=json"))["items"]
    who = {"kind": "ServiceAccount", "name": account, "namespace": home}
    roles = {
        f"{binding['roleRef']['kind']}/{binding['roleRef']['name']}"
        for binding in bindings
        if any(who.items() <= subject.items() for subject in binding.get("subjects") or ())
    }
    if not roles:
        return frozenset()
    answer = json.loads(cluster.kubectl("get", *sorted(roles), "-n", namespace, "-o=json"))
    found = answer.get("items", [answer])
    return _spelled_out([rule for role in found for rule in role.get("rules") or ()])


def _reviewed(cluster: Cluster, home: str, account: str, namespace: str) -> dict[str, Any]:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    # The API server knows an account's groups by its name.
    who = f"--as=system:serviceaccount:{home}:{account}"
    answer = cluster.kubectl("create", f"--raw={_REVIEWS}", "-f", "-", who, input=json.dumps(review))
    status: dict[str, Any] = json.loads(answer)["status"]
    return status


def _spelled_out(found: Iterable[dict[str, Any]]) -> Rules:
    return frozenset((what, verb) for rule in found for what in _named(rule) for verb in rule["verbs"])


def _named(rule: dict[str, Any]) -> list[str]:
    if "nonResourceURLs" in rule:
        return list(rule["nonResourceURLs"])
    return [
        f"{group}/{resource}".removeprefix("/") + (f" [{name}]" if name else "")
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
    ]
