"""Whether a replica may get requests.

Ready means: the database was reached once, with its tables up to date, a policy is in force, the keyring is
readable, a lease is held, and the clock agrees with the database's. A database that goes away afterwards
leaves a replica ready: it is away for all of them alike, and a page that says so is better than no page.
Where MFA is switched off, a replica needs no key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from practicus_mfa.errors import NotReadyError
from practicus_mfa.login.keyring_reader import KeyringReader
from practicus_mfa.login.policy_reader import PolicyReader

MOST_SKEW: Final = timedelta(seconds=3)
"""Codes change every 30 seconds, and one step of drift is allowed: more than this would eat it up."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a replica is ready.

    Attributes:
        reasons: Why not, a sentence each; none: it is.
        notes: What a person should know all the same.
    """

    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether there is no reason against it."""
        return not self.reasons

    @property
    def head(self) -> str:
        """What strangers are told."""
        return "ready\n" if self.ready else "not ready\n"

    @property
    def text(self) -> str:
        """The same, and a line for each reason and note."""
        return self.head + "".join(f"- {line}\n" for line in (*self.reasons, *self.notes))


class Health:
    """Judges a replica by what its threads have seen."""

    def __init__(self, keyring: KeyringReader, policy: PolicyReader) -> None:
        """Judge by these two."""
        self._keyring = keyring
        self._policy = policy

    def readiness(self) -> Readiness:
        """Return whether it is ready, and why not."""
        found = [*self._of_the_database(), *self._of_the_keyring()]
        return Readiness(
            tuple(line for counts, line in found if counts),
            tuple(line for counts, line in found if not counts),
        )

    def _of_the_database(self) -> Iterator[tuple[bool, str]]:
        """Yield what is wrong, and whether it counts against being ready."""
        seen = self._policy.seen
        if seen.fault:
            yield not seen.reached, f"the database can't be used: {seen.fault}"
        if seen.policy_fault:
            yield not self._known, seen.policy_fault
        if seen.skew > MOST_SKEW:
            seconds = seen.skew.total_seconds()
            yield True, f"this machine's clock and the database's are {seconds:.1f} s apart: set them by NTP"

    def _of_the_keyring(self) -> Iterator[tuple[bool, str]]:
        standing = self._keyring.standing()
        needed = self._needs_keys
        if standing.keyring_fault:
            yield needed and not standing.holds, f"the keyring can't be read: {standing.keyring_fault}"
        if not standing.holds and (not standing.keyring_fault or standing.keyring_fault != standing.refusal):
            # The lease runs out while the database is away: that alone takes no replica from its place.
            away = standing.away and standing.held_once
            yield needed and not away, f"no lease is held: {standing.refusal or 'it was not given yet'}"

    @property
    def _known(self) -> bool:
        try:
            self._policy.rules()
        except NotReadyError:
            return False
        return True

    @property
    def _needs_keys(self) -> bool:
        return not self._known or self._policy.rules().mfa.enabled
