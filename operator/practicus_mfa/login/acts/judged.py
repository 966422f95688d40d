"""Judging an act: the user is locked, then both are read anew, so that the answer is of this moment.

Two administrators who act on each other are told one after the other: where an act could take somebody the
right to administer, the row of who acts is locked too, both in the order of their ids. Whoever keeps that
right through the transaction is somebody who could undo it.
"""

from __future__ import annotations

from practicus_mfa.core.login import rights
from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rights import Action
from practicus_mfa.login.acts.by import By, Outcome, outcome_of
from practicus_mfa.storage import accounts
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.users import NewUser


def judged(connection: Transaction, by: By, action: Action, user_id: int) -> Account | Outcome:
    """Lock a user and return it, or why *by* may not do *action* to it.

    Args:
        connection: A writing transaction that holds no user's lock yet.
        by: Who acts.
        action: What.
        user_id: To whom.
    """
    accounts.lock(connection, [by.account_id, user_id] if action in rights.LOCKS_OUT else [user_id])
    return judge(connection, by, action, user_id)


def judge(connection: Transaction, by: By, action: Action, user_id: int) -> Account | Outcome:
    """Return the same of a user who is locked already, or where the act locks out nobody."""
    actor = accounts.account(connection, by.account_id)
    if actor is None or not rights.may_administer(actor):
        return Outcome.NO_ADMINISTRATOR
    target = accounts.account(connection, user_id)
    if target is None:
        return Outcome.GONE
    last = target.is_superuser and target.is_active and not accounts.other_superuser(connection, user_id)
    refused = rights.refusal(actor, action, target, last_superuser=last)
    return target if refused is None else outcome_of(refused)


def may_create(connection: Transaction, by: By, new: NewUser, *, grouped: bool) -> Outcome | None:
    """Return why *by* may not create this user; ``None``: it is allowed.

    Args:
        connection: A transaction.
        by: Who asks.
        new: The user.
        grouped: It is to be in groups.
    """
    actor = accounts.account(connection, by.account_id)
    if actor is None:
        return Outcome.NO_ADMINISTRATOR
    special = new.is_administrator or grouped
    refused = rights.refusal_to_create(actor, special=special)
    return None if refused is None else outcome_of(refused)


def is_administrator(connection: Transaction, by: By) -> bool:
    """Whether who acts administers users, as of this moment."""
    actor = accounts.account(connection, by.account_id)
    return actor is not None and rights.may_administer(actor)


def is_superuser(connection: Transaction, by: By) -> bool:
    """Whether who acts may set groups and create administrators, as of this moment."""
    actor = accounts.account(connection, by.account_id)
    return actor is not None and rights.may_set_policy(actor)
