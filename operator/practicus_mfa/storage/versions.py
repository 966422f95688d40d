"""Which step of its migrations a database is at, and taking it to the newest one.

Asking is cheap: the version table is read, and Alembic is imported only to take steps. Steps go forwards
only; the way back is a backup.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from sqlalchemy import Connection, inspect, text

from practicus_mfa.errors import UsageError
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.faults import UPGRADE, not_set_up
from practicus_mfa.storage.schema import SCHEMA
from practicus_mfa.storage.user_list import words_index

STEPS: Final = ("0001", "0002", "0003")
"""Every step, oldest first, as Alembic numbers them."""

UPGRADE_LOCK: Final = 0x6D66_615F_7570_6772
"""PostgreSQL's advisory lock of who upgrades ("mfa_upgr" in ASCII)."""

_VERSION_TABLE: Final = "alembic_version"

_ONE_AT_A_TIME: Final = threading.Lock()
"""Alembic keeps the migration under way in globals of its module: two threads would share one connection."""

log = logging.getLogger(__name__)


def head() -> str:
    """Return the step that this program works with."""
    return STEPS[-1]


def current(db: Database) -> str | None:
    """Return the step that *db* is at, ``None`` where no step was ever taken.

    Raises:
        UnreachableError: *db* can't be used at the moment.
    """
    with db.read() as connection:
        return _current(connection)


def _current(connection: Connection) -> str | None:
    schema = SCHEMA if connection.dialect.name == "postgresql" else None
    if not inspect(connection).has_table(_VERSION_TABLE, schema=schema):
        return None
    qualified = f"{schema}.{_VERSION_TABLE}" if schema else _VERSION_TABLE
    return connection.execute(text(f"SELECT version_num FROM {qualified}")).scalar_one_or_none()  # noqa: S608


def check(db: Database) -> None:
    """Make sure that *db* is at the step that this program works with.

    Raises:
        UsageError: It is behind, or ahead.
        UnreachableError: *db* can't be used at the moment.
    """
    _judge(current(db), db)


def check_not_behind(db: Database) -> None:
    """Make sure that *db* has all that this program works with.

    A step that this program does not know will do: each lets the release before it go on while the next one
    is rolled out.

    Raises:
        UsageError: It is behind.
        UnreachableError: *db* can't be used at the moment.
    """
    _judge_if_behind(current(db), db)


def _judge(found: str | None, db: Database) -> None:
    _judge_if_behind(found, db)
    if found is not None and found not in STEPS:
        raise _ahead(found, db)


def _judge_if_behind(found: str | None, db: Database) -> None:
    if found is None:
        raise not_set_up(db.shown)
    if found in STEPS and found != head():
        raise UsageError(
            f"The database {db.shown} is at step {found}, this program needs {head()}.", remedy=UPGRADE
        )


def _ahead(found: str, db: Database) -> UsageError:
    return UsageError(
        f"The database {db.shown} is at step {found}, which is newer than this program ({head()}).",
        remedy="Use a newer practicus-mfa.",
    )


def upgrade(db: Database) -> str | None:
    """Take *db* to the newest step, all or nothing; return the step that it was at.

    An index that takes long is built after that, beside everybody's work.

    Several processes may do this at once: one works, the others wait and find nothing to do.

    Raises:
        UsageError: *db* is ahead of this program, or the role may not create tables.
        UnreachableError: *db* can't be used at the moment.
    """
    with db.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
            _make_schema(connection)
        before = _current(connection)
        if before is not None and before not in STEPS:
            raise _ahead(before, db)
        if before != head():
            _take_steps(connection)
            log.info("the database %s was taken from step %s to %s", db.shown, before or "none", head())
    words_index.build(db)
    return before


def _make_schema(connection: Connection) -> None:
    # IF NOT EXISTS asks for the right to create schemas even where there is nothing to create.
    if not inspect(connection).has_schema(SCHEMA):
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))


def _take_steps(connection: Connection) -> None:
    # Slow to import, and rarely needed.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "practicus_mfa.storage:migrations")
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")
