"""Accounts: users as the rules of logging in see them, groups and all, in one query."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Text,
    cast,
    func,
    or_,
    select,
    type_coerce,
    update,
)

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.usernames import username_key
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.schema import groups, memberships, users
from practicus_mfa.storage.users import is_enrolled

_PLAIN: Final = (
    users.c.id,
    users.c.username,
    users.c.email,
    users.c.name,
    users.c.is_active,
    users.c.is_staff,
    users.c.is_superuser,
    users.c.must_change_password,
    users.c.enrol_by,
)

_LOOKED_AT: Final = 20
"""Users, upwards and downwards, among whom one with a password is looked for."""


def account_columns(connection: Connection) -> list[ColumnElement[Any]]:
    """Return what an account is read from, named ``account_…``; the query's FROM has the users."""
    # Both aggregates give a JSON list as text: an array would be PostgreSQL's alone.
    listed = (
        cast(func.json_agg(groups.c.name), Text)
        if connection.dialect.name == "postgresql"
        else func.json_group_array(groups.c.name)
    )
    names = (
        select(type_coerce(listed, Text))
        .select_from(memberships.join(groups))
        .where(memberships.c.user_id == users.c.id)
        .correlate(users)
        .scalar_subquery()
    )
    plain = [column.label(f"account_{column.name}") for column in _PLAIN]
    return [*plain, names.label("account_groups"), is_enrolled().label("account_enrolled")]


def to_account(row: RowMapping) -> Account:
    """Return the account that :func:`account_columns` were read of."""
    names = json.loads(row["account_groups"] or "[]")
    return Account(
        **{column.name: row[f"account_{column.name}"] for column in _PLAIN},
        groups=tuple(sorted(names)),
        enrolled=bool(row["account_enrolled"]),
    )


def account(connection: Connection, user_id: int) -> Account | None:
    """Return the account of a user, ``None`` where there is no such user."""
    row = connection.execute(_query(connection).where(users.c.id == user_id)).mappings().one_or_none()
    return None if row is None else to_account(row)


def accounts_of(connection: Connection, user_ids: Sequence[int]) -> Mapping[int, Account]:
    """Return the accounts of users by their ids, in order; who does not exist is left out."""
    query = _query(connection).where(users.c.id.in_(user_ids)).order_by(users.c.id)
    found = map(to_account, connection.execute(query).mappings())
    return {account.id: account for account in found}


def locked_account(connection: Connection, user_id: int) -> Account | None:
    """Return the same; nobody else changes the user, or locks it too, until the transaction ends."""
    # Two statements: what the second sees is what was committed when the lock was given.
    lock(connection, [user_id])
    return account(connection, user_id)


def lock(connection: Connection, user_ids: Sequence[int]) -> None:
    """Let nobody else change these users, or lock one, until the transaction ends.

    They are locked in the order of their ids, so that nobody waits in a ring.
    """
    # FOR NO KEY UPDATE: a factor that refers to a user may still be written.
    rows = select(users.c.id).where(users.c.id.in_(user_ids)).order_by(users.c.id)
    connection.execute(rows.with_for_update(key_share=True)).all()


def other_superuser(connection: Connection, user_id: int) -> bool:
    """Whether there is an active superuser beside this user."""
    # Both roles are named as in the index of administrators, which the look goes through.
    administrators = or_(users.c.is_staff, users.c.is_superuser)
    others = select(users.c.id).where(
        administrators, users.c.is_superuser, users.c.is_active, users.c.id != user_id
    )
    return connection.execute(others.limit(1)).first() is not None


def account_named(connection: Connection, username: str) -> tuple[Account, str] | None:
    """Return the account of a name, and the password hash; ``None`` where nobody is called so."""
    query = _query(connection).add_columns(users.c.password_hash)
    row = (
        connection.execute(query.where(users.c.username_key == username_key(username)))
        .mappings()
        .one_or_none()
    )
    return None if row is None else (to_account(row), row["password_hash"])


def password_hash(connection: Connection, user_id: int) -> str:
    """Return a user's password hash, '' where there is no such user, or no password."""
    query = select(users.c.password_hash).where(users.c.id == user_id)
    return connection.execute(query).scalar_one_or_none() or ""


def _query(connection: Connection) -> Select[Any]:
    return select(*account_columns(connection)).select_from(users)


def some_password_hash(connection: Connection, digest: str) -> str:
    """Return some user's password hash, '' where none is near; always the same for one *digest*.

    It is chosen as if by chance, so that over many digests the schemes are mixed as they are in the table.
    Few users are looked at: this is done for each password that is tried, also where nobody has one.

    Args:
        connection: A transaction.
        digest: Hex digits of a hash.
    """
    newest = connection.execute(select(func.max(users.c.id))).scalar_one_or_none() or 0
    chosen = int(digest, 16) % (newest + 1)
    query = select(users.c.password_hash).limit(_LOOKED_AT)
    upwards = query.where(users.c.id >= chosen).order_by(users.c.id)
    downwards = query.where(users.c.id < chosen).order_by(users.c.id.desc())
    for one in (upwards, downwards):
        for found in connection.execute(one).scalars():
            if found:
                return str(found)
    return ""


def set_enrol_by(connection: Connection, user_id: int, at: datetime) -> None:
    """Store until when a user must have enrolled, unless that is stored already."""
    connection.execute(
        update(users).where(users.c.id == user_id, users.c.enrol_by.is_(None)).values(enrol_by=at)
    )


def record_login(connection: Connection, user_id: int) -> None:
    """Note that a user has logged in now."""
    connection.execute(
        update(users).where(users.c.id == user_id).values(last_login_at=database_now(connection))
    )
