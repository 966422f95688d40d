"""Candidates: users that an import wants to create, from whatever source, and what speaks against it.

All faults are found before anything is done, each with its place in the source; one fault and nothing is
imported. What can do without (an unconfirmed device, say) is left out and told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.core.usernames import username_key
from practicus_mfa.errors import MfaError
from practicus_mfa.faults import Fault, InvalidConfiguration
from practicus_mfa.storage import users
from practicus_mfa.storage.factors import USUAL, TotpParameters
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.users import NewUser

MOST_FAULTS: Final = 1_000
"""After so many faults a source is not what it was taken for; the rest is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFactor:
    """A factor that a candidate brings along; the *secret*'s raw bytes are never shown."""

    secret: bytes = field(repr=False)
    totp: TotpParameters = USUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A user to be created.

    Attributes:
        place: Where in the source, for messages: "line 7".
        user: The user, all texts checked; with a password hash where the source has one.
        password: A password in the clear that is still to be hashed; never shown.
        factors: Second factors.
    """

    place: str
    user: NewUser
    password: str | None = field(default=None, repr=False)
    factors: tuple[CandidateFactor, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What an import did without: a user, or something of a user, and why."""

    username: str
    why: str


@dataclass(slots=True)
class Findings:
    """What was read of a source.

    Attributes:
        candidates: The users.
        faults: What speaks against it.
        left_out: What the import does without.
    """

    candidates: list[Candidate] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def fault(self, place: str, problem: str, remedy: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(path=place, problem=problem, remedy=remedy))

    def refused(self, place: str, error: MfaError) -> None:
        """Note what another part of the program says against a value."""
        remedy = error.remedy[:1].lower() + error.remedy[1:].rstrip(".")
        self.fault(place, error.message, remedy)

    def raise_faults(self, source: str) -> None:
        """Give up if there are faults.

        Raises:
            InvalidConfiguration: With all of them.
        """
        if self.faults:
            shown = self.faults[:MOST_FAULTS]
            if more := len(self.faults) - len(shown):
                shown.append(
                    Fault(path="after that", problem=f"{more} more faults", remedy="correct these first")
                )
            raise InvalidConfiguration(shown, source=source)


def find_twins(findings: Findings) -> None:
    """Note the names that stand in the source twice, names being compared as log-in compares them."""
    first: dict[str, Candidate] = {}
    for candidate in findings.candidates:
        key = username_key(candidate.user.username)
        if (other := first.setdefault(key, candidate)) is not candidate:
            names = f"{candidate.user.username!r} and {other.user.username!r} ({other.place})"
            findings.fault(candidate.place, f"the user names {names} are the same", "keep one of them")


def settle_existing(connection: Transaction, findings: Findings, *, skip: bool) -> None:
    """Note the users that the database has already: as left out if they are to be skipped, else as faults."""
    by_key = {username_key(candidate.user.username): candidate for candidate in findings.candidates}
    existing = set(users.taken(connection, list(by_key)))
    for key in (key for key in by_key if key in existing):
        candidate = by_key[key]
        if skip:
            findings.left_out.append(LeftOut(candidate.user.username, "the user exists already"))
        else:
            findings.fault(
                candidate.place,
                f"the user {candidate.user.username!r} exists already",
                "take the line out, or skip such users with --skip-existing",
            )
    findings.candidates = [candidate for key, candidate in by_key.items() if key not in existing]
