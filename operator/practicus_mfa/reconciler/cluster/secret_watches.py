"""Watches on the Secrets that policies name: their changes are seen, their contents never are.

In cluster mode there is one watch, and what no policy names is passed over. Confined to some namespaces the
operator may know single Secrets only, so there is a watch for each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from practicus_mfa.kube.children import keyring_name
from practicus_mfa.kube.client import Cluster, Collection
from practicus_mfa.kube.objects import SECRETS, Tree
from practicus_mfa.kube.watch import Watch
from practicus_mfa.reconciler.cluster.queue import Key

Named = tuple[str, str]
"""A Secret's namespace and name."""


def named_by(policy: Tree) -> frozenset[Named]:
    """Return the Secrets that *policy* depends on, the keyring included."""
    metadata, spec = policy["metadata"], policy.get("spec") or {}
    refs: Iterable[Mapping[str, object]] = (
        spec.get(field_name) or {} for field_name in ("secretStoreRef", "databaseRef")
    )
    names = {str(ref["name"]) for ref in refs if ref.get("name")} | {keyring_name(metadata["name"])}
    return frozenset((metadata["namespace"], name) for name in names)


@dataclass(slots=True, kw_only=True)
class SecretWatches:
    """Tells which policies a changed Secret concerns.

    Attributes:
        cluster: The API server.
        cluster_wide: Whether one watch may see all Secrets' names.
        told: Called with each policy that is concerned.
    """

    cluster: Cluster
    cluster_wide: bool
    told: Callable[[Key], None]
    _needed: dict[Key, frozenset[Named]] = field(default_factory=dict)
    _watches: dict[Named | None, Watch] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, key: Key, secrets: frozenset[Named]) -> None:
        """Tell of changes of *secrets*, in place of those that *key* needed before; none: forget it."""
        with self._lock:
            if secrets:
                self._needed[key] = secrets
            else:
                self._needed.pop(key, None)
            wanted: set[Named | None] = {None} if self.cluster_wide else set().union(*self._needed.values())
            over = [self._watches.pop(named) for named in self._watches.keys() - wanted]
            for named in wanted - self._watches.keys():
                self._watches[named] = self._started(named)
        for watch in over:
            watch.stop()

    def _started(self, named: Named | None) -> Watch:
        namespace, name = named or (None, "")
        which = Collection(kind=SECRETS, namespace=namespace, name=name)
        watch = Watch(self.cluster, which, self._changed)
        watch.start()
        return watch

    def _changed(self, namespace: str | None, name: str | None) -> None:
        """Pass a change on; without a name anything may have changed while nobody watched."""
        with self._lock:
            concerned = [
                key for key, secrets in self._needed.items() if name is None or (namespace, name) in secrets
            ]
        for key in concerned:
            self.told(key)

    def stop(self) -> None:
        """End every watch."""
        with self._lock:
            watches = list(self._watches.values())
            self._watches.clear()
            self._needed.clear()
        for watch in watches:
            watch.stop()
