"""In which order users are listed, and places in that order.

A page begins behind a place, or ends before it, so it costs a page however far down the list it is, and users
who come or go elsewhere move nothing on it. A place is the sorted value of a user and, where several have the
same, the id; it travels as one word that fits an address. It gives nobody a right and is not signed: all of
it ends as values in a query. One that was not made here is no place.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Text, UnaryExpression, func, literal, tuple_

from practicus_mfa.storage.schema import users
from practicus_mfa.storage.types import Instant

_LARGEST: Final = 2**63 - 1
_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)


class Sort(StrEnum):
    """What the list is sorted by."""

    USERNAME = "username"
    EMAIL = "email"
    NAME = "name"
    LAST_LOGIN = "last_login"
    """Who never logged in comes last, in both directions. There is no index for it, so all wanted users are
    read for a page: with one, each log-in would have to move its user in the index."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the list is sorted by, and whether backwards."""

    sort: Sort = Sort.USERNAME
    descending: bool = False

    @property
    def value(self) -> ColumnElement[Any]:
        """What is sorted by, before the id."""
        match self.sort:
            case Sort.USERNAME:
                return users.c.username_key
            case Sort.EMAIL:
                return func.lower(users.c.email)
            case Sort.NAME:
                return func.lower(users.c.name)
            case Sort.LAST_LOGIN:
                never = literal(_FIRST if self.descending else _LAST, Instant())
                return func.coalesce(users.c.last_login_at, never, type_=Instant())

    def by(self, *, back: bool = False) -> tuple[UnaryExpression[Any], ...]:
        """Return what to order a query by; with *back* from the end to the beginning."""
        columns = (self.value,) if self.sort is Sort.USERNAME else (self.value, users.c.id)
        return tuple(column.desc() if self.descending is not back else column.asc() for column in columns)

    def beyond(self, place: Place, *, back: bool = False) -> ColumnElement[bool]:
        """Return the condition that a user comes behind *place*; with *back* before it."""
        downwards = self.descending is not back
        if self.sort is Sort.USERNAME:
            # A name's key is nobody else's: alone it can be a place of a user who is gone.
            return self.value < place.value if downwards else self.value > place.value
        kind = Instant() if self.sort is Sort.LAST_LOGIN else Text()
        row = tuple_(self.value, users.c.id)
        here = tuple_(literal(place.value, kind), literal(place.user_id, BigInteger()))
        return row < here if downwards else row > here


@dataclass(frozen=True, slots=True)
class Place:
    """A user's place in an order: the sorted value, and the id."""

    value: str | datetime
    user_id: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins, or, with *back*, ends: at the user behind or before *place*."""

    place: Place
    back: bool = False

    def word(self, order: Order) -> str:
        """Return the cursor as a word of letters, digits, ``-`` and ``_``; it holds in that *order* alone."""
        value = self.place.value
        plain = value.isoformat() if isinstance(value, datetime) else value
        parts = [str(order.sort), order.descending, self.back, plain, self.place.user_id]
        return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read_cursor(word: str | None, order: Order) -> Cursor | None:
    """Return what :meth:`Cursor.word` gave in the same *order*, ``None`` for anything else."""
    if not word or not word.isascii():
        return None
    try:
        parts = json.loads(urlsafe_b64decode(word + "=" * (-len(word) % 4)))
        sort, descending, back, value, user_id = parts
        if (sort, descending) != (order.sort, order.descending) or not isinstance(value, str):
            return None
        if type(back) is not bool or type(user_id) is not int or not 0 <= user_id <= _LARGEST:
            return None
        if order.sort is not Sort.LAST_LOGIN:
            # What no text of a database can hold is refused here, not by the database.
            value.encode()
            return None if "\0" in value else Cursor(Place(value, user_id), back)
        moment = datetime.fromisoformat(value)
        return Cursor(Place(moment.astimezone(UTC), user_id), back) if moment.tzinfo is not None else None
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        return None
