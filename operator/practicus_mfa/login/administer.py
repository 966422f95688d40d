"""What the command line does to users by name, each act with its line in the audit, in one transaction.

Whoever has the database may do it: nobody's rights are asked for here. The pages act through
:mod:`practicus_mfa.login.acts`, with the same effects.
"""

from __future__ import annotations

from dataclasses import replace

from practicus_mfa.core.usernames import parse_email, parse_new_username, parse_text
from practicus_mfa.crypto.password_policy import check_password
from practicus_mfa.crypto.passwords import hash_password
from practicus_mfa.errors import UsageError
from practicus_mfa.login import new_password, setup_link, throttling
from practicus_mfa.login.acts import effects
from practicus_mfa.login.acts.by import Author
from practicus_mfa.login.setup_link import Issued
from practicus_mfa.storage import audit, users
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.users import NewUser, User


def create_user(
    db: Database, new: NewUser, *, password: str | None, actor: str, must_change: bool = False
) -> User:
    """Create a user.

    Args:
        db: The database.
        new: The user; names and e-mail address as a person typed them, without a password hash.
        password: The password; ``None``: the user can't log in with one until it is set.
        actor: Who does it, for the audit.
        must_change: The user chooses another password at the first log-in.

    Raises:
        UsageError: The user name or another text can't be used.
        PasswordRefusedError: The password is too short, too long or common.
        UserExistsError: The name is taken.
    """
    checked = replace(checked_texts(new), password_hash="" if password is None else hashed(password))
    with db.write() as connection:
        return add_user(connection, Author(username=actor), checked, must_change=must_change)


def create_user_with_link(db: Database, new: NewUser, *, actor: str) -> Issued:
    """Create a user without a password, and the link by which the user sets one; both, or neither.

    Raises:
        UsageError: The user name or another text can't be used.
        UserExistsError: The name is taken.
    """
    checked, author = checked_texts(new), Author(username=actor)
    with db.write() as connection:
        user = add_user(connection, author, checked)
        return setup_link.issue_to(connection, author, user)


def add_user(connection: Transaction, author: Author, new: NewUser, *, must_change: bool = False) -> User:
    """Add a user whose texts were checked.

    Raises:
        UserExistsError: The name is taken.
    """
    user = users.create(connection, new)
    if must_change:
        users.set_must_change_password(connection, user.id, must_change=True)
    roles = {"staff": user.is_staff, "superuser": user.is_superuser, "active": user.is_active}
    audit.append(
        connection, author.username, "user.create", subject=user.username, detail=author.detail(**roles)
    )
    return user


def checked_texts(new: NewUser) -> NewUser:
    """Return *new* with its texts in the form in which they are kept.

    Raises:
        UsageError: One of them can't be used.
    """
    try:
        return replace(
            new,
            username=parse_new_username(new.username),
            email=parse_email(new.email),
            name=parse_text("the name", new.name),
        )
    except ValueError as error:
        remedy = "Correct it, or choose another one."
        raise UsageError(f"The user can't be created: {error}.", remedy=remedy) from error


def hashed(password: str) -> str:
    """Return the hash of a new password.

    Raises:
        PasswordRefusedError: It is too short, too long or common.
    """
    return hash_password(check_password(password))


def set_password(
    db: Database, username: str, password: str, *, actor: str, must_change: bool = False
) -> User:
    """Replace a user's password.

    Args:
        db: The database.
        username: Whose.
        password: The new one.
        actor: Who does it, for the audit.
        must_change: The user chooses another password at the next log-in.

    Raises:
        PasswordRefusedError: It is too short, too long or common.
        NoSuchUserError: There is no such user.
    """
    password_hash = hashed(password)
    with db.write() as connection:
        user = users.get(connection, username, lock=True)
        throttling.end_password_stop(connection, user.username)
        new_password.put_in_force(connection, user.id, password_hash, must_change=must_change)
        audit.append(connection, actor, "user.set-password", subject=user.username)
    return user


def set_active(db: Database, username: str, *, active: bool, actor: str) -> bool:
    """Let a user log in, or not; return whether that was a change.

    Raises:
        NoSuchUserError: There is no such user.
    """
    with db.write() as connection:
        user = users.get(connection, username, lock=True)
        return effects.set_active(connection, Author(username=actor), user, active=active)


def remove_mfa(db: Database, username: str, *, actor: str) -> int:
    """Remove all MFA of a user, also what no key opens; return how many factors that were.

    Raises:
        NoSuchUserError: There is no such user.
    """
    with db.write() as connection:
        user = users.get(connection, username, lock=True)
        return effects.remove_mfa(connection, Author(username=actor), user)


def unlock(db: Database, username: str, *, actor: str) -> bool:
    """Let a user try again after too many wrong passwords or codes; return whether a try had to wait.

    Raises:
        NoSuchUserError: There is no such user.
    """
    with db.write() as connection:
        user = users.get(connection, username, lock=True)
        return effects.unlock(connection, Author(username=actor), user)
