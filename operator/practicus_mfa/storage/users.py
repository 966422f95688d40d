"""Users: one row each, found by the key that names are compared by.

Every function works in the caller's transaction, so that an audit line can stand beside the change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, exists, select, update

from practicus_mfa.core.usernames import username_key
from practicus_mfa.errors import UsageError
from practicus_mfa.storage.bulk import insert_new
from practicus_mfa.storage.factors import HAS_TOKEN
from practicus_mfa.storage.schema import factors, users

COLUMNS: Final = (
    users.c.id,
    users.c.username,
    users.c.email,
    users.c.name,
    users.c.password_hash,
    users.c.is_active,
    users.c.is_staff,
    users.c.is_superuser,
)
"""What a :class:`User` is read from."""

CHUNK: Final = 1_000
"""Values in one statement: far below either database's limit on parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """A user to be created, its texts as :mod:`practicus_mfa.core.usernames` gives them.

    Attributes:
        username: The name as it is shown.
        email: An e-mail address, or nothing.
        name: The person's name, or nothing.
        password_hash: In a form that log-in verifies; empty where no password is to be accepted.
        is_active: May log in.
        is_staff: An administrator of users.
        is_superuser: An administrator of everything.
    """

    username: str
    email: str = ""
    name: str = ""
    password_hash: str = field(default="", repr=False)
    is_active: bool = True
    is_staff: bool = False
    is_superuser: bool = False

    @property
    def is_administrator(self) -> bool:
        """A system administrator: staff or superuser."""
        return self.is_staff or self.is_superuser


@dataclass(frozen=True, slots=True, kw_only=True)
class User(NewUser):
    """A user as stored.

    Attributes:
        id: The row's id; never used again after the user is gone.
    """

    id: int


class UserExistsError(UsageError):
    """The user name, or one that compares equal, is taken."""

    def __init__(self, username: str) -> None:
        """Name it."""
        super().__init__(
            f"There is a user {username!r} already (names are compared without regard to case).",
            remedy="Choose another name, or see `practicus-mfa users list`.",
        )


class NoSuchUserError(UsageError):
    """There is no user of that name."""

    def __init__(self, username: str) -> None:
        """Name it."""
        super().__init__(
            f"There is no user {username!r}.",
            remedy="See `practicus-mfa users list --search` with the beginning of the name.",
        )


def to_user(row: RowMapping) -> User:
    """Return the user that :data:`COLUMNS` were read of."""
    return User(**{column.name: row[column] for column in COLUMNS})


def create(connection: Connection, new: NewUser) -> User:
    """Add a user.

    Raises:
        UserExistsError: The name is taken.
    """
    if not (ids := create_many(connection, [new])):
        raise UserExistsError(new.username)
    return User(**asdict(new), id=ids[username_key(new.username)])


def create_many(connection: Connection, new: Sequence[NewUser]) -> Mapping[str, int]:
    """Add users, and return the id of each one by its key; those whose name is taken are left out."""
    # A violated constraint would end the caller's transaction on PostgreSQL: the conflict is an answer here.
    rows = [{**_columns(user), "username_key": username_key(user.username)} for user in new]
    return insert_new(connection, users, rows, key="username_key", returning="id")


def _columns(user: NewUser) -> dict[str, str | bool]:
    return {
        "username": user.username,
        "email": user.email,
        "name": user.name,
        "password_hash": user.password_hash,
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
    }


def find(connection: Connection, username: str) -> User | None:
    """Return the user whose name compares equal to *username*."""
    row = connection.execute(_named(username)).mappings().one_or_none()
    return None if row is None else to_user(row)


def get(connection: Connection, username: str, *, lock: bool = False) -> User:
    """Return the user whose name compares equal to *username*.

    Args:
        connection: A transaction, a writing one where *lock* is given.
        username: A name.
        lock: Nobody else changes the user, or locks it too, until the transaction ends.

    Raises:
        NoSuchUserError: There is none.
    """
    # FOR NO KEY UPDATE: a factor that refers to the user may still be written.
    query = _named(username).with_for_update(key_share=True) if lock else _named(username)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NoSuchUserError(username)
    return to_user(row)


def _named(username: str) -> Select[tuple[Any, ...]]:
    return select(*COLUMNS).where(users.c.username_key == username_key(username))


def taken(connection: Connection, keys: Sequence[str]) -> Iterator[str]:
    """Yield those of *keys* (of names) that belong to a user."""
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        yield from connection.execute(
            select(users.c.username_key).where(users.c.username_key.in_(part))
        ).scalars()


def set_password_hash(
    connection: Connection, user_id: int, password_hash: str, *, was: str | None = None
) -> None:
    """Replace a user's password hash; an empty one means that no password is accepted.

    Args:
        connection: A writing transaction.
        user_id: The user.
        password_hash: The new hash.
        was: Replace this hash only; another one stays.
    """
    change = update(users).where(users.c.id == user_id)
    if was is not None:
        change = change.where(users.c.password_hash == was)
    connection.execute(change.values(password_hash=password_hash))


def set_must_change_password(connection: Connection, user_id: int, *, must_change: bool) -> None:
    """Have a user choose another password before anything else, or no longer."""
    connection.execute(update(users).where(users.c.id == user_id).values(must_change_password=must_change))


def set_active(connection: Connection, user_id: int, *, active: bool) -> bool:
    """Let a user log in, or not; return whether that is a change."""
    changed = connection.execute(
        update(users)
        .where(users.c.id == user_id, users.c.is_active.is_not(active))
        .values(is_active=active)
        .returning(users.c.id)
    )
    return changed.first() is not None


def is_enrolled(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that a user has a factor with a token, one that meets the *conditions*."""
    return exists().where(factors.c.user_id == users.c.id, HAS_TOKEN, *conditions)
