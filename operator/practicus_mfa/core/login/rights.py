"""What an administrator may do to whom.

Staff act on users who are no administrators; superusers act on everybody, and they alone on roles, groups and
settings. The last active superuser stays one: nobody would be left to undo it. And nobody locks the own
account from the list of users, where one tick too many is easily made.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from practicus_mfa.core.login.account import Account


class Action(StrEnum):
    """What is done to one user."""

    REMOVE_MFA = "remove-mfa"
    MIGRATE_KEY = "migrate-key"
    UNLOCK = "unlock"
    SETUP_LINK = "setup-link"
    DISABLE = "disable"
    ENABLE = "enable"
    END_SESSIONS = "end-sessions"
    EDIT = "edit"
    """Name, e-mail address, "must change password"."""
    SET_ROLES = "set-roles"
    """Staff and superuser."""
    SET_GROUPS = "set-groups"


class Refusal(StrEnum):
    """Why something may not be done."""

    NO_ADMINISTRATOR = "no administrator"
    """Who asks is none, or may not log in any more."""
    SUPERUSERS_ONLY = "superusers only"
    OWN_ACCOUNT = "own account"
    LAST_SUPERUSER = "last superuser"


BULK: Final = (
    Action.REMOVE_MFA,
    Action.MIGRATE_KEY,
    Action.UNLOCK,
    Action.DISABLE,
    Action.ENABLE,
    Action.END_SESSIONS,
)
"""What can be done to many users at once; a set-up link is one person's, so it is made for one user."""

_FOR_SUPERUSERS: Final = frozenset({Action.SET_ROLES, Action.SET_GROUPS})

LOCKS_OUT: Final = frozenset({Action.DISABLE, Action.SET_ROLES})
"""What may take an administrator the right to administer."""


def may_administer(actor: Account) -> bool:
    """Whether *actor* sees the administrators' pages at all."""
    return actor.is_active and actor.is_administrator


def may_set_policy(actor: Account) -> bool:
    """Whether *actor* may change groups and settings, create administrators and read the whole audit."""
    return actor.is_active and actor.is_superuser


def refusal_to_create(actor: Account, *, special: bool) -> Refusal | None:
    """Return why *actor* may not create a user; ``None``: it is allowed.

    Args:
        actor: Who asks, as of this moment.
        special: An administrator, or a member of groups.
    """
    if not may_administer(actor):
        return Refusal.NO_ADMINISTRATOR
    return Refusal.SUPERUSERS_ONLY if special and not actor.is_superuser else None


def refusal(actor: Account, action: Action, target: Account, *, last_superuser: bool) -> Refusal | None:
    """Return why *actor* may not do *action* to *target*; ``None``: it is allowed.

    Args:
        actor: Who asks, as of this moment.
        action: What.
        target: To whom, as of this moment.
        last_superuser: There is no active superuser but *target*.
    """
    if not may_administer(actor):
        return Refusal.NO_ADMINISTRATOR
    if not actor.is_superuser and (target.is_administrator or action in _FOR_SUPERUSERS):
        return Refusal.SUPERUSERS_ONLY
    if action in LOCKS_OUT and last_superuser:
        return Refusal.LAST_SUPERUSER
    if action in LOCKS_OUT and actor.id == target.id:
        return Refusal.OWN_ACCOUNT
    return None
