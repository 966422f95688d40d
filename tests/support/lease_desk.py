"""The database's side of a lease, in memory: judges by its own clock as the real one does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from practicus_mfa.core.keyring import KeyId, Keyring, KeyState
from practicus_mfa.crypto.tokens import seal_canary
from practicus_mfa.errors import UnreachableError, UsageError
from practicus_mfa.storage.readers import LEASE, CannotReadWriteKey, Expired, Registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from practicus_mfa.crypto.keys import FernetKey, HeldKeys

Outcome = TypeVar("Outcome")

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class Seconds:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class PretendKeyring:
    """A keyring that a test changes, damages or takes away."""

    def __init__(self, keys: HeldKeys) -> None:
        self.keys = keys
        self.fault = ""
        self.version = 1
        self.reads = 0

    def change(self, keys: HeldKeys) -> None:
        self.keys, self.version = keys, self.version + 1

    def stamp(self) -> object:
        return self.version

    def load(self) -> tuple[Keyring, HeldKeys]:
        self.reads += 1
        if self.fault:
            raise UsageError(self.fault, remedy="-")
        return Keyring(self.version, dict.fromkeys(self.keys, KeyState.STAGED)), self.keys


class LeaseDesk:
    """Gives leases as :mod:`practicus_mfa.storage.readers` does, and can be out of reach or slow."""

    def __init__(self, seconds: Seconds) -> None:
        self._seconds = seconds
        self.away = False
        # Seconds until a question arrives, and again until its answer does.
        self.takes = 0.0
        self.write_key: KeyId | None = None
        self.live: dict[KeyId, str] = {}
        self.key_ids: frozenset[KeyId] = frozenset()
        self.expires = float("-inf")
        self.asked: list[str] = []

    @property
    def counted(self) -> set[KeyId] | None:
        """What a promotion would see of the reader at this moment; ``None``: nothing."""
        return set(self.key_ids) if self.expires > self._seconds.now else None

    def let_write(self, key: FernetKey) -> None:
        self.write_key = key.id
        self.live[key.id] = seal_canary(key)

    def canaries(self) -> Mapping[KeyId, str]:
        self._reached("canaries")
        return self.live

    def register(self, key_ids: Iterable[KeyId]) -> Registered | CannotReadWriteKey:
        self._reached("register")
        return self._answered(self._given(frozenset(key_ids)))

    def renew(self) -> Registered | CannotReadWriteKey | Expired:
        self._reached("renew")
        return self._answered(Expired() if self.counted is None else self._given(self.key_ids))

    def withdraw(self) -> None:
        self._reached("withdraw")
        self.expires = float("-inf")

    def _given(self, key_ids: frozenset[KeyId]) -> Registered | CannotReadWriteKey:
        if self.write_key is not None and self.write_key not in key_ids:
            self.expires = float("-inf")
            return CannotReadWriteKey(self.write_key)
        self.key_ids = key_ids
        self.expires = self._seconds.now + LEASE.total_seconds()
        return Registered(self.write_key, BEGINNING + timedelta(seconds=self.expires))

    def _answered(self, outcome: Outcome) -> Outcome:
        self._seconds.now += self.takes
        return outcome

    def _reached(self, what: str) -> None:
        self.asked.append(what)
        self._seconds.now += self.takes
        if self.away:
            raise UnreachableError("The database is away.", remedy="-")
