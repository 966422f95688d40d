"""Pages of the list: users in an order, each with what is known of the MFA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, func, select

from practicus_mfa.core.usernames import username_key
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.schema import attempts, users
from practicus_mfa.storage.user_list.hints import KeyHint, key_hints
from practicus_mfa.storage.user_list.order import Cursor, Order, Place, Sort, read_cursor
from practicus_mfa.storage.user_list.wanted import Wanted, codes_stopped, conditions
from practicus_mfa.storage.users import COLUMNS, NoSuchUserError, User, to_user

PAGE: Final = 500
"""Users in one page, where the caller names no number."""

_VALUE: Final = "sorted_by"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedUser:
    """A line of the list.

    Attributes:
        user: The user.
        key: What is known of the MFA.
        last_login_at: When the user last logged in, ``None``: never.
        stopped: No code is taken at the moment, after too many wrong ones.
        must_change_password: Another password has to be chosen before anything else.
    """

    user: User
    key: KeyHint
    last_login_at: datetime | None
    stopped: bool
    must_change_password: bool

    @property
    def mfa(self) -> bool:
        """Whether the user has MFA, readable or not."""
        return self.key is not KeyHint.NONE


@dataclass(frozen=True, slots=True)
class UserPage:
    """A page of the list.

    Attributes:
        users: The users, in order.
        previous: The cursor of the page before it; ``None`` on the first one.
        next: The cursor of the page behind it; ``None`` on the last one.
    """

    users: tuple[ListedUser, ...]
    previous: str | None
    next: str | None


def page(
    connection: Connection,
    wanted: Wanted,
    *,
    sort: Sort = Sort.USERNAME,
    descending: bool = False,
    cursor: str | None = None,
    size: int = PAGE,
) -> UserPage:
    """Return *size* wanted users.

    Args:
        connection: A transaction.
        wanted: Which users.
        sort: What they are sorted by.
        descending: From the end of that order.
        cursor: Another page's ``previous`` or ``next``. What is none, or is of another order, or has nobody
            beyond it any more, gives the first page.
        size: How many users at most.
    """
    order = Order(sort, descending)
    start = read_cursor(cursor, order)
    rows = _rows(connection, wanted, order, start, size + 1, one_page=True)
    if start is not None and (not rows or (start.back and len(rows) <= size)):
        # Who goes back to the beginning sees a whole page, however many users came or went meanwhile.
        start = None
        rows = _rows(connection, wanted, order, None, size + 1, one_page=True)
    # One row more than asked for tells whether there is another page in that direction.
    more, rows = len(rows) > size, rows[:size]
    back = start is not None and start.back
    if back:
        rows = rows[::-1]
    has_previous, has_next = (more, True) if back else (start is not None, more)
    return UserPage(
        _listed(connection, rows),
        Cursor(_place(rows[0]), back=True).word(order) if has_previous and rows else None,
        Cursor(_place(rows[-1])).word(order) if has_next and rows else None,
    )


def every(
    db: Database,
    wanted: Wanted,
    *,
    sort: Sort = Sort.USERNAME,
    descending: bool = False,
    after: str | None = None,
    size: int = PAGE,
) -> Iterator[ListedUser]:
    """Yield all wanted users, a page at a time, each in a transaction of its own.

    Args:
        db: The database.
        wanted: Which users.
        sort: What they are sorted by.
        descending: From the end of that order.
        after: Begin behind the user of this name.
        size: Users in a page.

    Raises:
        NoSuchUserError: There is no user *after*, and the order is not the names'.
    """
    order = Order(sort, descending)
    start: Cursor | None = None
    if after is not None:
        with db.read() as connection:
            start = Cursor(_place_of(connection, order, after))
    while True:
        with db.read() as connection:
            rows = _rows(connection, wanted, order, start, size)
            found = _listed(connection, rows)
        yield from found
        if len(rows) < size:
            return
        start = Cursor(_place(rows[-1]))


def count(connection: Connection, wanted: Wanted) -> int:
    """Return how many users are wanted; where there are conditions, all users may have to be looked at."""
    query = select(func.count()).select_from(users).where(*conditions(connection, wanted))
    return connection.execute(query).scalar_one()


def ids_page(connection: Connection, wanted: Wanted, after_id: int, limit: int) -> list[int]:
    """Return the ids of the next wanted users, *limit* at most, whose ids are higher than *after_id*."""
    query = select(users.c.id).where(*conditions(connection, wanted), users.c.id > after_id)
    return list(connection.execute(query.order_by(users.c.id).limit(limit)).scalars())


def _rows(
    connection: Connection,
    wanted: Wanted,
    order: Order,
    start: Cursor | None,
    limit: int,
    *,
    one_page: bool = False,
) -> Sequence[RowMapping]:
    query = select(
        *COLUMNS, users.c.last_login_at, users.c.must_change_password, order.value.label(_VALUE)
    ).where(*conditions(connection, wanted, one_page=one_page))
    if start is not None:
        query = query.where(order.beyond(start.place, back=start.back))
    query = query.order_by(*order.by(back=start is not None and start.back)).limit(limit)
    return connection.execute(query).mappings().all()


def _place(row: RowMapping) -> Place:
    return Place(row[_VALUE], row[users.c.id])


def _place_of(connection: Connection, order: Order, username: str) -> Place:
    key = username_key(username)
    if order.sort is Sort.USERNAME:
        return Place(key, 0)
    query = select(users.c.id, order.value.label(_VALUE)).where(users.c.username_key == key)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NoSuchUserError(username)
    return _place(row)


def _listed(connection: Connection, rows: Sequence[RowMapping]) -> tuple[ListedUser, ...]:
    """Return the users of a page; factors and counters are read for them alone."""
    ids = [row[users.c.id] for row in rows]
    if not ids:
        return ()
    hints = key_hints(connection, ids)
    query = select(attempts.c.user_id).where(attempts.c.user_id.in_(ids), codes_stopped())
    stopped = set(connection.execute(query).scalars())
    return tuple(
        ListedUser(
            user=to_user(row),
            key=hints.get(row[users.c.id], KeyHint.NONE),
            last_login_at=row[users.c.last_login_at],
            stopped=row[users.c.id] in stopped,
            must_change_password=row[users.c.must_change_password],
        )
        for row in rows
    )
