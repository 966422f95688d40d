"""What an administrator does to a user, each act with its line in the audit, in one transaction.

Whatever changes what a user can log in with, or whether, ends the user's sessions in the same transaction.
"""

from __future__ import annotations

from dataclasses import replace

from practicus_mfa.core.usernames import parse_text, parse_username
from practicus_mfa.crypto.password_policy import check_password
from practicus_mfa.crypto.passwords import hash_password
from practicus_mfa.errors import UsageError
from practicus_mfa.login import new_password, throttling
from practicus_mfa.storage import audit, factors, sessions, users
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.users import NewUser, User


def create_user(db: Database, new: NewUser, *, password: str | None, actor: str) -> User:
    """Create a user.

    Args:
        db: The database.
        new: The user; names and e-mail address as a person typed them, without a password hash.
        password: The password; ``None``: the user can't log in with one until it is set.
        actor: Who does it, for the audit.

    Raises:
        UsageError: The user name or another text can't be used.
        PasswordRefusedError: The password is too short, too long or common.
        UserExistsError: The name is taken.
    """
    checked = replace(checked_texts(new), password_hash="" if password is None else hashed(password))
    with db.write() as connection:
        user = users.create(connection, checked)
        roles = {"staff": user.is_staff, "superuser": user.is_superuser, "active": user.is_active}
        audit.append(connection, actor, "user.create", subject=user.username, detail=roles)
    return user


def checked_texts(new: NewUser) -> NewUser:
    """Return *new* with its texts in the form in which they are kept.

    Raises:
        UsageError: One of them can't be used.
    """
    try:
        return replace(
            new,
            username=parse_username(new.username),
            email=parse_text("the e-mail address", new.email),
            name=parse_text("the name", new.name),
        )
    except ValueError as error:
        raise UsageError(f"The user can't be created: {error}.", remedy="Choose another one.") from error


def hashed(password: str) -> str:
    """Return the hash of a new password.

    Raises:
        PasswordRefusedError: It is too short, too long or common.
    """
    return hash_password(check_password(password))


def set_password(db: Database, username: str, password: str, *, actor: str) -> User:
    """Replace a user's password.

    Raises:
        PasswordRefusedError: It is too short, too long or common.
        NoSuchUserError: There is no such user.
    """
    password_hash = hashed(password)
    with db.write() as connection:
        user = users.get(connection, username, lock=True)
        new_password.put_in_force(connection, user.id, password_hash)
        throttling.end_password_stop(connection, user.username)
        audit.append(connection, actor, "user.set-password", subject=user.username)
    return user


def set_active(db: Database, username: str, *, active: bool, actor: str) -> bool:
    """Let a user log in, or not; return whether that was a change.

    Raises:
        NoSuchUserError: There is no such user.
    """
    with db.write() as connection:
        user = users.get(connection, username, lock=True)
        changed = users.set_active(connection, user.id, active=active)
        if changed:
            sessions.end_all(connection, user.id)
            action = "user.enable" if active else "user.disable"
            audit.append(connection, actor, action, subject=user.username)
    return changed


def remove_mfa(db: Database, username: str, *, actor: str) -> int:
    """Remove all MFA of a user, also what no key opens; return how many factors that were.

    Raises:
        NoSuchUserError: There is no such user.
    """
    with db.write() as connection:
        user = users.get(connection, username, lock=True)
        removed = factors.remove_all(connection, user.id)
        throttling.end_stop(connection, user.username)
        if removed:
            sessions.end_all(connection, user.id)
            audit.append(connection, actor, "mfa.remove", subject=user.username, detail={"factors": removed})
    return removed


def unlock(db: Database, username: str, *, actor: str) -> User:
    """Let a user try again who was stopped after too many wrong passwords or codes.

    Raises:
        NoSuchUserError: There is no such user.
    """
    with db.write() as connection:
        user = users.get(connection, username, lock=True)
        throttling.unlock(connection, user.username)
        audit.append(connection, actor, "user.unlock", subject=user.username)
    return user
