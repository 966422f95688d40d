"""An owner of the database who goes around what guards the audit."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, select, text, update

from practicus_mfa.storage.schema import SCHEMA, audit_chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from practicus_mfa.storage.engine import Database

TABLES: Final = ("mfa_audit", "mfa_audit_chain", "mfa_audit_checkpoints")


@contextmanager
def unguarded(db: Database) -> Iterator[Connection]:
    """A writing transaction in which the audit's triggers do nothing."""
    with db.write() as connection:
        if not db.is_sqlite:
            for table in TABLES:
                connection.execute(text(f"ALTER TABLE {SCHEMA}.{table} DISABLE TRIGGER USER"))
            yield connection
            for table in TABLES:
                connection.execute(text(f"ALTER TABLE {SCHEMA}.{table} ENABLE TRIGGER USER"))
            return
        query = text(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'mfa_audit%'"
        )
        triggers = connection.execute(query).all()
        for name, _ in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        yield connection
        for _, statement in triggers:
            connection.exec_driver_sql(statement)


def let_settle(db: Database, span: timedelta = timedelta(hours=1)) -> None:
    """Let what is sealed have been sealed a while ago."""
    with unguarded(db) as connection:
        for position, at in connection.execute(select(audit_chain.c.position, audit_chain.c.sealed_at)).all():
            changed = update(audit_chain).where(audit_chain.c.position == position)
            connection.execute(changed.values(sealed_at=at - span))
