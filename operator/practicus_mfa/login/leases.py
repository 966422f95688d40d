"""A replica's lease in the database, under one name: how it is asked for, prolonged and given back."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.storage import keys, readers
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.readers import CannotReadWriteKey, Expired, Registered


class Leases(Protocol):
    """What a reader asks of the database. All raise RetryableError where it can't be asked."""

    def canaries(self) -> Mapping[KeyId, str]:
        """Return the canary of each key that rows may stand under."""

    def register(self, key_ids: Iterable[KeyId]) -> Registered | CannotReadWriteKey:
        """Begin a lease that says what can be read."""

    def renew(self) -> Registered | CannotReadWriteKey | Expired:
        """Prolong it."""

    def withdraw(self) -> None:
        """Give it back."""


@dataclass(frozen=True, slots=True)
class DatabaseLease:
    """The lease of *instance*; see :mod:`practicus_mfa.storage.readers`."""

    db: Database
    instance: str

    def canaries(self) -> Mapping[KeyId, str]:
        """Return the canary of each key that rows may stand under."""
        with self.db.read() as connection:
            return keys.read_live_keys(connection)

    def register(self, key_ids: Iterable[KeyId]) -> Registered | CannotReadWriteKey:
        """Begin a lease that says what can be read."""
        return readers.register(self.db, self.instance, key_ids)

    def renew(self) -> Registered | CannotReadWriteKey | Expired:
        """Prolong it."""
        return readers.renew(self.db, self.instance)

    def withdraw(self) -> None:
        """Give it back."""
        readers.withdraw(self.db, self.instance)


def instance_name(pod: str | None) -> str:
    """Return the name that a replica's lease bears: its pod's, else one that no other process has.

    People meet it where a status says who lags. The random part tells a process from another one that bears
    the same number in its own container.
    """
    return pod or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
