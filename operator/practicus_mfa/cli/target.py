"""A place to work on: a database and a keyring, each opened when a command first asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from practicus_mfa.datafolder import DataFolder
from practicus_mfa.errors import MfaError, UnreachableError, UsageError

if TYPE_CHECKING:
    # Imported when asked for: each of them brings a library that takes its time.
    from practicus_mfa.core.keyring import Keyring
    from practicus_mfa.crypto.keys import HeldKeys
    from practicus_mfa.reconciler.cluster.policy_access import PolicyAccess
    from practicus_mfa.storage.engine import Database


# Without slots: what was opened is kept.
@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a command works.

    Attributes:
        folder: The data folder; ``None`` where a database or a cluster is meant.
        keyring_file: The keyring's file; ``None`` where none was named.
        source: What was named, for messages; no URL.
    """

    folder: DataFolder | None = None
    keyring_file: Path | None = None
    source: str
    _read_url: Callable[[], str] = field(repr=False)
    # Only of a cluster: its policy, and how to run the command where the database is in reach.
    _find_policy: Callable[[], PolicyAccess] | None = field(default=None, repr=False)
    _elsewhere: Callable[[], str] = field(default=lambda: "", repr=False)

    @property
    def in_cluster(self) -> bool:
        """Whether it is a policy of a cluster."""
        return self._find_policy is not None

    @cached_property
    def policy(self) -> PolicyAccess | None:
        """The policy of a cluster; ``None`` where the place is none.

        Raises:
            UsageError: There is no way to the cluster.
        """
        return self._find_policy() if self._find_policy else None

    @cached_property
    def database_url(self) -> str:
        """The database's URL. A secret.

        Raises:
            UsageError: It can't be read, or there is none.
        """
        url = self._read_url().strip()
        if not url:
            raise UsageError(
                f"there is no database URL in {self.source}",
                remedy="write sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME there",
            )
        return url

    @cached_property
    def database(self) -> Database:
        """The database; it is contacted by the first transaction, that of a cluster at once.

        Raises:
            UsageError: Its URL can't be read or understood.
            UnreachableError: It is the database of a cluster, and out of reach from here.
        """
        from practicus_mfa.storage.engine import connect

        database = connect(self.database_url)
        if self.in_cluster:
            self._reach(database)
        return database

    def _reach(self, database: Database) -> None:
        """Try a database whose host may be known in its cluster alone, or whose file to a pod."""
        try:
            with database.read():
                pass
        except MfaError as error:
            database.close()
            elsewhere = self._elsewhere()
            if not elsewhere or not (isinstance(error, UnreachableError) or database.is_sqlite):
                raise
            raise UnreachableError(
                error.message, remedy=f"where only the cluster reaches it, run this there: {elsewhere}"
            ) from error

    @cached_property
    def _loaded(self) -> tuple[Keyring, HeldKeys]:
        if self.keyring_file is None and self.policy is not None:
            return self.policy.keyring()
        from practicus_mfa.crypto.keyring_file import load
        from practicus_mfa.files import read_text

        if self.keyring_file is None:
            raise UsageError(
                "no keyring is named, and this needs keys", remedy="name its file with --keyring FILE"
            )
        return load(read_text(self.keyring_file), source=str(self.keyring_file))

    @property
    def keyring(self) -> Keyring:
        """The keyring, with the state of each key.

        Raises:
            UsageError: It is not named, missing or damaged, or may not be read.
            UnreachableError: The API server of its cluster can't be reached.
        """
        return self._loaded[0]

    @property
    def keys(self) -> HeldKeys:
        """The keys themselves.

        Raises:
            UsageError: As :attr:`keyring`.
        """
        return self._loaded[1]

    def close(self) -> None:
        """Close what was opened."""
        if "database" in self.__dict__:
            self.database.close()
