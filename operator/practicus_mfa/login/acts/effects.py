"""What an act does, in the caller's transaction, whose user's row is locked: the command line does the same.

Whoever may do it was asked before. What can end a log-in ends the user's sessions, all but the acting one.
"""

from __future__ import annotations

from practicus_mfa.core.login.account import Person
from practicus_mfa.login import throttling
from practicus_mfa.login.acts.by import Author
from practicus_mfa.storage import audit, devices, factors, half_logins, sessions, users
from practicus_mfa.storage.transaction import Transaction


def remove_mfa(connection: Transaction, author: Author, user: Person) -> int:
    """Remove all MFA of a user, also what no key opens; return how many factors that were."""
    removed = factors.remove_all(connection, user.id)
    throttling.end_stop(connection, user.username)
    if removed:
        end_sessions(connection, author, user)
        _note(connection, author, "mfa.remove", user, factors=removed)
    return removed


def set_active(connection: Transaction, author: Author, user: Person, *, active: bool) -> bool:
    """Let a user log in, or not; return whether that was a change."""
    changed = users.set_active(connection, user.id, active=active)
    if changed:
        end_sessions(connection, author, user)
        _note(connection, author, "user.enable" if active else "user.disable", user)
    return changed


def unlock(connection: Transaction, author: Author, user: Person) -> bool:
    """Let a user try again after too many wrong passwords or codes; return whether a try had to wait."""
    forgotten = throttling.unlock(connection, user.username)
    if forgotten.tries:
        _note(connection, author, "user.unlock", user)
    return forgotten.stopped


def end_sessions(connection: Transaction, author: Author, user: Person) -> int:
    """End the sessions of a user, but not the one that *author* acts by; return how many."""
    half_logins.end_all(connection, user.id)
    return sessions.end_all(connection, user.id, but=author.own_session(user.id))


def log_out(connection: Transaction, author: Author, user: Person) -> int:
    """Do the same as an act of its own."""
    ended = end_sessions(connection, author, user)
    if ended:
        _note(connection, author, "session.end-all", user, sessions=ended)
    return ended


def end_session(connection: Transaction, author: Author, user: Person, session_id: int) -> bool:
    """End one session of a user; return whether there was one."""
    ended = sessions.end(connection, session_id, user_id=user.id)
    if ended:
        _note(connection, author, "session.end", user)
    return ended


def forget_devices(connection: Transaction, author: Author, user: Person) -> int:
    """Know none of a user's browsers any more; return how many those were."""
    forgotten = devices.delete_all(connection, user.id)
    if forgotten:
        _note(connection, author, "devices.forget", user, devices=forgotten)
    return forgotten


def _note(connection: Transaction, author: Author, action: str, user: Person, **detail: int) -> None:
    audit.append(connection, author.username, action, subject=user.username, detail=author.detail(**detail))
