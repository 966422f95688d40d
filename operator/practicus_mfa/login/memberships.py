"""Groups and who is in them, each change with its line in the audit.

Who may change them was asked before: on the pages superusers alone, on the command line whoever has the
database.
"""

from __future__ import annotations

from collections.abc import Sequence

from practicus_mfa.core.login.account import Person
from practicus_mfa.login.acts.by import Author
from practicus_mfa.storage import accounts, audit, groups
from practicus_mfa.storage.transaction import Transaction


def create(connection: Transaction, author: Author, group: str) -> None:
    """Make a group.

    Raises:
        UsageError: The name is taken, or can't be a group's.
    """
    groups.create(connection, group)
    audit.append(connection, author.username, "group.create", subject=group, detail=author.detail())


def delete(connection: Transaction, author: Author, group: str) -> None:
    """Remove a group; its members stay users.

    Raises:
        NoSuchGroupError: There is none.
    """
    groups.remove(connection, group)
    audit.append(connection, author.username, "group.delete", subject=group, detail=author.detail())


def add(connection: Transaction, author: Author, group: str, members: Sequence[Person]) -> None:
    """Make users members; who is one already stays one.

    Raises:
        NoSuchGroupError: There is no such group.
    """
    there = _locked(connection, group, members)
    groups.add(connection, group, [user.id for user in members])
    _note(connection, author, "group.add", group, [user for user in members if user.id not in there])


def remove(connection: Transaction, author: Author, group: str, members: Sequence[Person]) -> None:
    """Make users members no more; who is none stays none.

    Raises:
        NoSuchGroupError: There is no such group.
    """
    there = _locked(connection, group, members)
    groups.take_out(connection, group, [user.id for user in members])
    _note(connection, author, "group.remove", group, [user for user in members if user.id in there])


def _locked(connection: Transaction, group: str, users: Sequence[Person]) -> frozenset[int]:
    """Lock users; return the ids of those who are members, which stay so meanwhile."""
    ids = [user.id for user in users]
    # In one order, and so that who edits a user sees all groups or none of these changes.
    accounts.lock(connection, ids)
    return groups.members_among(connection, group, ids)


def _note(
    connection: Transaction, author: Author, action: str, group: str, members: Sequence[Person]
) -> None:
    # Somebody may have been named twice.
    for user in {user.id: user for user in members}.values():
        detail = author.detail(group=group)
        audit.append(connection, author.username, action, subject=user.username, detail=detail)
