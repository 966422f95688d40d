"""Which database a data folder works on."""

from __future__ import annotations

from practicus_mfa.core.manifests import secret_entry
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import read_document
from practicus_mfa.reconciler.embedded.presence import is_there


def database_url(folder: DataFolder) -> str:
    """Return the URL of the folder's database: the one that values.yaml names, else SQLite. A secret.

    Raises:
        UsageError: The Secret with the URL is damaged.
    """
    path = folder.database_secret
    if not is_there(path):
        return folder.sqlite_url
    return secret_entry(read_document(path), "url", source=str(path))
