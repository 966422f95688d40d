"""One act on one user, asked for by an administrator on the pages: judged, done, told.

Each function works in the caller's writing transaction, which holds no user's lock yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rights import Action
from practicus_mfa.login import setup_link as links
from practicus_mfa.login.acts import effects
from practicus_mfa.login.acts.by import By, Outcome
from practicus_mfa.login.acts.judged import judged
from practicus_mfa.login.setup_link import Issued
from practicus_mfa.storage import accounts
from practicus_mfa.storage.transaction import Transaction


def act(connection: Transaction, by: By, action: Action, user_id: int) -> Outcome:
    """Do one of :data:`ACTS` to a user.

    Args:
        connection: A writing transaction.
        by: Who asks.
        action: One of :data:`ACTS`; migrating needs keys (:mod:`practicus_mfa.login.migrate_key`).
        user_id: To whom.
    """
    return act_named(connection, by, action, user_id)[0]


def act_named(connection: Transaction, by: By, action: Action, user_id: int) -> tuple[Outcome, str]:
    """Do the same; return the user's name too, '' where there is no such user."""
    target = judged(connection, by, action, user_id)
    if isinstance(target, Outcome):
        account = accounts.account(connection, user_id)
        return target, "" if account is None else account.username
    return ACTS[action](connection, by, target), target.username


def remove_mfa(connection: Transaction, by: By, user_id: int) -> Outcome:
    """Remove all MFA of a user, also what no key opens."""
    return act(connection, by, Action.REMOVE_MFA, user_id)


def unlock(connection: Transaction, by: By, user_id: int) -> Outcome:
    """Let a user try again after too many wrong passwords or codes."""
    return act(connection, by, Action.UNLOCK, user_id)


def disable(connection: Transaction, by: By, user_id: int) -> Outcome:
    """Keep a user from logging in, and end the sessions."""
    return act(connection, by, Action.DISABLE, user_id)


def enable(connection: Transaction, by: By, user_id: int) -> Outcome:
    """Let a user log in again."""
    return act(connection, by, Action.ENABLE, user_id)


def end_sessions(connection: Transaction, by: By, user_id: int) -> Outcome:
    """End all sessions of a user, but not the one that *by* acts in."""
    return act(connection, by, Action.END_SESSIONS, user_id)


def end_session(connection: Transaction, by: By, user_id: int, session_id: int) -> Outcome:
    """End one session of a user."""
    target = judged(connection, by, Action.END_SESSIONS, user_id)
    if isinstance(target, Outcome):
        return target
    ended = effects.end_session(connection, by, target, session_id)
    return Outcome.SESSIONS_ENDED if ended else Outcome.NO_SESSION


def forget_devices(connection: Transaction, by: By, user_id: int) -> Outcome:
    """Know none of a user's browsers any more: wrong tries from there count as a stranger's."""
    target = judged(connection, by, Action.END_SESSIONS, user_id)
    if isinstance(target, Outcome):
        return target
    forgotten = effects.forget_devices(connection, by, target)
    return Outcome.DEVICES_FORGOTTEN if forgotten else Outcome.NO_DEVICE


def setup_link(connection: Transaction, by: By, user_id: int) -> Issued | Outcome:
    """Make a link by which a user sets a password, once; an earlier one is good no more."""
    target = judged(connection, by, Action.SETUP_LINK, user_id)
    return target if isinstance(target, Outcome) else links.issue_to(connection, by, target)


def _remove_mfa(connection: Transaction, by: By, target: Account) -> Outcome:
    return Outcome.MFA_REMOVED if effects.remove_mfa(connection, by, target) else Outcome.NO_MFA


def _unlock(connection: Transaction, by: By, target: Account) -> Outcome:
    return Outcome.UNLOCKED if effects.unlock(connection, by, target) else Outcome.NOT_STOPPED


def _disable(connection: Transaction, by: By, target: Account) -> Outcome:
    changed = effects.set_active(connection, by, target, active=False)
    return Outcome.DISABLED if changed else Outcome.DISABLED_BEFORE


def _enable(connection: Transaction, by: By, target: Account) -> Outcome:
    changed = effects.set_active(connection, by, target, active=True)
    return Outcome.ENABLED if changed else Outcome.ENABLED_BEFORE


def _end_sessions(connection: Transaction, by: By, target: Account) -> Outcome:
    return Outcome.SESSIONS_ENDED if effects.log_out(connection, by, target) else Outcome.NO_SESSION


ACTS: Final[Mapping[Action, Callable[[Transaction, By, Account], Outcome]]] = {
    Action.REMOVE_MFA: _remove_mfa,
    Action.UNLOCK: _unlock,
    Action.DISABLE: _disable,
    Action.ENABLE: _enable,
    Action.END_SESSIONS: _end_sessions,
}
"""What is done user by user."""
