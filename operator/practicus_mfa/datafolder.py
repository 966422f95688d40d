"""The embedded platform's data folder: what each of its files is called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from practicus_mfa.errors import UsageError

DEFAULT: Final = "practicus-mfa-data"
"""The folder, in the working directory, that is meant where none is named."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """One data folder. The files hold secrets, so the folder is its owner's alone (mode 0700).

    Attributes:
        root: The folder.
    """

    root: Path

    @property
    def sqlite(self) -> Path:
        """The database, unless values.yaml names another one."""
        return self.root / "practicus-mfa.db"

    @property
    def sqlite_url(self) -> str:
        """The URL of that database.

        Raises:
            UsageError: The folder's name can't stand in a URL.
        """
        if "?" in str(self.root):
            raise UsageError(
                f"{self.root} has a question mark, which a database URL can't hold", remedy="rename it"
            )
        # A URL's reader decodes what stands there: a folder may be called "100%41".
        return f"sqlite:///{quote(str(self.sqlite))}"

    @property
    def policy(self) -> Path:
        """The MfaPolicy."""
        return self.root / "mfapolicy.yaml"

    @property
    def status(self) -> Path:
        """The MfaPolicy's status as it was published last: its own file, so that it meets no edit."""
        return self.root / "status.yaml"

    @property
    def lock(self) -> Path:
        """Locked by the platform that runs on this folder."""
        return self.root / "up.lock"

    @property
    def demo(self) -> Path:
        """Only there where ``make demo`` made the folder."""
        return self.root / "demo.yaml"

    @property
    def secret_store(self) -> Path:
        """The Secret made from ``secretStore``: what the user asks for."""
        return self.root / "secret-store.yaml"

    @property
    def database_secret(self) -> Path:
        """The Secret with the database's URL; only there where values.yaml names a database."""
        return self.root / "database.yaml"

    @property
    def keyring(self) -> Path:
        """The keyring: what the platform can read with."""
        return self.root / "keyring.yaml"

    @property
    def keyring_archive(self) -> Path:
        """The last keys that were unloaded, for old backups."""
        return self.root / "keyring-archive.yaml"

    @property
    def login_config(self) -> Path:
        """The login service's configuration, made from ``login`` of values.yaml."""
        return self.root / "login.conf"

    @property
    def login_log(self) -> Path:
        """What the login service has logged since it was started last."""
        return self.root / "login.log"
