"""The list of users: page by page along the unique key of names, each with what is known of its MFA.

A page costs a page, however many users there are: it begins where the last one ended, and the factors are
read for its users alone. Whether a row is under the write key is told by its hint; no token is opened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, not_, or_, select

from practicus_mfa.core.usernames import username_key
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.factors import HAS_TOKEN
from practicus_mfa.storage.schema import factors, users, write_key
from practicus_mfa.storage.users import COLUMNS, User, is_enrolled, to_user

PAGE: Final = 500
"""Users in one page, where the caller names no number."""


class KeyHint(StrEnum):
    """What the hints say of a user's MFA; where there are several factors, the one that needs most care."""

    NONE = "-"
    """No MFA."""
    ACTIVE = "active"
    """Under the write key."""
    ROLLING = "rolling"
    """Under another key, or not tried yet."""
    UNDECRYPTABLE = "undecryptable"
    """No known key opens it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which users to list: those that meet every condition given.

    Attributes:
        on_rolling_key: MFA that is not under the write key and can be migrated.
        without_mfa: No MFA at all.
        administrators: Staff or superuser.
        inactive: May not log in.
        undecryptable: MFA that no known key opens.
        search: A part of the user name, e-mail address or name, without regard to case.
    """

    on_rolling_key: bool = False
    without_mfa: bool = False
    administrators: bool = False
    inactive: bool = False
    undecryptable: bool = False
    search: str = ""


@dataclass(frozen=True, slots=True)
class ListedUser:
    """A line of the list."""

    user: User
    key: KeyHint

    @property
    def mfa(self) -> bool:
        """Whether the user has MFA, readable or not."""
        return self.key is not KeyHint.NONE


@dataclass(frozen=True, slots=True)
class UserPage:
    """A page of the list.

    Attributes:
        users: The users, in the order of their keys.
        after: Where the next page begins; ``None`` on the last one.
    """

    users: tuple[ListedUser, ...]
    after: str | None


def page(connection: Connection, wanted: Wanted, *, after: str | None = None, size: int = PAGE) -> UserPage:
    """Return the first *size* wanted users after the key *after* (of a user name), from the start if None."""
    query = select(*COLUMNS, users.c.username_key).where(*_conditions(wanted))
    if after is not None:
        query = query.where(users.c.username_key > after)
    # One row more than asked for tells whether there is another page.
    rows = connection.execute(query.order_by(users.c.username_key).limit(size + 1)).mappings().all()
    shown = rows[:size]
    hints = key_hints(connection, [row[users.c.id] for row in shown])
    listed = tuple(ListedUser(to_user(row), hints.get(row[users.c.id], KeyHint.NONE)) for row in shown)
    return UserPage(listed, shown[-1][users.c.username_key] if len(rows) > size else None)


def every(db: Database, wanted: Wanted, *, after: str | None = None) -> Iterator[ListedUser]:
    """Yield all wanted users after the key *after*, a page at a time, each in a transaction of its own."""
    start = after
    while True:
        with db.read() as connection:
            found = page(connection, wanted, after=start)
        yield from found.users
        if (start := found.after) is None:
            return


def key_hints(connection: Connection, user_ids: Sequence[int]) -> dict[int, KeyHint]:
    """Return what the hints say of each of these users who has MFA."""
    writes = connection.execute(select(write_key.c.key_id)).scalar_one_or_none()
    rows = connection.execute(
        select(factors.c.user_id, factors.c.key_id, factors.c.fault).where(
            factors.c.user_id.in_(user_ids), HAS_TOKEN
        )
    )
    hints: defaultdict[int, list[KeyHint]] = defaultdict(list)
    for user_id, key_id, fault in rows:
        hints[user_id].append(_hint(key_id, fault, writes))
    return {user_id: _gravest(found) for user_id, found in hints.items()}


def _hint(key_id: str | None, fault: str | None, writes: str | None) -> KeyHint:
    if fault is not None:
        return KeyHint.UNDECRYPTABLE
    return KeyHint.ACTIVE if key_id is not None and key_id == writes else KeyHint.ROLLING


def _gravest(hints: Iterable[KeyHint]) -> KeyHint:
    return max(hints, key=list(KeyHint).index)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    writes = select(write_key.c.key_id).scalar_subquery()
    # Without a write key nothing is under it, a factor that was not tried yet included.
    elsewhere = or_(factors.c.key_id.is_(None), factors.c.key_id.is_distinct_from(writes))
    possible = (
        (wanted.on_rolling_key, is_enrolled(factors.c.fault.is_(None), elsewhere)),
        (wanted.without_mfa, not_(is_enrolled())),
        (wanted.administrators, or_(users.c.is_staff, users.c.is_superuser)),
        (wanted.inactive, not_(users.c.is_active)),
        (wanted.undecryptable, is_enrolled(factors.c.fault.is_not(None))),
        (bool(wanted.search), _has(wanted.search)),
    )
    return [condition for asked, condition in possible if asked]


def _has(part: str) -> ColumnElement[bool]:
    return or_(
        users.c.username_key.contains(username_key(part), autoescape=True),
        func.lower(users.c.email).contains(part.lower(), autoescape=True),
        func.lower(users.c.name).contains(part.lower(), autoescape=True),
    )
