"""One operator for many tests: each has a policy of its own name, and a database of its own.

An operator takes a while to start and looks after many policies anyway. Tests that stop it, or that count
what it does, start one of their own.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from practicus_mfa.kube.children import archive_name
from practicus_mfa.kube.objects import POLICIES, SECRETS
from tests.support.cluster.operating import ClusterInstallation
from tests.support.cluster.pretend_node import PretendNode
from tests.support.cluster.warm_program import warm_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.access import Cluster
    from tests.support.cluster.operating import OperatorProcess


@dataclass(frozen=True)
class SharedOperator:
    """An operator of two namespaces, the first of which has what runs Jobs.

    Attributes:
        access: The cluster.
        root: Where logs go.
        namespaces: The two.
        node: What runs the pods of Jobs.
        process: The operator.
    """

    access: Cluster
    root: Path
    namespaces: tuple[str, str]
    node: PretendNode
    process: OperatorProcess
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @contextmanager
    def installation(
        self, database_url: str, *, name: str = "", namespace: str = ""
    ) -> Iterator[ClusterInstallation]:
        """An installation without a policy; its objects are gone at the end."""
        made = _installation(
            self.access,
            self.root,
            namespace or self.namespaces[0],
            database_url,
            name or f"policy-{next(self.numbers)}",
        )
        try:
            yield made
        finally:
            made.cluster.delete(POLICIES, made.namespace, made.name)
            for secret in (
                f"{made.name}-secret-store",
                f"{made.name}-database",
                made.keyring_name,
                archive_name(made.name),
            ):
                made.cluster.delete(SECRETS, made.namespace, secret)


@contextmanager
def shared_operator(access: Cluster, root: Path) -> Iterator[SharedOperator]:
    """Run an operator and a pretended node."""
    first, second = access.create_namespace(), access.create_namespace()
    anyone = _installation(access, root, first, "", "nobody")
    with (
        warm_program() as warm,
        PretendNode(anyone.cluster, first, root / "pods", warm=warm) as node,
        anyone.operator(watchNamespaces=[first, second], resyncSeconds=2) as process,
    ):
        yield SharedOperator(access, root, (first, second), node, process)
    for namespace in (first, second):
        access.delete_namespace(namespace)


def _installation(access: Cluster, root: Path, namespace: str, url: str, name: str) -> ClusterInstallation:
    return ClusterInstallation.within(access, namespace, root, url, name=name)
