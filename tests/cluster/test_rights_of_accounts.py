"""What each account of a release may do, as the API server says: this much, there, and nothing more.

Left out below is what every account may: ask who it is and what it may do, and read which kinds there are.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.children import COMPONENT
from tests.support.chart import CHART, SEED, Helm
from tests.support.cluster.fresh_release import RELEASE, fresh_release, program
from tests.support.cluster.rights import NOBODY, Rights, await_in_force, rights, rules
from tests.support.cluster.steps import NAMES
from tests.support.login_site import HOST
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.chart import Tree
    from tests.support.cluster.access import Cluster
    from tests.support.cluster.with_node import NodeCluster

NOTHING: Final = Rights({})

SERVED: Final = {
    "mfa.practicus.ai/mfapolicies": "get list patch watch",
    "mfa.practicus.ai/mfapolicies/status": "get patch update",
    "batch/jobs": "create delete get list patch watch",
    "pods": "get list patch watch",
    "events": "create patch",
}
"""What the operator does wherever it serves policies, Secrets apart."""

EVERYWHERE: Final = SERVED | {
    "secrets": "create get list patch update watch",
    "namespaces": "get",
    "apiextensions.k8s.io/customresourcedefinitions [mfapolicies.mfa.practicus.ai]": "get patch",
}
"""What an operator of the whole cluster does in each namespace of it."""

LISTED: Final = (
    SERVED
    | {"secrets": "create"}
    | {
        f"secrets [{name}]": "get list patch update watch"
        for name in ("mfa-secret-store", "mfa-keyring", "mfa-keyring-archive", "mfa-database", "extra")
    }
)
"""What an operator of some namespaces does in each of these."""

TOKEN: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where Kubernetes puts it."""

LEASE: Final = {
    "coordination.k8s.io/leases": "create",
    "coordination.k8s.io/leases [practicus-mfa-operator]": "get patch update",
}
"""What it does in its release's own."""


@pytest.fixture
def helm(cluster: Cluster) -> Helm:
    return Helm(program("helm3"), kubeconfig=cluster.kubeconfig)


@contextmanager
def installed(
    cluster: Cluster,
    helm: Helm,
    namespace: str,
    *values: Tree,
    watched: Sequence[str] = (),
    **operator: object,
) -> Iterator[None]:
    """A release with *values*, whose operator serves the *watched* namespaces or all, during the ``with``.

    What it gives to its accounts is in force.
    """
    # Nothing runs: what accounts may do is known without.
    nothing_runs = {
        "operator": {"replicas": 0, "watchNamespaces": list(watched), **operator},
        "login": {"host": HOST, "replicas": 0},
        "database": {"url": "postgresql://user:word@database.example.com/mfa"},
    }
    helm.run("install", RELEASE, str(CHART), f"--namespace={namespace}", values=(SEED, nothing_runs, *values))
    try:
        for account in accounts(cluster, namespace):
            for place in {namespace, *watched}:
                await_in_force(cluster, namespace, account, place)
        yield
    finally:
        helm.run("uninstall", RELEASE, f"--namespace={namespace}")


@pytest.fixture
def elsewhere(cluster: Cluster) -> Iterator[str]:
    """Another namespace of the cluster."""
    name = cluster.create_namespace()
    yield name
    cluster.delete_namespace(name)


def accounts(cluster: Cluster, namespace: str) -> list[str]:
    """The names of a namespace's accounts."""
    found = json.loads(cluster.kubectl("get", "serviceaccounts", "-n", namespace, "-o=json"))["items"]
    return sorted(account["metadata"]["name"] for account in found)


def test_an_operator_of_the_cluster_may_do_this_and_nobody_else_anything(
    cluster: Cluster, helm: Helm, namespace: str, elsewhere: str
) -> None:
    before = rules(cluster, namespace, NOBODY, namespace)
    with installed(cluster, helm, namespace):
        assert accounts(cluster, namespace) == ["default", "mfa-login", "mfa-operator"]
        assert rights(cluster, namespace, "mfa-operator", namespace) == Rights(EVERYWHERE | LEASE)
        for other in (elsewhere, "kube-system", "default"):
            assert rights(cluster, namespace, "mfa-operator", other) == Rights(EVERYWHERE)
        # Jobs run as the account "default" of their policy's namespace.
        for place in (namespace, elsewhere, "kube-system"):
            assert rights(cluster, namespace, "mfa-login", place) == NOTHING
            assert rights(cluster, namespace, "default", place) == NOTHING
            assert rights(cluster, elsewhere, "default", place) == NOTHING
        assert rules(cluster, namespace, NOBODY, namespace) == before


def test_an_operator_of_namespaces_may_do_this_there_and_nothing_anywhere_else(
    cluster: Cluster, helm: Helm, namespace: str, elsewhere: str
) -> None:
    before = rules(cluster, namespace, NOBODY, namespace)
    with installed(cluster, helm, namespace, watched=[namespace, elsewhere], secretNames=["extra"]):
        assert accounts(cluster, namespace) == ["default", "mfa-login", "mfa-migration", "mfa-operator"]
        assert accounts(cluster, elsewhere) == ["default", "mfa-migration"]
        here, there = ({f"namespaces [{place}]": "get"} for place in (namespace, elsewhere))
        assert rights(cluster, namespace, "mfa-operator", namespace) == Rights(LISTED | here | LEASE)
        assert rights(cluster, namespace, "mfa-operator", elsewhere) == Rights(LISTED | there)
        for other in ("kube-system", "default"):
            assert rights(cluster, namespace, "mfa-operator", other) == NOTHING
        for place in (namespace, elsewhere, "kube-system"):
            for account in ("mfa-login", "mfa-migration", "default"):
                assert rights(cluster, namespace, account, place) == NOTHING
            assert rights(cluster, elsewhere, "mfa-migration", place) == NOTHING
        assert rules(cluster, namespace, NOBODY, namespace) == before


# --- people -----------------------------------------------------------------------------------------------


def with_policies(cluster: Cluster, home: str, people: str, namespace: str) -> dict[str, str]:
    """What people may do with what belongs to the product."""
    found = rights(cluster, home, people, namespace).resources
    return {what: verbs for what, verbs in found.items() if what.startswith("mfa.practicus.ai/")}


def test_people_may_read_or_write_policies_where_they_read_or_write_the_rest(
    cluster: Cluster, helm: Helm, namespace: str, elsewhere: str
) -> None:
    for role in ("view", "edit", "admin"):
        cluster.kubectl(
            *("create", "rolebinding", f"people-{role}", "-n", namespace),
            *(f"--clusterrole={role}", f"--serviceaccount={namespace}:people-{role}"),
        )

    def seen(place: str) -> dict[str, dict[str, str]]:
        return {
            role: with_policies(cluster, namespace, f"people-{role}", place)
            for role in ("view", "edit", "admin")
        }

    read, write = "get list watch", "create delete deletecollection get list patch update watch"
    # Nothing of mfapolicies/status or mfapolicies/finalizers, and nothing that was not asked for.
    wanted = {
        "view": {"mfa.practicus.ai/mfapolicies": read},
        "edit": {"mfa.practicus.ai/mfapolicies": write},
        "admin": {"mfa.practicus.ai/mfapolicies": write},
    }
    nothing: dict[str, dict[str, str]] = {"view": {}, "edit": {}, "admin": {}}
    with installed(cluster, helm, namespace):
        assert seen(namespace) == nothing
    with installed(cluster, helm, namespace, {"rbac": {"aggregateClusterRoles": True}}):
        until(lambda: seen(namespace) == wanted, "the cluster's roles to take them in")
        assert seen(elsewhere) == nothing
        # The accounts of the release get nothing by it.
        assert rights(cluster, namespace, "mfa-operator", namespace) == Rights(EVERYWHERE | LEASE)
        assert rights(cluster, namespace, "mfa-login", namespace) == NOTHING
    until(lambda: seen(namespace) == nothing, "the cluster's roles to give them back")


# --- pods -------------------------------------------------------------------------------------------------


def tokens(pod: Tree) -> list[str]:
    """Where a pod's containers find a token of its account, as the API server let the pod in."""
    holders = {
        volume["name"]
        for volume in pod["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    }
    return [
        mount["mountPath"]
        for container in pod["spec"]["containers"]
        for mount in container["volumeMounts"]
        if mount["name"] in holders
    ]


def test_of_all_pods_the_operator_s_alone_have_a_token(
    node_cluster: NodeCluster, tmp_path: Path, pods_postgres_url: str
) -> None:
    old, new = generate_key(), generate_key()
    with fresh_release(node_cluster, tmp_path, pods_postgres_url) as release:
        release.apply("install", old)
        release.await_ready()
        release.await_people()
        release.installation.enrol(*NAMES)
        release.apply("upgrade", new, old)
        release.await_ready()
        told = release.helm.run("test", RELEASE, f"--namespace={release.installation.namespace}", "--logs")
        assert re.search(r"^Phase: +Succeeded$", told, re.MULTILINE)
        assert ":8080/readyz\nready\n" in told
        pods = json.loads(release.kubectl("get", "pods", "-o=json"))["items"]
        found = {
            (pod["metadata"]["labels"][COMPONENT], pod["spec"]["serviceAccountName"], *tokens(pod))
            for pod in pods
        }
        assert found == {
            ("operator", "mfa-operator", TOKEN),
            ("login", "mfa-login"),
            ("migration", "default"),
            ("test", "mfa-login"),
        }
        look = ("python", "-c", f"import os; print(os.path.exists({TOKEN!r}))")
        seen = {
            component: release.kubectl("exec", f"deploy/mfa-{component}", "--", *look).strip()
            for component in ("operator", "login")
        }
        assert seen == {"operator": "True", "login": "False"}
