"""An API server in memory, for tests of what is said to it; tests/cluster has a real one.

Like the real one it counts a ``resourceVersion`` up with each write that changes something, refuses a write
with another version or ``uid`` than the object's, keeps a status apart where the kind has one, and gives away
copies. Unlike it: nothing is validated or defaulted, an apply merges without remembering who owns which
field, nothing that an object owns is deleted with it, and there are no watches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from itertools import count
from typing import Final
from uuid import UUID

from practicus_mfa.core.status import instant
from practicus_mfa.errors import MfaError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import ConflictError
from practicus_mfa.kube.objects import JOBS, PODS, POLICIES, Kind, Tree, name_of, namespace_of

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
WITH_STATUS: Final = frozenset({POLICIES, JOBS, PODS})
"""Kinds whose status is written apart."""
COUNTED: Final = frozenset({POLICIES, JOBS})
"""Kinds whose ``metadata.generation`` counts changes of the spec."""

Where = tuple[Kind, str | None, str]


class FakeCluster(Cluster):
    """The interface of the real one.

    Attributes:
        calls: What was asked, in order: ``("get", "Secret", "name")``; the name of a list is ''.
        refuse: Asked before each call; an error that it returns is raised in place of an answer.
        now: The server's clock.
    """

    def __init__(self) -> None:  # without the connections of the real one
        self.calls: list[tuple[str, str, str]] = []
        self.refuse: Callable[[str, Kind, str], MfaError | None] = lambda _verb, _kind, _name: None
        self.now = START
        self._objects: dict[Where, Tree] = {}
        self._numbers = count(1)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Tree | None:
        self._called("get", kind, name)
        return deepcopy(self._objects.get((kind, namespace, name)))

    def list(
        self, kind: Kind, namespace: str | None, *, labels: Mapping[str, str] | None = None
    ) -> list[Tree]:
        self._called("list", kind, "")
        wanted = dict(labels or {}).items()
        return [
            deepcopy(tree)
            for (its_kind, its_namespace, _), tree in sorted(
                self._objects.items(), key=lambda item: item[0][2]
            )
            if its_kind == kind
            and namespace in {None, its_namespace}
            and wanted <= (tree["metadata"].get("labels") or {}).items()
        ]

    def create(self, kind: Kind, namespace: str | None, body: Tree) -> Tree:
        name = name_of(body)
        self._called("create", kind, name)
        if (kind, namespace, name) in self._objects:
            raise _conflict(name)
        return self._create(kind, namespace, body)

    def apply(self, kind: Kind, namespace: str | None, body: Tree) -> Tree:
        name = name_of(body)
        self._called("patch", kind, name)
        present = self._objects.get((kind, namespace, name))
        if present is None:
            # A version does not keep the real one from creating it; a uid does.
            if body["metadata"].get("uid"):
                raise _conflict(name)
            return self._create(kind, namespace, body)
        _check(present, body)
        return self._keep(kind, namespace, _merged(present, body), status=present.get("status"))

    def replace(self, kind: Kind, body: Tree) -> Tree:
        present = self._present("update", kind, body)
        kept = {name: present["metadata"][name] for name in ("uid", "creationTimestamp")}
        body = {**body, "metadata": {**body["metadata"], **kept}}
        return self._keep(kind, namespace_of(body), body, status=present.get("status"))

    def replace_status(self, kind: Kind, body: Tree) -> Tree:
        present = self._present("update", kind, body)
        return self._keep(kind, namespace_of(body), present, status=body.get("status"))

    def merge(self, kind: Kind, namespace: str | None, name: str, patch: Tree) -> Tree | None:
        self._called("patch", kind, name)
        present = self._objects.get((kind, namespace, name))
        if present is None:
            return None
        _check(present, patch)
        return self._keep(kind, namespace, _merged(present, patch), status=present.get("status"))

    def delete(self, kind: Kind, namespace: str | None, name: str) -> None:
        self._called("delete", kind, name)
        self._objects.pop((kind, namespace, name), None)

    def put(self, kind: Kind, tree: Tree) -> Tree:
        """Make *tree* an object, status included, whatever was there: what others did meanwhile."""
        where = (kind, namespace_of(tree), name_of(tree))
        present = self._objects.pop(where, None)
        kept = {"uid": present["metadata"]["uid"]} if present else {}
        self._create(kind, where[1], {**tree, "metadata": {**kept, **tree["metadata"]}})
        return self._keep(kind, where[1], self._objects[where], status=tree.get("status"))

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return the names of all objects of *kind*."""
        return tuple(sorted(name for its_kind, _, name in self._objects if its_kind == kind))

    def _called(self, verb: str, kind: Kind, name: str) -> None:
        self.calls.append((verb, kind.kind, name))
        if (error := self.refuse(verb, kind, name)) is not None:
            raise error

    def _present(self, verb: str, kind: Kind, body: Tree) -> Tree:
        self._called(verb, kind, name_of(body))
        present = self._objects.get((kind, namespace_of(body), name_of(body)))
        if present is None:
            raise _conflict(name_of(body))
        _check(present, body)
        return present

    def _create(self, kind: Kind, namespace: str | None, body: Tree) -> Tree:
        number = next(self._numbers)
        made = {
            "uid": str(UUID(int=number)),
            "creationTimestamp": instant(self.now),
            **body["metadata"],
            "resourceVersion": str(number),
        }
        if namespace is not None:
            made["namespace"] = namespace
        if kind in COUNTED:
            made.setdefault("generation", 1)
        tree = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            **deepcopy(body),
            "metadata": deepcopy(made),
        }
        if kind in WITH_STATUS:
            tree.pop("status", None)
        self._objects[kind, namespace, name_of(body)] = tree
        return deepcopy(tree)

    def _keep(self, kind: Kind, namespace: str | None, tree: Tree, *, status: object) -> Tree:
        where = (kind, namespace, name_of(tree))
        present = self._objects[where]
        tree = deepcopy(tree)
        tree["metadata"]["resourceVersion"] = present["metadata"]["resourceVersion"]
        if kind in WITH_STATUS:
            tree.pop("status", None)
            tree |= {"status": deepcopy(status)} if status is not None else {}
        if kind in COUNTED:
            changed = tree.get("spec") != present.get("spec")
            tree["metadata"]["generation"] = present["metadata"]["generation"] + changed
        if tree != present:
            tree["metadata"]["resourceVersion"] = str(next(self._numbers))
            self._objects[where] = tree
        return deepcopy(tree)


def _conflict(name: str) -> ConflictError:
    return ConflictError(f"{name} is not what it was", remedy="Try again.")


def _check(present: Tree, body: Tree) -> None:
    expected = body.get("metadata") or {}
    for part in ("resourceVersion", "uid"):
        if expected.get(part) not in {None, present["metadata"][part]}:
            raise _conflict(name_of(present))


def _merged(present: Tree, patch: Tree) -> Tree:
    """Merge as RFC 7386 has it: sections name by name, null removes, anything else takes the place."""
    merged = dict(present)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = _merged(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged
