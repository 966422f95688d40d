"""Editing a user: what the form was shown with is compared with what is stored, then all is saved or nothing.

Of two administrators who edit a user at once, the later one is told: nothing of the earlier one is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rights import Action
from practicus_mfa.core.usernames import parse_email, parse_text
from practicus_mfa.errors import UsageError
from practicus_mfa.login import memberships
from practicus_mfa.login.acts import effects
from practicus_mfa.login.acts.by import By, Outcome
from practicus_mfa.login.acts.judged import judge
from practicus_mfa.storage import accounts, audit, setup_links, user_changes, users
from practicus_mfa.storage.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What can be edited of a user; the name to log in with stays.

    Attributes:
        email: The e-mail address, or nothing.
        name: The person's name, or nothing.
        must_change_password: Another password is chosen before anything else.
        is_staff: Administers users.
        is_superuser: Administers everything.
        groups: Names, sorted.
    """

    email: str = ""
    name: str = ""
    must_change_password: bool = False
    is_staff: bool = False
    is_superuser: bool = False
    groups: tuple[str, ...] = ()


def profile_of(account: Account) -> Profile:
    """Return what can be edited of an account."""
    return Profile(
        email=account.email,
        name=account.name,
        must_change_password=account.must_change_password,
        is_staff=account.is_staff,
        is_superuser=account.is_superuser,
        groups=account.groups,
    )


def profile(connection: Transaction, user_id: int) -> Profile | None:
    """Return what is stored of a user, ``None`` where there is no such user."""
    account = accounts.account(connection, user_id)
    return None if account is None else profile_of(account)


def edit(connection: Transaction, by: By, user_id: int, *, seen: Profile, wanted: Profile) -> Outcome:
    """Save what was edited.

    Args:
        connection: A writing transaction that holds no user's lock yet.
        by: Who asks.
        user_id: The user.
        seen: What the form was shown with.
        wanted: What it was sent with, as typed.

    Returns:
        ``SAVED`` or ``UNCHANGED``; ``CHANGED`` where another one than *seen* is stored by now; why not.

    Raises:
        UsageError: One of the texts that were changed can't be used.
        NoSuchGroupError: There is no group of a name.
    """
    wanted = _checked(wanted, seen)
    # Roles are among it, so both rows are locked whatever was edited: it is rare.
    accounts.lock(connection, [by.account_id, user_id])
    target = judge(connection, by, Action.EDIT, user_id)
    for action in _needed(seen, wanted):
        target = target if isinstance(target, Outcome) else judge(connection, by, action, user_id)
    if isinstance(target, Outcome):
        return target
    if profile_of(target) != seen:
        return Outcome.CHANGED
    if wanted == seen:
        return Outcome.UNCHANGED
    _save(connection, by, target, seen, wanted)
    return Outcome.SAVED


def _checked(wanted: Profile, seen: Profile) -> Profile:
    """Return what is *wanted* in the form in which it is kept; what stays is not judged anew."""
    try:
        email = wanted.email if wanted.email == seen.email else parse_email(wanted.email)
        name = wanted.name if wanted.name == seen.name else parse_text("the name", wanted.name)
    except ValueError as error:
        remedy = "Correct it, or choose another one."
        raise UsageError(f"That can't be saved: {error}.", remedy=remedy) from error
    return replace(wanted, email=email, name=name, groups=tuple(sorted(set(wanted.groups))))


def _roles(of: Profile) -> tuple[bool, bool]:
    return of.is_staff, of.is_superuser


def _needed(seen: Profile, wanted: Profile) -> list[Action]:
    """Return what must be allowed beside editing."""
    roles = [Action.SET_ROLES] if _roles(seen) != _roles(wanted) else []
    return roles + ([Action.SET_GROUPS] if seen.groups != wanted.groups else [])


def _save(connection: Transaction, by: By, target: Account, seen: Profile, wanted: Profile) -> None:
    plain = [
        name
        for name in ("email", "name", "must_change_password")
        if getattr(seen, name) != getattr(wanted, name)
    ]
    if plain:
        user_changes.set_texts(connection, target.id, email=wanted.email, name=wanted.name)
        users.set_must_change_password(connection, target.id, must_change=wanted.must_change_password)
        _note(connection, by, "user.edit", target, changed=plain)
    if _roles(seen) != _roles(wanted):
        staff, superuser = _roles(wanted)
        user_changes.set_roles(connection, target.id, staff=staff, superuser=superuser)
        if staff > target.is_staff or superuser > target.is_superuser:
            # Staff may have made a link for a plain user; it must not set an administrator's password.
            setup_links.end_all(connection, target.id)
        effects.end_sessions(connection, by, target)
        _note(connection, by, "user.set-roles", target, staff=staff, superuser=superuser)
    for group in sorted(set(wanted.groups) - set(seen.groups)):
        memberships.add(connection, by, group, [target])
    for group in sorted(set(seen.groups) - set(wanted.groups)):
        memberships.remove(connection, by, group, [target])


def _note(connection: Transaction, by: By, action: str, target: Account, **detail: object) -> None:
    audit.append(connection, by.username, action, subject=target.username, detail=by.detail(**detail))
