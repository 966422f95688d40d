"""Restoring a backup: all of it in one transaction, after the whole file was seen to be in order.

Rows keep their ids, and no id that was ever given out is given out again: tokens are bound to them. What
belongs to the place and not to the data (the claim, leases, the policy in force) stays as it is; sessions and
whatever else is good for a while only is removed, so everybody logs in anew. Of the claim only the
keyring's generation is forgotten: so the next pass sees that the keyring is ahead of the database, trusts
no fact of an earlier rotation, and has every row looked at.

Beside the transaction that writes, another one still sees the rows from before: what may come back of users,
factors and codes is decided by both (:mod:`practicus_mfa.storage.backup.people`). The audit only grows
(:mod:`practicus_mfa.storage.backup.audit`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, select, text, tuple_, update
from sqlalchemy.exc import IntegrityError

from practicus_mfa.errors import UsageError
from practicus_mfa.storage import versions
from practicus_mfa.storage.audit import append
from practicus_mfa.storage.audit_chain import hold as hold_sealers
from practicus_mfa.storage.backup import audit as backup_audit
from practicus_mfa.storage.backup.audit import MergedAudit
from practicus_mfa.storage.backup.format import EMPTIED, TABLES, part_name
from practicus_mfa.storage.backup.ids import continue_ids
from practicus_mfa.storage.backup.manifest import Manifest
from practicus_mfa.storage.backup.merge import batches, kept_rows
from practicus_mfa.storage.backup.people import (
    codes_returning,
    factors_returning,
    memberships_returning,
    users_returning,
)
from practicus_mfa.storage.backup.read import Backup, DamagedBackupError, check, opened
from practicus_mfa.storage.bulk import insert_all
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.schema import (
    SCHEMA,
    audit,
    audit_chain,
    audit_checkpoints,
    claim,
    factors,
    memberships,
    recovery_codes,
    users,
)
from practicus_mfa.storage.writer import own_write_lock

LOCK_TIMEOUT: Final = timedelta(seconds=30)
"""How long writers that are at work may keep a restore waiting."""

DELETED_AT_ONCE: Final = 50_000
"""Rows that one statement removes on SQLite."""

_REPLACED: Final = tuple(table for table in TABLES if table not in (audit, audit_chain, audit_checkpoints))


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did.

    Attributes:
        manifest: What the backup holds.
        lowered: Users who did not get back rights of the backup that are higher than those they had.
        codes_gone: Recovery codes of the backup that were used or replaced since, and stay so.
        superusers: Superusers who can log in now.
        audit: What became of the backup's lines.
    """

    manifest: Manifest
    lowered: int
    codes_gone: int
    superusers: int
    audit: MergedAudit


def restore(
    db: Database, path: Path, *, actor: str, replace: bool = False, raise_rights: bool = False
) -> Restored:
    """Put the rows of the backup at *path* into *db*, and return what they are.

    Args:
        db: A database at this program's step of the migrations.
        path: The backup.
        actor: Who restores, for the audit.
        replace: Users that are there are removed; otherwise there must be none.
        raise_rights: Users get the rights of the backup back where these are higher than those of now.

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
            # It begins when nobody else writes any more, and sees what the restore removes.
            with db.read(snapshot=True) as before:
                _make_room(connection, db, replace=replace)
                done = _restore(connection, before, backup, raise_rights=raise_rights)
            connection.execute(update(claim).values(keyring_generation=0))
            append(connection, actor, "backup.restore", subject=path.name, detail=_detail(done, raise_rights))
        return done


def _restore(connection: Connection, before: Connection, backup: Backup, *, raise_rights: bool) -> Restored:
    lowered = codes_gone = 0

    def returning_users() -> Iterator[Mapping[str, Any]]:
        nonlocal lowered
        for row, less in users_returning(before, backup, raise_rights=raise_rights):
            lowered += less
            yield row

    def returning_codes() -> Iterator[Mapping[str, Any]]:
        nonlocal codes_gone
        for row, gone in codes_returning(before, backup):
            if gone:
                codes_gone += 1
            else:
                yield row

    judged: dict[Table, Iterator[Mapping[str, Any]]] = {
        users: returning_users(),
        recovery_codes: returning_codes(),
    }
    judged[factors] = factors_returning(before, backup)
    judged[memberships] = memberships_returning(before, backup, raise_rights=raise_rights)
    for table in _REPLACED:
        with _fitting(backup, table):
            _put(connection, table, judged.get(table) or kept_rows(backup, table))
    with _fitting(backup, audit):
        merged = backup_audit.merge(connection, before, backup)
    in_force = select(func.count()).select_from(users).where(users.c.is_superuser, users.c.is_active)
    return Restored(
        manifest=backup.manifest,
        lowered=lowered,
        codes_gone=codes_gone,
        superusers=connection.execute(in_force).scalar_one(),
        audit=merged,
    )


@contextmanager
def _fitting(backup: Backup, table: Table) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise DamagedBackupError(
            backup.path,
            f"was edited in its part {part_name(table.name)}: its rows do not fit those of other parts",
        ) from error


def _put(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    for some in batches(rows):
        insert_all(connection, table, some)
    continue_ids(connection, table)


def _detail(done: Restored, raise_rights: bool) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "created_at": done.manifest.created_at.isoformat(),
        "rows": {part.table: part.rows for part in done.manifest.parts},
        "raise_rights": raise_rights,
        "lowered": done.lowered,
    }
    if done.audit.lines is not None:
        detail["lines"] = list(done.audit.lines)
    return detail


def _keep_writers_away(connection: Connection) -> None:
    # SQLite's transaction has the file to itself. Readers go on: they see the rows from before until the end.
    hold_sealers(connection)
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
        _empty(connection, table)


def _empty(connection: Connection, table: Table) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(delete(table))
        return
    # SQLite keeps the number of each row that one statement deletes in memory.
    key = tuple_(*table.primary_key) if len(table.primary_key) > 1 else next(iter(table.primary_key))
    some = delete(table).where(key.in_(select(*table.primary_key).limit(DELETED_AT_ONCE)))
    while connection.execute(some).rowcount:
        pass
