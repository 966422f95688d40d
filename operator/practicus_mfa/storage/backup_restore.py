"""Restoring a backup: all of it in one transaction, after the whole file was seen to be in order.

Rows keep their ids, and no id that was ever given out is given out again: tokens are bound to them. What
belongs to the place and not to the data (the claim, leases, the policy in force) stays as it is; sessions and
whatever else is good for a while only is removed, so everybody logs in anew. Of the claim only the
keyring's generation is forgotten: so the next pass sees that the keyring is ahead of the database, trusts
no fact of an earlier rotation, and has every row looked at.

The audit is append-only, so a restore adds what is missing and takes nothing away: a line that is there
already is left alone, one whose id another line has meanwhile gets a new id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Identity, Table, delete, func, select, text, update
from sqlalchemy.exc import IntegrityError

from practicus_mfa.errors import UsageError
from practicus_mfa.storage import versions
from practicus_mfa.storage.audit import append
from practicus_mfa.storage.backup_format import EMPTIED, TABLES, Manifest, Part
from practicus_mfa.storage.backup_read import Backup, DamagedBackupError, check, opened
from practicus_mfa.storage.bulk import insert_all
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.schema import SCHEMA, audit, claim, users
from practicus_mfa.storage.writer import own_write_lock

LOCK_TIMEOUT: Final = timedelta(seconds=30)
"""How long writers that are at work may keep a restore waiting."""

BATCH: Final = 1_000
"""Rows in memory at a time."""

_REPLACED: Final = tuple(table for table in TABLES if table is not audit)

Row = Mapping[str, Any]


def restore(db: Database, path: Path, *, actor: str, replace: bool = False) -> Manifest:
    """Put the rows of the backup at *path* into *db*, and return what they are.

    Args:
        db: A database at this program's step of the migrations.
        path: The backup.
        actor: Who restores, for the audit.
        replace: Users that are there are removed; otherwise there must be none.

    Raises:
        DamagedBackupError: The file was cut short or edited.
        UsageError: The file is no backup, or there are users, or *db* is at another step.
        UnreachableError: *db* can't be used at the moment, or others write without end.
    """
    versions.check(db)
    with opened(path) as backup:
        check(backup)
        with db.write(lock_timeout=LOCK_TIMEOUT) as connection:
            own_write_lock(connection)
            _keep_writers_away(connection)
            _make_room(connection, db, replace=replace)
            for table in TABLES:
                _restore_part(connection, backup, table)
            connection.execute(update(claim).values(keyring_generation=0))
            rows = {part.table: part.rows for part in backup.manifest.parts}
            taken = backup.manifest.created_at.isoformat()
            append(
                connection,
                actor,
                "backup.restore",
                subject=path.name,
                detail={"created_at": taken, "rows": rows},
            )
        return backup.manifest


def _keep_writers_away(connection: Connection) -> None:
    # SQLite's transaction has the file to itself. Readers go on: they see the rows from before until the end.
    if connection.dialect.name == "postgresql":
        names = ", ".join(f"{SCHEMA}.{table.name}" for table in TABLES)
        connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))


def _make_room(connection: Connection, db: Database, *, replace: bool) -> None:
    there = connection.execute(select(func.count()).select_from(users)).scalar_one()
    if there and not replace:
        raise UsageError(
            f"The database {db.shown} has {there} {'user' if there == 1 else 'users'} already.",
            remedy="Restore into an empty database, or remove what is there with --replace.",
        )
    for table in (*EMPTIED, *reversed(_REPLACED)):
        connection.execute(delete(table))


def _restore_part(connection: Connection, backup: Backup, table: Table) -> None:
    for part in (part for part in backup.manifest.parts if part.table == table.name):
        try:
            if table is audit:
                _merge_audit(connection, backup, part)
            else:
                for rows in _batches(backup.rows(part, table)):
                    insert_all(connection, table, rows)
                _continue_ids(connection, table)
        except IntegrityError as error:
            raise DamagedBackupError(
                backup.path, f"was edited in its part {part.name}: its rows do not fit those of other parts"
            ) from error


def _merge_audit(connection: Connection, backup: Backup, part: Part) -> None:
    for rows in _batches(backup.rows(part, audit)):
        there = _lines(connection, rows)
        insert_all(connection, audit, [row for row in rows if row["id"] not in there])
    _continue_ids(connection, audit)
    for rows in _batches(backup.rows(part, audit)):
        there = _lines(connection, rows)
        others = [_without_id(row) for row in rows if there[row["id"]] != _said(row)]
        insert_all(connection, audit, others)


def _lines(connection: Connection, rows: Sequence[Row]) -> dict[int, tuple[object, ...]]:
    """Return what the lines that have the ids of *rows* say."""
    found = connection.execute(select(audit).where(audit.c.id.in_([row["id"] for row in rows])))
    return {row["id"]: _said(row) for row in found.mappings()}


def _said(row: Mapping[Any, Any]) -> tuple[object, ...]:
    return tuple(row[name] for name in ("at", "actor", "action", "subject", "result"))


def _without_id(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "id"}


def _continue_ids(connection: Connection, table: Table) -> None:
    """Have the next id be one that was never given out (SQLite's AUTOINCREMENT sees to that by itself)."""
    if connection.dialect.name == "postgresql" and isinstance(table.columns[0].server_default, Identity):
        connection.execute(
            text(
                f"""SELECT setval(ids, greatest(highest, coalesce(pg_sequence_last_value(ids), 0)))
                FROM (SELECT pg_get_serial_sequence('{SCHEMA}.{table.name}', 'id')::regclass AS ids,
                             max(id) AS highest FROM {SCHEMA}.{table.name}) AS found
                WHERE highest IS NOT NULL"""  # noqa: S608 - the names are this package's own
            )
        )


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
