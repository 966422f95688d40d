"""The folder's objects: what Helm would render from values.yaml, and what a pass reads of it.

As in a cluster an object may also be edited by hand: a changed spec counts as a new generation, and stays
until values.yaml changes.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final, cast
from uuid import uuid4

from practicus_mfa.core.manifests import ACTIVE_ENTRY, ADOPT, ROLLING_ENTRY, render, secret_entry
from practicus_mfa.core.observed import Claim
from practicus_mfa.core.parse.spec import policy_from_spec
from practicus_mfa.core.parse.values import Values, read_values
from practicus_mfa.core.spelling import Tree
from practicus_mfa.core.status import Manifest, sound_status
from practicus_mfa.crypto.keys import id_of
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import dump_yaml, read_document
from practicus_mfa.errors import UsageError
from practicus_mfa.files import write_secretly
from practicus_mfa.reconciler.embedded.policy_file import (
    counted_anew,
    merged,
    read_policy,
    section,
    write_counted,
)
from practicus_mfa.reconciler.embedded.presence import is_there
from practicus_mfa.reconciler.ports import Request, SecretTexts

# Tells two processes apart that bear the same number, each in its own container on a host of the same name.
_INCARNATION: Final = uuid4().hex[:8]


def install(folder: DataFolder, values_file: Path) -> Values:
    """Render *values_file* into the folder, as ``helm upgrade`` would into a cluster.

    Raises:
        UsageError: The file is not valid, or the policy in the folder is damaged; nothing was changed.
    """
    document = read_document(values_file)
    if document is None:
        # Every value has a default: cut short, the file would pass for a valid one that wants nothing.
        raise UsageError(f"{values_file} is empty", remedy="write at least secretStore.activeKey into it")
    values = read_values(document, source=str(values_file))
    if values.database.existing is not None:
        raise UsageError(
            f"{values_file}: database.existingSecret names a Secret of a cluster, and this is one machine",
            remedy="write the URL into database.url, or leave both out to use SQLite in the data folder",
        )
    store = values.secret_store
    wanted = render(values, active=id_of(store.active_key), rolling=id_of(store.rolling_key))
    policy = merged(folder, wanted.policy)
    _write_secret(folder.database_secret, wanted.database)
    _write_secret(folder.secret_store, wanted.secret_store)
    write_counted(folder, policy)
    return values


def _write_secret(path: Path, secret: Tree | None) -> None:
    if secret is not None:
        write_secretly(path, dump_yaml(secret))
    else:
        path.unlink(missing_ok=True)


def read_request(folder: DataFolder) -> Request:
    """Return what the folder's objects ask for; nothing is written.

    Raises:
        UsageError: An object is not valid.
    """
    if not is_there(folder.policy):
        raise UsageError(
            f"{folder.root} holds no MfaPolicy",
            remedy=f"run practicus-mfa up --values FILE --data-dir {folder.root} first",
        )
    found = read_policy(folder)
    policy = policy_from_spec(found.get("spec"), source=str(folder.policy))
    metadata = section(counted_anew(found), "metadata")
    identity = Claim(
        cluster=f"folder-{metadata.get('uid')}",
        namespace=str(metadata.get("namespace", "default")),
        policy=str(metadata.get("name", "practicus-mfa")),
        owner=f"{socket.gethostname()}/{os.getpid()}/{_INCARNATION}",
        epoch=0,
    )
    return Request(
        generation=cast("int", metadata["generation"]),
        policy=policy,
        secret=_read_secret(folder, policy.secret_ref.name),
        identity=identity,
        adopt=str(section(metadata, "annotations").get(ADOPT)).lower() == "true",
        status=_read_status(folder.status),
    )


def _read_secret(folder: DataFolder, name: str) -> SecretTexts | None:
    """Return the Secret *name*: the rendered one, or an existing one, ``<name>.yaml`` in the folder."""
    own = is_there(folder.secret_store)
    path = folder.secret_store if own else folder.root / f"{name}.yaml"
    if not is_there(path):
        return None
    secret = read_document(path)
    return SecretTexts(
        active=secret_entry(secret, ACTIVE_ENTRY, source=str(path)),
        rolling=secret_entry(secret, ROLLING_ENTRY, source=str(path)),
    )


def _read_status(path: Path) -> Manifest:
    """Return the status that was published last; a damaged one is none, for it is published anew anyway."""
    try:
        return sound_status(read_document(path) if is_there(path) else {})
    except UsageError:
        return {}
