"""Which database a data folder works on."""

from __future__ import annotations

from practicus_mfa.core.manifests import secret_entry
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import read_document


def database_url(folder: DataFolder) -> str:
    """Return the URL of the folder's database: the one that values.yaml names, else SQLite. A secret.

    Raises:
        UsageError: The Secret with the URL is damaged.
    """
    path = folder.database_secret
    return secret_entry(read_document(path), "url", source=str(path)) if path.exists() else folder.sqlite_url
