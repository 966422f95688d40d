"""The folder's MfaPolicy as requests of the settings page find and change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from practicus_mfa.core.manifests import APPLIED_REQUEST, page_allowed
from practicus_mfa.core.spelling import Tree
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.reconciler.embedded.policy_file import counted_anew, read_policy, section, write_counted
from practicus_mfa.reconciler.ports import StoredPolicy


@dataclass(frozen=True, slots=True)
class StoredInFolder:
    """The policy's file; the platform is the only program that writes it."""

    folder: DataFolder

    def read(self) -> StoredPolicy:
        """Return the policy as it stands.

        Raises:
            UsageError: The file is damaged.
        """
        found = read_policy(self.folder)
        metadata = section(counted_anew(found), "metadata")
        annotations = section(metadata, "annotations")
        return StoredPolicy(
            generation=cast("int", metadata["generation"]),
            spec=section(found, "spec"),
            settings_page=page_allowed(annotations),
            applied=str(annotations.get(APPLIED_REQUEST, "")),
        )

    def override(self, present: StoredPolicy, overrides: Mapping[str, Any], *, request: str) -> int:
        """Write the policy with these *overrides*; return its generation.

        Raises:
            UsageError: The file can't be written.
        """
        found = read_policy(self.folder)
        spec: Tree = {name: value for name, value in present.spec.items() if name != "overrides"}
        if overrides:
            spec["overrides"] = dict(overrides)
        metadata = section(found, "metadata")
        annotations = {**section(metadata, "annotations"), APPLIED_REQUEST: request}
        changed = {**found, "metadata": {**metadata, "annotations": annotations}, "spec": spec}
        return write_counted(self.folder, changed)
