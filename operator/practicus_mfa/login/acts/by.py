"""Who acts, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from practicus_mfa.core.login.rights import Refusal
from practicus_mfa.login.context import Acting, Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who does something, as the audit names it: by the command line nobody's rights are asked for.

    Attributes:
        username: A user's name, or a part of the program.
        address: Where it was asked from; '' where there is none, as on the command line.
        run: The bulk run that it is part of.
    """

    username: str
    address: str = ""
    run: int | None = None

    def detail(self, **more: object) -> dict[str, object]:
        """Return what a line of the audit says beside who, what and to whom."""
        where = {"address": self.address} if self.address else {}
        part_of = {} if self.run is None else {"run": self.run}
        return {**where, **part_of, **more}

    def own_session(self, user_id: int) -> int | None:  # noqa: ARG002 - who acts by a session has one
        """Return the session that goes on when those of this user end: the acting one, if it is theirs."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class By(Author):
    """An administrator who acts by the pages.

    Attributes:
        account_id: The administrator's user id; what it may do is read from the database at each act.
        session_id: The acting session.
    """

    account_id: int
    session_id: int | None = None

    def own_session(self, user_id: int) -> int | None:
        """Return the session that goes on when those of this user end: the acting one, if it is theirs."""
        return self.session_id if user_id == self.account_id else None


def by(acting: Acting, client: Client) -> By:
    """Return who acts by a session."""
    return By(
        account_id=acting.account.id,
        username=acting.account.username,
        address=client.address,
        session_id=acting.session.id,
    )


class Outcome(StrEnum):
    """What came of one act on one user."""

    MFA_REMOVED = "MFA removed"
    NO_MFA = "no MFA"
    """There was none to remove, or to migrate."""
    MIGRATED = "migrated"
    ACTIVE = "already active"
    """Under the key that writes already."""
    UNDECRYPTABLE = "undecryptable"
    """No key that is held opens it; it stays as it is."""
    CHANGED = "changed meanwhile"
    """Somebody else was faster: it was left alone."""
    UNLOCKED = "unlocked"
    NOT_STOPPED = "was not stopped"
    DISABLED = "disabled"
    DISABLED_BEFORE = "was disabled already"
    ENABLED = "enabled"
    ENABLED_BEFORE = "was enabled already"
    SESSIONS_ENDED = "sessions ended"
    NO_SESSION = "had no session"
    DEVICES_FORGOTTEN = "browsers forgotten"
    NO_DEVICE = "had no known browser"
    SAVED = "saved"
    UNCHANGED = "unchanged"
    """What was to be saved is what is stored."""
    GONE = "gone"
    """The user was deleted meanwhile."""
    NO_ADMINISTRATOR = "refused: no administrator"
    """Who asks is none any more."""
    SUPERUSERS_ONLY = "refused: superusers only"
    OWN_ACCOUNT = "refused: own account"
    LAST_SUPERUSER = "refused: last superuser"

    @property
    def refused(self) -> bool:
        """Whether it was not allowed."""
        return self in _REFUSED.values()

    @property
    def wants_a_look(self) -> bool:
        """Whether a person should look at the user: what was asked for is not so now."""
        return self.refused or self in {Outcome.UNDECRYPTABLE, Outcome.CHANGED}


_REFUSED = {
    Refusal.NO_ADMINISTRATOR: Outcome.NO_ADMINISTRATOR,
    Refusal.SUPERUSERS_ONLY: Outcome.SUPERUSERS_ONLY,
    Refusal.OWN_ACCOUNT: Outcome.OWN_ACCOUNT,
    Refusal.LAST_SUPERUSER: Outcome.LAST_SUPERUSER,
}


def outcome_of(refusal: Refusal) -> Outcome:
    """Return the outcome of what was refused."""
    return _REFUSED[refusal]
