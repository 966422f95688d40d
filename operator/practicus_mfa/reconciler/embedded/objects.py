"""The folder's objects: what Helm would render from values.yaml, and what a pass reads of it.

As in a cluster an object may also be edited by hand: a changed spec counts as a new generation, and stays
until values.yaml changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path
from typing import Final, cast
from uuid import uuid4

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.manifests import ACTIVE_ENTRY, ROLLING_ENTRY, render, secret_entry
from practicus_mfa.core.observed import Claim
from practicus_mfa.core.parse.spec import policy_from_spec
from practicus_mfa.core.parse.values import Values, read_values
from practicus_mfa.core.spelling import Tree
from practicus_mfa.crypto.keys import MalformedKeyError, parse_key
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import dump_yaml, read_document
from practicus_mfa.errors import UsageError
from practicus_mfa.files import write_openly, write_secretly
from practicus_mfa.reconciler.ports import Request, SecretTexts

ADOPT: Final = "mfa.practicus.ai/adopt"
DIGEST: Final = "mfa.practicus.ai/spec-digest"
"""Tells whether a spec was edited since its generation was counted."""


def install(folder: DataFolder, values_file: Path) -> Values:
    """Render *values_file* into the folder, as ``helm upgrade`` would into a cluster.

    Raises:
        UsageError: The file is not valid; nothing was changed.
    """
    values = read_values(read_document(values_file), source=str(values_file))
    if values.database.existing is not None:
        raise UsageError(
            f"{values_file}: database.existingSecret names a Secret of a cluster, and this is one machine",
            remedy="write the URL into database.url, or leave both out to use SQLite in the data folder",
        )
    store = values.secret_store
    wanted = render(values, active=_id_of(store.active_key), rolling=_id_of(store.rolling_key))
    _write_secret(folder.database_secret, wanted.database)
    _write_secret(folder.secret_store, wanted.secret_store)
    _write_policy(folder, wanted.policy)
    return values


def _id_of(text: str) -> KeyId | None:
    """Return a key's ID, ``None`` for no key: what is wrong with it, a pass says in the status."""
    try:
        return parse_key(text, name="it").id if text else None
    except MalformedKeyError:
        return None


def _write_secret(path: Path, secret: Tree | None) -> None:
    if secret is not None:
        write_secretly(path, dump_yaml(secret))
    elif path.exists():
        path.unlink()


def _write_policy(folder: DataFolder, wanted: Tree) -> None:
    present = _read_tree(folder.policy)
    spec = cast("Tree", wanted["spec"])
    overrides = _section(present, "spec").get("overrides")
    if overrides is not None:
        # The settings page's, which Helm never renders.
        spec = {**spec, "overrides": overrides}
    old = _section(present, "metadata")
    metadata = {
        **_section(wanted, "metadata"),
        "uid": old.get("uid") or str(uuid4()),
        "generation": old.get("generation", 0),
        "annotations": _section(old, "annotations"),
    }
    _count_generation(folder, {**wanted, "metadata": metadata, "spec": spec})


def _count_generation(folder: DataFolder, policy: Tree) -> Tree:
    """Raise the generation if the spec is not the one that it was counted for; return the policy."""
    metadata = _section(policy, "metadata")
    digest = hashlib.sha256(json.dumps(policy.get("spec"), sort_keys=True).encode()).hexdigest()
    annotations = _section(metadata, "annotations")
    if annotations.get(DIGEST) == digest:
        return policy
    generation = metadata.get("generation")
    metadata = {
        **metadata,
        "generation": (generation if isinstance(generation, int) else 0) + 1,
        "annotations": {**annotations, DIGEST: digest},
    }
    counted = {**policy, "metadata": metadata}
    write_openly(folder.policy, dump_yaml(counted))
    return counted


def read_request(folder: DataFolder) -> Request:
    """Return what the folder's objects ask for.

    Raises:
        UsageError: An object is not valid.
    """
    if not folder.policy.exists():
        raise UsageError(
            f"{folder.root} holds no MfaPolicy",
            remedy=f"run practicus-mfa up --values FILE --data-dir {folder.root} first",
        )
    manifest = _count_generation(folder, _read_tree(folder.policy))
    metadata = _section(manifest, "metadata")
    policy = policy_from_spec(manifest.get("spec"), source=str(folder.policy))
    identity = Claim(
        cluster=f"folder-{metadata.get('uid')}",
        namespace=str(metadata.get("namespace", "default")),
        policy=str(metadata.get("name", "practicus-mfa")),
        owner=f"{socket.gethostname()}/{os.getpid()}",
        epoch=0,
    )
    return Request(
        generation=cast("int", metadata["generation"]),
        policy=policy,
        secret=_read_secret(folder, policy.secret_ref.name),
        identity=identity,
        adopt=str(_section(metadata, "annotations").get(ADOPT)).lower() == "true",
        status=_read_tree(folder.status),
    )


def _read_secret(folder: DataFolder, name: str) -> SecretTexts | None:
    """Return the Secret *name*: the rendered one, or an existing one, ``<name>.yaml`` in the folder."""
    own = folder.secret_store.exists()
    path = folder.secret_store if own else folder.root / f"{name}.yaml"
    if not path.exists():
        return None
    secret = read_document(path)
    return SecretTexts(
        active=secret_entry(secret, ACTIVE_ENTRY, source=str(path)),
        rolling=secret_entry(secret, ROLLING_ENTRY, source=str(path)),
    )


def _read_tree(path: Path) -> Tree:
    found = read_document(path) if path.exists() else None
    return found if isinstance(found, dict) else {}


def _section(tree: Tree, name: str) -> Tree:
    found = tree.get(name)
    return found if isinstance(found, dict) else {}
