"""Groups: names that users are members of; applications are told of them, and access rules ask for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, select

from practicus_mfa.errors import UsageError
from practicus_mfa.storage.bulk import insert_new
from practicus_mfa.storage.schema import groups, memberships
from practicus_mfa.storage.upsert import insert_missing

# Browsers take "." and ".." in an address for folders: the page of such a group could not be got to.
_NAME: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}", re.ASCII)
"""Names end up in a header that applications split at commas."""


class NoSuchGroupError(UsageError):
    """There is no group of that name."""

    def __init__(self, name: str) -> None:
        """Name it."""
        super().__init__(f"There is no group {name!r}.", remedy="See `practicus-mfa groups list`.")


def create(connection: Connection, name: str) -> None:
    """Make a group.

    Raises:
        UsageError: The name is taken, or can't be a group's.
    """
    if not _NAME.fullmatch(name):
        remedy = "Take 1 to 64 letters, digits, dots, hyphens and underscores."
        raise UsageError("That can't be the name of a group.", remedy=remedy)
    if not insert_new(connection, groups, [{"name": name}], key="name", returning="id"):
        raise UsageError(f"There is a group {name!r} already.", remedy="Choose another name.")


def remove(connection: Connection, name: str) -> None:
    """Remove a group; its members stay users.

    Raises:
        NoSuchGroupError: There is none.
    """
    connection.execute(delete(groups).where(groups.c.id == _id(connection, name)))


def all_groups(connection: Connection) -> Mapping[str, int]:
    """Return the groups by name, each with the number of its members."""
    query = (
        select(groups.c.name, func.count(memberships.c.user_id))
        .select_from(groups.outerjoin(memberships))
        .group_by(groups.c.name)
        .order_by(groups.c.name)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def members_among(connection: Connection, name: str, user_ids: Sequence[int]) -> frozenset[int]:
    """Return which of these users are members.

    Raises:
        NoSuchGroupError: There is no such group.
    """
    group_id = _id(connection, name)
    mine = memberships.c.user_id.in_(user_ids)
    found = select(memberships.c.user_id).where(memberships.c.group_id == group_id, mine)
    return frozenset(connection.execute(found).scalars())


def add(connection: Connection, name: str, user_ids: Sequence[int]) -> None:
    """Make users members; who is one already stays one.

    Raises:
        NoSuchGroupError: There is no such group.
    """
    group_id = _id(connection, name)
    for user_id in user_ids:
        insert_missing(connection, memberships, {"user_id": user_id, "group_id": group_id})


def take_out(connection: Connection, name: str, user_ids: Sequence[int]) -> None:
    """Make users members no more.

    Raises:
        NoSuchGroupError: There is no such group.
    """
    group_id = _id(connection, name)
    mine = memberships.c.user_id.in_(user_ids)
    connection.execute(delete(memberships).where(memberships.c.group_id == group_id, mine))


def _id(connection: Connection, name: str) -> int:
    found = connection.execute(select(groups.c.id).where(groups.c.name == name)).scalar_one_or_none()
    if found is None:
        raise NoSuchGroupError(name)
    return int(found)
