"""Who is in a group, page by page in the order of user names.

A page of a large group may cost a walk over its members: there is no order of names within a group.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from practicus_mfa.storage.schema import groups, memberships, users


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody in a group."""

    id: int
    username: str
    name: str
    key: str
    """What user names are compared and sorted by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """A page of a group's members.

    Attributes:
        total: Members in all.
        shown: Those of the page.
        before: The key that the page before this one ends before; ``None`` on the first.
        after: The key that the next page begins after; ``None`` on the last.
    """

    total: int
    shown: tuple[Member, ...]
    before: str | None
    after: str | None


def members(
    connection: Connection, group: str, *, size: int, after: str = "", before: str = ""
) -> Members | None:
    """Return a page of a group's members, ``None`` where there is no such group.

    Args:
        connection: A transaction.
        group: The group's name.
        size: Members in a page.
        after: Begin after this key.
        before: End before this key.
    """
    group_id = connection.execute(select(groups.c.id).where(groups.c.name == group)).scalar_one_or_none()
    if group_id is None:
        return None
    count = select(func.count()).where(memberships.c.group_id == group_id)
    total = connection.execute(count).scalar_one()
    key = users.c.username_key
    query = (
        select(users.c.id, users.c.username, users.c.name, key.label("key"))
        .select_from(users.join(memberships, memberships.c.user_id == users.c.id))
        .where(memberships.c.group_id == group_id)
        .limit(size + 1)
    )
    if before:
        query = query.where(key < before).order_by(key.desc())
    else:
        query = query.where(key > after).order_by(key)
    rows = [Member(**row) for row in connection.execute(query).mappings()]
    more, shown = len(rows) > size, rows[:size]
    if before:
        shown.reverse()
    has_previous, has_next = (more, True) if before else (bool(after), more)
    return Members(
        total=total,
        shown=tuple(shown),
        before=shown[0].key if shown and has_previous else None,
        after=shown[-1].key if shown and has_next else None,
    )
