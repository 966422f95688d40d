"""The cluster: objects are read, created, applied, replaced and deleted as plain trees.

Each call is one request (a list is one for each page), has its time limits and is not repeated. What is
absent is ``None``; everything else that is no success raises, as :mod:`practicus_mfa.kube.faults` tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from practicus_mfa.kube import discovery
from practicus_mfa.kube.exchange import JSON, READ_SECONDS, Access, Exchange
from practicus_mfa.kube.faults import Call, ExpiredError, gone, of_answer
from practicus_mfa.kube.objects import MANAGER, Kind, Tree, name_of, namespace_of
from practicus_mfa.kube.stream import Stream

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_PAGE: Final = 500
"""Objects of one request, as in kubectl."""

_METADATA: Final = "application/json;as={};g=meta.k8s.io;v=v1"
"""Asks for the metadata alone. Without an alternative in the list a server that can't would refuse (406), not
send everything. https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches"""

_APPLY: Final = "application/apply-patch+yaml"
"""Server-side apply. JSON is YAML (YAML 1.2, 1.3), and understood by servers older than ``+json``."""

_MERGE: Final = "application/merge-patch+json"
"""RFC 7386."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Which objects to list or to watch.

    Attributes:
        kind: Of the objects.
        namespace: ``None`` for all namespaces.
        name: The only object; empty for all. The server filters, so a right on that name is enough.
        labels: The labels that they must carry.
    """

    kind: Kind
    namespace: str | None
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def params(self) -> dict[str, str]:
        """As a query says it."""
        params = {}
        if self.labels:
            params["labelSelector"] = ",".join(f"{label}={value}" for label, value in self.labels)
        if self.name:
            params["fieldSelector"] = f"metadata.name={self.name}"
        return params

    def call(self, verb: str) -> Call:
        """As a call on the collection."""
        return Call(verb=verb, kind=self.kind, namespace=self.namespace)


class Cluster:
    """An API server, asked with the rights of one user; safe to be used by several threads."""

    def __init__(self, api: ApiClient, *, read_seconds: float = READ_SECONDS) -> None:
        """Use the connections and the credentials of *api*; *read_seconds* is the longest silence."""
        self._exchange: Final = Exchange(api, read_seconds=read_seconds)

    @property
    def server(self) -> str:
        """Host and port of the API server, for messages."""
        return self._exchange.server

    def access(self) -> Access:
        """Return how to reach the server now, for a library with connections of its own."""
        return self._exchange.access()

    def lists(self, kind: Kind) -> bool:
        """Return whether *kind* is among what the server lists as served: where libraries look for it."""
        return discovery.lists(self._exchange, kind)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Tree | None:
        """Return the object, ``None`` where there is none."""
        call = Call(verb="get", kind=kind, namespace=namespace, name=name)
        return self._unless_gone(call)

    def list(
        self, kind: Kind, namespace: str | None, *, labels: Mapping[str, str] | None = None
    ) -> list[Tree]:
        """Return all objects of the namespace, or of all namespaces, that carry *labels*.

        They are as of one moment, unless the server forgot that moment between two pages.
        """
        which = Collection(kind=kind, namespace=namespace, labels=tuple((labels or {}).items()))
        found: list[Tree] = []
        params = {**which.params, "limit": str(_PAGE)}
        while True:
            try:
                page = self._exchange.tree(which.call("list"), params=params)
            except ExpiredError:
                if "limit" not in params:
                    raise
                # Between two pages: all in one, then.
                found, params = [], which.params
                continue
            # The server names the kind once, for the list; an object read alone has it.
            found += [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            going_on = (page.get("metadata") or {}).get("continue")
            if not going_on:
                return found
            params["continue"] = going_on

    def create(self, kind: Kind, namespace: str | None, body: Tree) -> Tree:
        """Create the object.

        Raises:
            ConflictError: It exists.
        """
        call = Call(verb="create", kind=kind, namespace=namespace, name=name_of(body))
        return self._exchange.tree(call, params={"fieldManager": MANAGER}, body=body)

    def apply(self, kind: Kind, namespace: str | None, body: Tree) -> Tree:
        """Make the object's fields what *body* says, whoever set them before (KEP-555, server-side apply).

        Fields that an earlier apply named and this one doesn't are removed.

        Raises:
            ConflictError: *body* has a ``metadata.resourceVersion``, and the object another. A missing object
                is created all the same, unless *body* has its ``metadata.uid`` too.
        """
        call = Call(verb="patch", kind=kind, namespace=namespace, name=name_of(body))
        params = {"fieldManager": MANAGER, "force": "true"}
        return self._exchange.tree(call, params=params, body=body, content=_APPLY)

    def replace(self, kind: Kind, body: Tree) -> Tree:
        """Replace the object as a whole.

        Raises:
            ConflictError: It is not the one whose ``metadata.resourceVersion`` *body* has, or gone.
        """
        return self._replace(kind, body)

    def replace_status(self, kind: Kind, body: Tree) -> Tree:
        """Replace the object's status, and nothing else of it.

        Raises:
            ConflictError: It is not the one whose ``metadata.resourceVersion`` *body* has, or gone.
        """
        return self._replace(kind, body, sub="status")

    def merge(self, kind: Kind, namespace: str | None, name: str, patch: Tree) -> Tree | None:
        """Merge *patch* into the object (RFC 7386); ``None`` where there is none."""
        call = Call(verb="patch", kind=kind, namespace=namespace, name=name)
        return self._unless_gone(call, params={"fieldManager": MANAGER}, body=patch, content=_MERGE)

    def delete(self, kind: Kind, namespace: str | None, name: str) -> None:
        """Delete the object, and afterwards what it owns; that there is none is fine."""
        call = Call(verb="delete", kind=kind, namespace=namespace, name=name)
        self._unless_gone(call, params={"propagationPolicy": "Background"})

    def version(self, which: Collection) -> str:
        """Return the collection's ``resourceVersion``: the moment from which a watch can go on.

        One object's metadata is read at most: the version is that of the whole collection all the same.
        """
        page = self._exchange.tree(
            which.call("list"),
            params={**which.params, "limit": "1"},
            accept=_METADATA.format("PartialObjectMetadataList"),
        )
        return str((page.get("metadata") or {}).get("resourceVersion") or "")

    def watch(self, which: Collection, version: str, *, seconds: int, silence: float) -> Stream:
        """Open a stream of changes since *version*: metadata only.

        Args:
            which: The collection.
            version: From :meth:`version`, or of the last change that came.
            seconds: After these the server ends the stream.
            silence: Seconds of silence after which reading raises.

        Raises:
            ExpiredError: The server has forgotten *version*.
        """
        call = which.call("watch")
        response = self._exchange.open(
            call,
            params={
                **which.params,
                "watch": "true",
                "allowWatchBookmarks": "true",
                "resourceVersion": version,
                "timeoutSeconds": str(seconds),
            },
            accept=_METADATA.format("PartialObjectMetadata"),
            read_seconds=silence,
        )
        stream = Stream(response, call, self.server)
        if response.status != 200:
            with stream:
                raise of_answer(call, response.status, stream.rest(), response.headers)
        return stream

    def forget_idle(self) -> None:
        """Close the connections that nobody uses at the moment."""
        self._exchange.forget_idle()

    def _replace(self, kind: Kind, body: Tree, sub: str = "") -> Tree:
        call = Call(verb="update", kind=kind, namespace=namespace_of(body), name=name_of(body), sub=sub)
        return self._exchange.tree(call, params={"fieldManager": MANAGER}, body=body)

    def _unless_gone(
        self,
        call: Call,
        *,
        params: Mapping[str, str] | None = None,
        body: Tree | None = None,
        content: str = JSON,
    ) -> Tree | None:
        code, headers, data = self._exchange.answer(call, params=params, body=body, content=content)
        if code == 404 and gone(call, data):
            return None
        if not 200 <= code < 300:
            raise of_answer(call, code, data, headers)
        return self._exchange.read(data)
