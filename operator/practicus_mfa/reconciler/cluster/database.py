"""The database of one policy: found by its Secret, brought to this program's schema, kept between passes.

Its URL is read again when the Secret changed, when the database can't be used (a password that was renewed
looks like that), and every few minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.core.observed import DatabaseUnreachable
from practicus_mfa.core.policy import DatabaseRef
from practicus_mfa.errors import UnreachableError, UsageError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.objects import SECRETS
from practicus_mfa.reconciler.cluster.request import database_url_from
from practicus_mfa.storage.engine import Database, connect
from practicus_mfa.storage.versions import upgrade

KEPT: Final = 600.0
"""Seconds that a URL is used without reading its Secret again."""


@dataclass(slots=True)
class PolicyDatabase:
    """Opens the database that a policy names.

    Attributes:
        cluster: Where its Secret is.
        namespace: The policy's.
        monotonic: Returns seconds that only grow.
    """

    cluster: Cluster
    namespace: str
    monotonic: Callable[[], float] = time.monotonic
    _ref: DatabaseRef | None = None
    _url: str = field(default="", repr=False)
    _database: Database | None = None
    _ready: bool = False
    _read_at: float = float("-inf")

    def opened(self, ref: DatabaseRef | None) -> Database | DatabaseUnreachable:
        """Return the database that *ref* leads to, or why there is none at the moment.

        Raises:
            UsageError: It is ahead of this program, or this role may not set it up.
            UnreachableError: The API server does not answer.
        """
        if self._database is None or ref != self._ref or self.monotonic() - self._read_at > KEPT:
            try:
                self._read(ref)
            except UsageError as error:
                self.close()
                return DatabaseUnreachable(f"{error.message}: {error.remedy}")
        assert self._database is not None, "it was read"  # noqa: S101 - an invariant
        if not self._ready:
            try:
                upgrade(self._database)
            except UnreachableError as error:
                self.read_again()
                return DatabaseUnreachable(f"{error.message} {error.remedy}")
            self._ready = True
        return self._database

    def _read(self, ref: DatabaseRef | None) -> None:
        secret = self.cluster.get(SECRETS, self.namespace, ref.name) if ref else None
        url = database_url_from(secret, ref, namespace=self.namespace)
        if url != self._url or self._database is None:
            self.close()
            self._database = connect(url, create=True)
        self._ref, self._url, self._read_at = ref, url, self.monotonic()

    def read_again(self) -> None:
        """Read the Secret before the database is used the next time."""
        self._read_at = float("-inf")

    def rest(self) -> None:
        """Close idle connections: the next pass is a while away, and a server has few."""
        if self._database is not None:
            self._database.close()

    def close(self) -> None:
        """Forget the database."""
        self.rest()
        self._database, self._url, self._ready = None, "", False
