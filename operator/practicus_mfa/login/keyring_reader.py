"""A log-in replica as a reader: it follows the keyring, and holds a lease that says what it can read with.

Keys are handed out only while the lease lives, and a lease lives for us at most as long as for the database:
its seconds are counted from before it was asked for. A promotion therefore never meets a replica that reads
without being counted. A changed keyring is registered before its keys are used, so that what is handed out
is always what the lease says.

* The keyring is damaged, or gone: what is held stays while the lease is prolonged, and readiness says so.
* The write key is not held: no keys until the keyring brings it.
* The database is away: the lease runs out, and nothing is opened or written until it is back.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, assert_never

from practicus_mfa.clock import Steady, steady_seconds
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.tokens import opens_canary
from practicus_mfa.errors import MfaError, NotReadyError, RetryableError
from practicus_mfa.login.keyring_source import KeyringSource
from practicus_mfa.login.leases import Leases
from practicus_mfa.storage.readers import LEASE, CannotReadWriteKey, Expired, Registered

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.2
"""Seconds between two looks at the keyring."""

RENEWAL_SECONDS: Final = 4.0
"""Seconds between two renewals: two may fail before the lease runs out."""

RETRY_SECONDS: Final = 1.0
"""Seconds until a lease is asked for again that was not given."""

_NEVER: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class _Lease:
    """What may be used, and until when by the steady clock. Replaced as a whole: other threads read it."""

    keys: HeldKeys
    until: float


_NO_LEASE: Final = _Lease(HeldKeys(), _NEVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a reader stands.

    Attributes:
        holds: It has an unexpired lease.
        held_once: It has had one.
        away: The database could not be asked the last time.
        refusal: Why there is no lease; '' where there is one, or only the database is away.
        keyring_fault: What is wrong with the keyring; '' for nothing.
    """

    holds: bool
    held_once: bool
    away: bool
    refusal: str = ""
    keyring_fault: str = ""


class KeyringReader:
    """Follows one keyring under one lease; :meth:`step` is taken by one thread, the rest by any."""

    def __init__(self, source: KeyringSource, leases: Leases, *, steady: Steady = steady_seconds) -> None:
        """Begin without keys.

        Args:
            source: The keyring.
            leases: The lease.
            steady: Seconds that only go forward.
        """
        self._source = source
        self._leases = leases
        self._steady = steady
        self._lease = _NO_LEASE
        self._held_once = False
        self._loaded: HeldKeys | None = None
        self._stamp: object = None
        self._due = _NEVER
        self._refusal = ""
        self._keyring_fault = ""
        self._away = False

    def keys(self) -> HeldKeys:
        """Return the keys that may be used at this moment.

        Raises:
            NotReadyError: There is no unexpired lease.
        """
        lease = self._lease
        if self._steady() < lease.until:
            return lease.keys
        raise NotReadyError(
            "This replica holds no lease to read tokens with.", remedy="Try again in a few seconds."
        )

    def standing(self) -> Standing:
        """Return how it stands."""
        holds = self._steady() < self._lease.until
        return Standing(
            holds=holds,
            held_once=self._held_once,
            away=self._away,
            refusal="" if holds else self._refusal,
            keyring_fault=self._keyring_fault,
        )

    def step(self) -> float:
        """Look at the keyring, and after the lease where that is due; return the seconds until the next."""
        self._follow()
        if self._steady() >= self._due:
            self._hold()
        return LOOK_SECONDS

    def withdraw(self) -> None:
        """Give the lease back; a database that can't be asked sees it run out."""
        self._lease = _NO_LEASE
        with suppress(RetryableError):
            self._leases.withdraw()

    def _follow(self) -> None:
        """Load the keyring where it has changed; a fault is looked at again each time."""
        # Taken before the file is read: a change that comes meanwhile is seen at the next look.
        stamp = self._source.stamp()
        if stamp is not None and stamp == self._stamp:
            return
        try:
            keyring, held = self._source.load()
        except MfaError as error:
            if self._keyring_fault != error.message:
                log.warning("the keyring can't be used: %s", error)
            self._keyring_fault, self._stamp = error.message, None
            return
        self._keyring_fault, self._stamp, self._loaded = "", stamp, held
        log.info("keyring generation %d: %s", keyring.generation, ", ".join(held) or "no key")
        self._due = _NEVER

    def _hold(self) -> None:
        """Ask for the lease, or prolong it."""
        began = self._steady()
        try:
            refusal = self._refreshed(began)
        except RetryableError as error:
            if not self._away:
                log.warning("the lease could not be prolonged: %s", error)
            self._away, self._due = True, began + RETRY_SECONDS
            return
        except MfaError as error:
            refusal = error.message
        if refusal and refusal != self._refusal:
            log.warning("not ready: %s", refusal)
        self._away, self._refusal = False, refusal
        self._due = began + (RETRY_SECONDS if refusal else RENEWAL_SECONDS)

    def _refreshed(self, began: float) -> str:
        """Return '' once there is a lease over what is loaded, else why not."""
        held = self._lease.keys
        sound = self._loaded is not None and not self._keyring_fault
        if self._steady() < self._lease.until and (not sound or set(held) == set(self._loaded or ())):
            refusal = self._taken(self._leases.renew(), held, began)
            if refusal is not None:
                return refusal
        if self._loaded is None or not sound:
            return self._keyring_fault or "the keyring was not read yet"
        false = [
            key
            for key, canary in self._leases.canaries().items()
            if key in self._loaded and not opens_canary(canary, self._loaded[key])
        ]
        if false:
            return f"key {false[0]} does not open its canary in the database: one of them was altered"
        refusal = self._taken(self._leases.register(self._loaded), self._loaded, began)
        assert refusal is not None, "a new lease is not expired"  # noqa: S101 - an invariant
        return refusal

    def _taken(
        self, outcome: Registered | CannotReadWriteKey | Expired, keys: HeldKeys, began: float
    ) -> str | None:
        """Keep what the database answered; return '' for a lease, why not, or ``None``: register anew."""
        match outcome:
            case Registered():
                if self._lease.until <= began or set(self._lease.keys) != set(keys):
                    log.info("a lease is held: this replica reads with %s", ", ".join(keys) or "no key")
                self._lease, self._held_once = _Lease(keys, began + LEASE.total_seconds()), True
                return ""
            case CannotReadWriteKey(write_key):
                self._lease = _NO_LEASE
                return f"key {write_key} writes now, and it is not in the keyring that was read"
            case Expired():
                self._lease = _NO_LEASE
                return None
            case _:
                assert_never(outcome)
