"""Another database, read and never written: that of a Django site with ``auth_user``.

``otp_totp_totpdevice`` of django-otp is read where it is there. Whatever the rows hold is passed on as it is;
what can be made of it is for others to say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import Engine, NullPool, column, create_engine, inspect, select, table
from sqlalchemy.exc import SQLAlchemyError

from practicus_mfa.errors import UsageError
from practicus_mfa.storage.addresses import Address, SqliteFile, parse_url
from practicus_mfa.storage.driver_faults import translated

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

_USERS: Final = table(
    "auth_user",
    *map(
        column,
        (
            "id",
            "username",
            "email",
            "first_name",
            "last_name",
            "password",
            "is_active",
            "is_staff",
            "is_superuser",
        ),
    ),
)
_DEVICES: Final = table(
    "otp_totp_totpdevice",
    *map(column, ("id", "user_id", "confirmed", "key", "step", "t0", "digits", "drift", "last_t")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoUser:
    """A row of ``auth_user``."""

    id: int
    username: str
    email: str
    first_name: str
    last_name: str
    password: str = field(repr=False)
    is_active: bool
    is_staff: bool
    is_superuser: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoDevice:
    """A row of ``otp_totp_totpdevice``; *key* is the secret in hex, *last_t* the last step that was used."""

    id: int
    user_id: int
    confirmed: bool
    key: str = field(repr=False)
    step: int
    t0: int
    digits: int
    drift: int
    last_t: int


@dataclass(frozen=True, slots=True)
class DjangoSource:
    """What a Django site's database holds of users."""

    users: tuple[DjangoUser, ...]
    devices: tuple[DjangoDevice, ...]


def read_django(url: str) -> DjangoSource:
    """Read the database at *url* in one read-only transaction.

    Raises:
        UsageError: *url* can't be understood, or there is no ``auth_user``.
        UnreachableError: The database can't be used at the moment.
    """
    address = parse_url(url)
    with _reading(address) as connection:
        there = inspect(connection)
        if not there.has_table(_USERS.name):
            raise UsageError(
                f"There is no table {_USERS.name} in {address.shown}.",
                remedy="Give a Django database; users of a custom user model are exported as CSV.",
            )
        users = connection.execute(select(_USERS).order_by(_USERS.c.id)).mappings()
        found = tuple(DjangoUser(**_with_booleans(row)) for row in users)
        if not there.has_table(_DEVICES.name):
            return DjangoSource(found, ())
        devices = connection.execute(select(_DEVICES).order_by(_DEVICES.c.id)).mappings()
        return DjangoSource(found, tuple(DjangoDevice(**_with_booleans(row)) for row in devices))


_BOOLEANS: Final = frozenset({"is_active", "is_staff", "is_superuser", "confirmed"})


def _with_booleans(row: RowMapping) -> dict[str, Any]:
    # SQLite keeps 0 and 1, and no type of ours is declared for another program's table.
    return {name: bool(value) if name in _BOOLEANS else value for name, value in row.items()}


@contextmanager
def _reading(address: Address) -> Iterator[Connection]:
    engine = _engine(address)
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise translated(error, address) from error
    finally:
        engine.dispose()


def _engine(address: Address) -> Engine:
    if isinstance(address, SqliteFile):
        if not address.path.is_file():
            raise UsageError(f"There is no file {address.path}.", remedy="Check the path.")
        # Not our own engine: that one would set the journal mode of a file that is not ours.
        uri = f"file:{quote(str(address.path.absolute()))}?mode=ro"
        return create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=NullPool)
    return create_engine(
        address.url, poolclass=NullPool, hide_parameters=True, connect_args={"connect_timeout": 10}
    ).execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
