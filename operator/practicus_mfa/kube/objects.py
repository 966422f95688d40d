"""The kinds of objects that this program reads and writes, and where the API server keeps them.

An object is the tree that the API server gave, nothing is left out and nothing converted: what a newer server
adds survives being written back. A :class:`Kind` knows paths; what stands in a tree is known to who reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from practicus_mfa.core.manifests import API_VERSION

Tree = dict[str, Any]
"""An object as JSON gives it."""

MANAGER: Final = "practicus-mfa-operator"
"""The field manager: the API server notes it beside each field that this program set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object.

    Attributes:
        api_version: Group and version, ``v1`` for the core group.
        kind: As it stands in a manifest.
        plural: As it stands in a path.
        namespaced: Its objects live in namespaces.
    """

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group as a role names it, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str | None, name: str = "", sub: str = "") -> str:
        """Return the path below the server's address.

        Args:
            namespace: Of the object or collection; ``None`` for all namespaces, or outside of them.
            name: Of the object; empty for the collection.
            sub: The subresource of the object, for example ``status``.
        """
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace is not None else ""
        object_path = "".join(f"/{quote(part, safe='')}" for part in (name, sub) if part)
        return f"{root}{within}/{self.plural}{object_path}"


POLICIES: Final = Kind(api_version=API_VERSION, kind="MfaPolicy", plural="mfapolicies")
SECRETS: Final = Kind(api_version="v1", kind="Secret", plural="secrets")
PODS: Final = Kind(api_version="v1", kind="Pod", plural="pods")
EVENTS: Final = Kind(api_version="v1", kind="Event", plural="events")
NAMESPACES: Final = Kind(api_version="v1", kind="Namespace", plural="namespaces", namespaced=False)
JOBS: Final = Kind(api_version="batch/v1", kind="Job", plural="jobs")
LEASES: Final = Kind(api_version="coordination.k8s.io/v1", kind="Lease", plural="leases")


def name_of(tree: Tree) -> str:
    """Return the object's name, empty where it has none yet."""
    return str(_metadata(tree).get("name") or "")


def namespace_of(tree: Tree) -> str | None:
    """Return the object's namespace, ``None`` outside of namespaces."""
    namespace = _metadata(tree).get("namespace")
    return str(namespace) if namespace else None


def version_of(tree: Tree) -> str:
    """Return the object's ``resourceVersion``: an opaque word that changes with each write of it."""
    return str(_metadata(tree).get("resourceVersion") or "")


def _metadata(tree: Tree) -> Tree:
    metadata = tree.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
