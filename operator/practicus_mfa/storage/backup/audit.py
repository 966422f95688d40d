"""The audit of a backup: what is missing is added, nothing is taken away, and a chain is never mixed.

Into a database whose audit says nothing else, lines come back under their numbers, and with them the chain
of hashes over them: a head that was noted before holds again. Where there is a chain already, or where other
lines have the numbers, that chain stays. The lines that are missing are added at the end, one after the other
under new numbers, and are sealed there like all others; the restore's own line says which ones they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    Table,
    Text,
    and_,
    exists,
    func,
    insert,
    select,
)
from sqlalchemy.schema import CreateTable, DropTable

from practicus_mfa.storage.backup.ids import continue_ids
from practicus_mfa.storage.backup.merge import Row, batches, by_id, kept_rows, rows_there, side_by_side
from practicus_mfa.storage.backup.read import Backup
from practicus_mfa.storage.bulk import insert_all
from practicus_mfa.storage.schema import SCHEMA, audit, audit_chain, audit_checkpoints
from practicus_mfa.storage.schema.base import Json, Moment

_SAID = ("at", "actor", "action", "subject", "result")
"""What makes two lines the same, whatever their numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedAudit:
    """What became of a backup's lines.

    Attributes:
        added: How many were missing and are there now.
        lines: The first and the last number of those that were added outside of a chain that was kept with
            them; ``None`` where there is none.
        chain: Whether the backup's chain is there now.
    """

    added: int
    lines: tuple[int, int] | None
    chain: bool


def merge(connection: Connection, before: Connection, backup: Backup) -> MergedAudit:
    """Add the lines of *backup* that are missing, and its chain where that is possible.

    Args:
        connection: The restore's transaction; nobody else appends until its end.
        before: Another one, which sees the database as it was.
        backup: The file.

    Raises:
        DamagedBackupError: A part of it is not whole.
    """
    if not _comes_back_as_it_was(before, backup):
        return _add_at_the_end(connection, before, backup)
    numbers: list[int] = []
    added = 0
    for rows in batches(_missing(before, backup)):
        insert_all(connection, audit, rows)
        added += len(rows)
        numbers = [(numbers or [by_id(rows[0])])[0], by_id(rows[-1])]
    continue_ids(connection, audit)
    chain = False
    for table in (audit_checkpoints, audit_chain):
        for places in batches(kept_rows(backup, table)):
            insert_all(connection, table, places)
            chain = True
    return MergedAudit(
        added=added, lines=(numbers[0], numbers[1]) if numbers and not chain else None, chain=chain
    )


def is_there(kept: Row | None, there: Row | None) -> bool:
    """Whether a backup's line is *there* already, under its number."""
    return kept is not None and there is not None and all(kept.get(name) == there[name] for name in _SAID)


def _comes_back_as_it_was(before: Connection, backup: Backup) -> bool:
    """Whether every line can have its number, and nothing else stands between them."""
    chained = select(exists(select(audit_chain)) | exists(select(audit_checkpoints)))
    if before.execute(chained).scalar_one():
        return False
    stranger = False
    for kept, there in side_by_side(kept_rows(backup, audit), rows_there(before, audit), by_id):
        if there is not None and not is_there(kept, there):
            stranger = True
        if stranger and kept is not None:
            return False
    return True


def _missing(before: Connection, backup: Backup) -> Iterator[Row]:
    for kept, there in side_by_side(kept_rows(backup, audit), rows_there(before, audit), by_id):
        if kept is not None and not is_there(kept, there):
            yield kept


def _add_at_the_end(connection: Connection, before: Connection, backup: Backup) -> MergedAudit:
    highest = connection.execute(select(func.coalesce(func.max(audit.c.id), 0))).scalar_one()
    waiting = _waiting_lines(connection)
    connection.execute(CreateTable(waiting))
    for rows in batches(_missing(before, backup)):
        insert_all(connection, waiting, rows)
    # A line that an earlier restore brought has another number than in the backup. (Not NOT EXISTS: SQLite
    # makes an index for a join, and none for a query inside of a query.)
    here = audit.alias()
    same = and_(*(here.c[name] == waiting.c[name] for name in _SAID))
    columns = [name for name in waiting.columns.keys() if name != "id"]  # noqa: SIM118 - of a collection
    missing = (
        select(*(waiting.c[name] for name in columns))
        .select_from(waiting.outerjoin(here, same))
        .where(here.c.id.is_(None))
        .order_by(waiting.c.id)
    )
    connection.execute(insert(audit).from_select(columns, missing))
    connection.execute(DropTable(waiting))
    count, first, last = connection.execute(
        select(func.count(), func.min(audit.c.id), func.max(audit.c.id)).where(audit.c.id > highest)
    ).one()
    return MergedAudit(added=count, lines=(first, last) if count else None, chain=False)


def _waiting_lines(connection: Connection) -> Table:
    """Return a table for lines that may be missing; it is gone again when the transaction ends.

    On PostgreSQL it is none of the temporary ones: many administrators take the right to make these away.
    """
    on_sqlite = connection.dialect.name == "sqlite"
    return Table(
        "mfa_restored_lines",
        MetaData(schema=None if on_sqlite else SCHEMA),
        Column("id", BigInteger, nullable=False),
        Column("at", Moment, nullable=False),
        *(Column(name, Text, nullable=False) for name in ("actor", "action", "subject", "result")),
        Column("detail", Json, nullable=False),
        prefixes=["TEMPORARY" if on_sqlite else "UNLOGGED"],
    )
