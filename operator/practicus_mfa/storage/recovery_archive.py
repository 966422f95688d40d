"""What ``recover`` took away from users, kept to be put back: factors with their tokens as they were.

Taking works on a database at any step of its migrations: it names only columns that the first step made, and
asks which tables there are. What is kept is what the database says it deleted, so no code that was used at
the same moment is among it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, insert, inspect, select, update

from practicus_mfa.core.usernames import username_key
from practicus_mfa.storage.backup.rows import decode_row, encode_row
from practicus_mfa.storage.factors import HAS_TOKEN
from practicus_mfa.storage.schema import (
    SCHEMA,
    attempts,
    factors,
    half_logins,
    pending_factors,
    recovery_archive,
    recovery_codes,
    sessions,
    users,
)
from practicus_mfa.storage.types import UnreadableDocument, database_instant
from practicus_mfa.storage.users import NoSuchUserError

Rows: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by the name of their table, as JSON has them: instants in ISO 8601, bytes in hex."""

ARCHIVE: Final = recovery_archive.name

_KEPT: Final = (recovery_codes, factors)
"""What is kept, in the order in which it is deleted: a factor would take its codes along."""

_ENDED: Final = (pending_factors, half_logins, sessions)
"""What ends: a set-up that was begun, and whoever is logged in or on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedOut:
    """A user, as far as every step of the migrations knows one.

    Attributes:
        id: The row's id.
        username: The name as it is shown.
        is_active: May log in.
        has_password: A password was set.
    """

    id: int
    username: str
    is_active: bool
    has_password: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was taken from a user.

    Attributes:
        user_id: The user's id: the tokens are bound to it.
        at: When; two of one user are never of one moment.
        rows: The rows.
    """

    user_id: int
    at: datetime
    rows: Rows = field(repr=False)

    def of(self, table: Table) -> list[dict[str, Any]]:
        """Return the rows of *table* with values as the database takes them.

        Raises:
            ValueError: One of them is no row of that table; the message says why without a value of it.
        """
        if isinstance(self.rows, UnreadableDocument):
            # It must not be taken for a user who had nothing: the rows would go when that was put back.
            msg = "it can't be read"
            raise ValueError(msg)  # noqa: TRY004 - one kind of error for whatever is wrong with what was kept
        return [decode_row(table, json.dumps(row).encode()) for row in self.rows.get(table.name, ())]


def tables_there(connection: Connection) -> frozenset[str]:
    """Return the names of the tables that the database has."""
    schema = SCHEMA if connection.dialect.name == "postgresql" else None
    return frozenset(inspect(connection).get_table_names(schema=schema))


def locked_out(connection: Connection, username: str) -> LockedOut:
    """Return the user whose name compares equal; nobody else changes the user until the transaction ends.

    Raises:
        NoSuchUserError: There is none.
    """
    columns = (users.c.id, users.c.username, users.c.is_active, users.c.password_hash)
    named = select(*columns).where(users.c.username_key == username_key(username))
    row = connection.execute(named.with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise NoSuchUserError(username)
    return LockedOut(
        id=row.id, username=row.username, is_active=row.is_active, has_password=bool(row.password_hash)
    )


def has_mfa(connection: Connection, user_id: int) -> bool:
    """Whether a user has a factor with a token."""
    found = select(factors.c.id).where(factors.c.user_id == user_id, HAS_TOKEN).limit(1)
    return connection.execute(found).first() is not None


def take(connection: Connection, user_id: int, tables: Collection[str]) -> Rows:
    """Delete a user's factors and recovery codes without opening one; return what was deleted.

    Args:
        connection: A transaction that has locked the user.
        user_id: Whose.
        tables: What :func:`tables_there` said.
    """
    mine = select(factors.c.id).where(factors.c.user_id == user_id)
    conditions = {recovery_codes: recovery_codes.c.factor_id.in_(mine), factors: factors.c.user_id == user_id}
    taken: dict[str, Sequence[Mapping[str, Any]]] = {}
    for table in (table for table in _KEPT if table.name in tables):
        rows = connection.execute(delete(table).where(conditions[table]).returning(*table.c)).mappings()
        taken[table.name] = [json.loads(encode_row(dict(row))) for row in rows]
    return taken


def end_all(connection: Connection, user_id: int, tables: Collection[str]) -> None:
    """End a user's sessions and half log-ins, and a set-up that was begun."""
    for table in (table for table in _ENDED if table.name in tables):
        # Locked in one order, as everybody else does who ends several.
        place = table.c.user_id if table is pending_factors else table.c.id
        ended = select(place).where(table.c.user_id == user_id).order_by(place).with_for_update()
        connection.execute(delete(table).where(place.in_(ended)))


def end_stops_of_earlier_release(connection: Connection, subject: str) -> None:
    """Forget the wrong tries of a subject where the counters lack columns that this program asks for else."""
    mine = select(attempts.c.counter).where(attempts.c.subject == subject).order_by(attempts.c.counter)
    # By subject too: a counter's name alone is not its key.
    condition = and_(attempts.c.subject == subject, attempts.c.counter.in_(mine.with_for_update()))
    connection.execute(delete(attempts).where(condition))


def keep(connection: Connection, kept: Kept, *, actor: str) -> None:
    """Put what was taken into the archive."""
    row = {"user_id": kept.user_id, "at": kept.at, "actor": actor, "rows": kept.rows}
    connection.execute(insert(recovery_archive).values(row))


def newest(connection: Connection, user_id: int) -> Kept | None:
    """Return what was taken last from a user and not put back, ``None`` where there is nothing."""
    found = (
        select(recovery_archive.c.user_id, recovery_archive.c.at, recovery_archive.c.rows)
        .where(recovery_archive.c.user_id == user_id, recovery_archive.c.restored_at.is_(None))
        .order_by(recovery_archive.c.id.desc())
        .limit(1)
    )
    row = connection.execute(found).mappings().one_or_none()
    return None if row is None else Kept(**row)


def was_put_back(connection: Connection, kept: Kept) -> bool:
    """Whether the archive says that this was put back before."""
    found = select(recovery_archive.c.id).where(_is(kept), recovery_archive.c.restored_at.is_not(None))
    return connection.execute(found).first() is not None


def mark_put_back(connection: Connection, kept: Kept) -> None:
    """Note in the archive, where it knows of it, that this was put back now; the copy has served."""
    put_back = {"restored_at": database_instant(), "rows": {}}
    connection.execute(update(recovery_archive).where(_is(kept)).values(put_back))


def _is(kept: Kept) -> ColumnElement[bool]:
    return and_(recovery_archive.c.user_id == kept.user_id, recovery_archive.c.at == kept.at)
