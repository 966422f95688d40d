"""The cluster's MfaPolicy as requests of the settings page find and change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from practicus_mfa.core.manifests import APPLIED_REQUEST, page_allowed
from practicus_mfa.core.settings_page import SECTIONS
from practicus_mfa.errors import SupersededError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.objects import POLICIES, Tree
from practicus_mfa.reconciler.cluster.queue import Key
from practicus_mfa.reconciler.ports import StoredPolicy


@dataclass(frozen=True, slots=True)
class StoredInCluster:
    """One MfaPolicy, read anew each time: what a watch has told may be older than what Helm has just done.

    Attributes:
        cluster: The API server.
        key: The policy's namespace and name.
        changed: Is given the policy after each change of ours.
    """

    cluster: Cluster
    key: Key
    changed: Callable[[Tree], object]

    def read(self) -> StoredPolicy:
        """Return the policy as it stands.

        Raises:
            SupersededError: It is gone.
            UnreachableError: The API server does not answer.
        """
        found = self.cluster.get(POLICIES, *self.key)
        if found is None:
            raise _gone(self.key)
        metadata = found["metadata"]
        annotations = metadata.get("annotations") or {}
        return StoredPolicy(
            generation=metadata["generation"],
            spec=found.get("spec") or {},
            settings_page=page_allowed(annotations),
            applied=annotations.get(APPLIED_REQUEST, ""),
            version=metadata["resourceVersion"],
        )

    def override(self, present: StoredPolicy, overrides: Mapping[str, Any], *, request: str) -> int:
        """Patch the policy, unless it is not as it was read any more; return its generation.

        Raises:
            ConflictError: Somebody else changed it meanwhile.
            SupersededError: It is gone.
            UnreachableError: The API server does not answer.
            UsageError: The API server does not let us.
        """
        patch: Tree = {
            # With the version: what was judged is what is changed.
            "metadata": {"resourceVersion": present.version, "annotations": {APPLIED_REQUEST: request}},
            "spec": {"overrides": _patch(present.spec.get("overrides") or {}, overrides)},
        }
        written = self.cluster.merge(POLICIES, *self.key, patch)
        if written is None:
            raise _gone(self.key)
        self.changed(written)
        return int(written["metadata"]["generation"])


def _patch(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the merge patch (RFC 7386) that makes *wanted* of *present*: null removes."""
    if not wanted:
        return None
    patch: dict[str, Any] = {}
    for section in SECTIONS:
        before, after = present.get(section) or {}, wanted.get(section)
        patch[section] = after and {**dict.fromkeys(before), **after}
    return patch


def _gone(key: Key) -> SupersededError:
    return SupersededError(
        f"The MfaPolicy {key} is gone.", remedy="Nothing was changed; requests wait for another one."
    )
