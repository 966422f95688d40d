"""Creating a user on the pages: staff create users, superusers administrators too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from practicus_mfa.crypto.password_policy import check_password
from practicus_mfa.crypto.passwords import hash_password
from practicus_mfa.login import memberships
from practicus_mfa.login.acts.by import By, Outcome
from practicus_mfa.login.acts.judged import may_create
from practicus_mfa.login.administer import add_user, checked_texts
from practicus_mfa.login.context import LoginContext
from practicus_mfa.storage.users import NewUser, User


def create_user(
    ctx: LoginContext,
    by: By,
    new: NewUser,
    *,
    password: str | None = None,
    must_change: bool = False,
    groups: Sequence[str] = (),
) -> User | Outcome:
    """Create a user.

    Args:
        ctx: The surroundings.
        by: Who asks.
        new: The user; names and e-mail address as typed, without a password hash.
        password: The password; ``None``: the user gets a set-up link, or none for now.
        must_change: The user chooses another password at the first log-in.
        groups: What the user becomes a member of; superusers choose.

    Returns:
        The user; or why *by* may not create this one.

    Raises:
        UsageError: The user name or another text can't be used.
        PasswordRefusedError: The password is too short, too long or common.
        UserExistsError: The name is taken.
        NoSuchGroupError: There is no group of a name.
        BusyError: Too many log-ins are under way.
    """
    checked = checked_texts(new)
    if password is not None:
        right = check_password(password)
        checked = replace(checked, password_hash=ctx.hashing.run(lambda: hash_password(right)))
    with ctx.db.write() as connection:
        refused = may_create(connection, by, new, grouped=bool(groups))
        if refused is not None:
            return refused
        user = add_user(connection, by, checked, must_change=must_change)
        for group in sorted(set(groups)):
            memberships.add(connection, by, group, [user])
    return user
