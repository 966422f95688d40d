"""The MfaPolicies as they were seen last, by whichever of a watch, a read or a write of our own."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from practicus_mfa.kube.objects import Tree
from practicus_mfa.reconciler.cluster.queue import Key


def key_of(policy: Tree) -> Key:
    """Return the namespace and the name of *policy*."""
    return Key(policy["metadata"]["namespace"], policy["metadata"]["name"])


def _version(policy: Tree) -> int:
    """Return a number that grows with each change of an object (KEP-5504: resource versions compare)."""
    return int(policy["metadata"]["resourceVersion"])


def _asked(policy: Tree) -> tuple[Any, ...]:
    """Return what a person may change: the status is ours, and what we write must not wake us."""
    metadata = policy["metadata"]
    return metadata["uid"], metadata["generation"], metadata.get("annotations")


@dataclass(slots=True)
class Policies:
    """The newest state of each policy; safe to share between threads."""

    _newest: dict[Key, Tree] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def seen(self, policy: Tree) -> bool:
        """Keep *policy* unless a newer state is known; return whether a person asks for something new."""
        key = key_of(policy)
        with self._lock:
            known = self._newest.get(key)
            if known and _version(policy) <= _version(known):
                return False
            self._newest[key] = policy
        return known is None or _asked(known) != _asked(policy)

    def gone(self, policy: Tree) -> bool:
        """Forget *policy*; return whether it was known, and has not been made anew since."""
        key = key_of(policy)
        with self._lock:
            known = self._newest.get(key)
            if known is None or known["metadata"]["uid"] != policy["metadata"]["uid"]:
                return False
            del self._newest[key]
        return True

    def get(self, key: Key) -> Tree | None:
        """Return the newest state of a policy, ``None`` where there is none."""
        with self._lock:
            return self._newest.get(key)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._newest)

    def keys(self) -> tuple[Key, ...]:
        """Return which policies there are."""
        with self._lock:
            return tuple(self._newest)
