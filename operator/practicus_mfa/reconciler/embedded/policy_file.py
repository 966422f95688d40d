"""The folder's MfaPolicy: one file, whose generation counts as an API server would count it."""

from __future__ import annotations

import hashlib
import json
from typing import Final, cast
from uuid import uuid4

from practicus_mfa.core.parse.spec import policy_from_spec
from practicus_mfa.core.spelling import Tree
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import dump_yaml, read_document
from practicus_mfa.errors import UsageError
from practicus_mfa.files import write_openly
from practicus_mfa.reconciler.embedded.presence import is_there

DIGEST: Final = "mfa.practicus.ai/spec-digest"
"""Tells whether a spec was edited since its generation was counted."""


def merged(folder: DataFolder, wanted: Tree) -> Tree:
    """Return the policy that is *wanted*, with what is not Helm's of the one that is there.

    Raises:
        UsageError: The one that is there is damaged.
    """
    present = read_policy(folder) if is_there(folder.policy) else {}
    spec = cast("Tree", wanted["spec"])
    overrides = section(present, "spec").get("overrides")
    if overrides is not None:
        # The settings page's, which Helm never renders.
        spec = {**spec, "overrides": overrides}
        policy_from_spec(spec, source=str(folder.policy))
    old, new = section(present, "metadata"), section(wanted, "metadata")
    metadata = {
        **new,
        "uid": old.get("uid") or str(uuid4()),
        "generation": old.get("generation", 0),
        # Helm leaves annotations alone that it did not make.
        "annotations": {**section(old, "annotations"), **section(new, "annotations")},
    }
    return {**wanted, "metadata": metadata, "spec": spec}


def read_policy(folder: DataFolder) -> Tree:
    """Return the MfaPolicy of the folder.

    Raises:
        UsageError: It is cut short, or no MfaPolicy: all its defaults would be a policy too, another one.
    """
    found = read_document(folder.policy)
    if not isinstance(found, dict) or not isinstance(found.get("spec"), dict):
        raise UsageError(f"{folder.policy} is cut short, or no MfaPolicy", remedy="restore it from a backup")
    if not section(found, "metadata").get("uid"):
        raise UsageError(
            f"{folder.policy} has no metadata.uid, which the database knows it by",
            remedy="restore it from a backup",
        )
    return found


def counted_anew(policy: Tree) -> Tree:
    """Return *policy* with a higher generation if its spec is not the one that it was counted for."""
    metadata = section(policy, "metadata")
    digest = hashlib.sha256(json.dumps(policy.get("spec"), sort_keys=True).encode()).hexdigest()
    annotations, generation = section(metadata, "annotations"), metadata.get("generation")
    if annotations.get(DIGEST) == digest and isinstance(generation, int):
        return policy
    metadata = {
        **metadata,
        "generation": (generation if isinstance(generation, int) else 0) + 1,
        "annotations": {**annotations, DIGEST: digest},
    }
    return {**policy, "metadata": metadata}


def write_counted(folder: DataFolder, policy: Tree) -> int:
    """Write *policy*, unless it is there already; return its generation.

    A spec that is not the one that was counted last is another generation.
    """
    counted = counted_anew(policy)
    if not is_there(folder.policy) or read_document(folder.policy) != counted:
        write_openly(folder.policy, dump_yaml(counted))
    generation = section(counted, "metadata").get("generation")
    return generation if isinstance(generation, int) else 0


def count_generation(folder: DataFolder) -> None:
    """Count a spec that was edited by hand as a new generation, as an API server would.

    Raises:
        UsageError: The policy is not valid; it stays as it is.
    """
    policy = read_policy(folder)
    policy_from_spec(policy.get("spec"), source=str(folder.policy))
    write_counted(folder, policy)


def section(tree: Tree, name: str) -> Tree:
    """Return a part of *tree*, empty where it is none."""
    found = tree.get(name)
    return found if isinstance(found, dict) else {}
