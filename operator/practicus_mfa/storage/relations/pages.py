"""One page of a shard: read, treated, and written in one transaction with the shard's progress.

The tokens are treated before the writing transaction begins, so that its lock (a promotion waits for it, and
on SQLite every writer) is held for the statements alone. What changed in between is found by
compare-and-swap: such a row is read again inside the transaction, treated anew and tried again.

The commit waits for no disk on PostgreSQL: rows and position stand in one transaction, so a crash of the
server takes both back, and every later commit that something is decided by flushes this one too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.errors import NeedsPersonError, SupersededError
from practicus_mfa.storage import audit
from practicus_mfa.storage.counts import save_table_counts
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.relations.cells import Kind, Page, Relation, Span, Treat, Treated
from practicus_mfa.storage.relations.settle import settle
from practicus_mfa.storage.schema import rotations
from practicus_mfa.storage.shards import Shard, Tally, advance_shard, finish_shard, read_shards
from practicus_mfa.storage.writer import with_token_write

ACTOR: Final = "rotation"
"""Who the audit says it was."""

UNREADABLE: Final = "rows.unreadable"

_UNREADABLE_KINDS: Final = (Kind.UNKNOWN, Kind.CORRUPT)

# A page names its rows by id, so looking each one up is right whatever the planner believes about the table.
# A page holds its rows until it has the last one: where somebody else's open transaction has that one, users
# of the others would wait as long with their log-ins. So it lets go of all after a second, and tries again.
_PREPARE: Final = text("""
    SELECT set_config('synchronous_commit', 'off', true), set_config('enable_hashjoin', 'off', true),
        set_config('enable_mergejoin', 'off', true), set_config('lock_timeout', '1s', true)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What a worker does to a relation.

    Attributes:
        rotation_id: The rotation.
        mode: Migrate or verify.
        to_key: The key that every row comes under: the rotation's target, and the write key.
        relation: The table.
        treat: What treats the tokens.
        page_rows: Rows in a page.
    """

    rotation_id: int
    mode: Mode
    to_key: KeyId
    relation: Relation
    treat: Treat
    page_rows: int


def read_page(db: Database, work: Pass, shard: Shard) -> Page:
    """Return the next page of *shard*."""
    after = shard.lower if shard.position is None else shard.position
    span = Span(after=after, upper=shard.upper, limit=work.page_rows)
    with db.read() as connection:
        return work.relation.read(connection, span, work.mode, work.to_key)


def write_page(db: Database, work: Pass, shard: Shard, page: Page) -> Tally:
    """Treat a *page* that begins where *shard* stands, and move the shard to its end.

    After the last page the shard is done; after the last shard of another application's table it is known
    how many of its tokens are under which key.

    Raises:
        SupersededError: Another key writes by now, or another worker has moved the shard.
        NeedsPersonError: The table refuses a new token.
        BusyError: Another transaction holds one of the rows.
    """
    treated = work.treat(page.cells)

    def write(connection: Connection, write_key: KeyId) -> Tally:
        if write_key != work.to_key:
            raise _other_key(work, write_key)
        if connection.dialect.name == "postgresql":
            connection.execute(_PREPARE)
        settled = settle(connection, work.relation, treated, treat=work.treat, write_key=write_key)
        tally = _tally(settled)
        if tally.unknown or tally.corrupt:
            _name_unreadable(connection, work, settled)
        if page.last is not None:
            advance_shard(connection, shard.id, position=shard.position, to=page.last, tally=tally)
        if not page.more:
            _finish(connection, work, shard, page.last or shard.position)
        return tally

    try:
        return with_token_write(db, write)
    except IntegrityError as error:
        raise NeedsPersonError(
            f"Table {work.relation.name} refuses a re-encrypted token: one of its constraints is violated.",
            remedy="See the cause with --debug, and mend the constraint or the row.",
        ) from error


def _finish(connection: Connection, work: Pass, shard: Shard, position: str | None) -> None:
    # Of two workers that finish at once, the later one has to see that the other has finished too.
    connection.execute(select(rotations.c.id).where(rotations.c.id == work.rotation_id).with_for_update())
    finish_shard(connection, shard.id, position=position)
    if work.relation.name == OWN_TABLE:
        return  # triggers count it, at every moment
    parts = read_shards(connection, work.rotation_id, work.mode, work.relation.name)
    if all(part.done for part in parts):
        save_table_counts(
            connection,
            work.relation.name,
            {work.to_key: sum(part.tally.migrated + part.tally.current for part in parts)},
            unknown=sum(part.tally.unknown for part in parts),
            corrupt=sum(part.tally.corrupt for part in parts),
        )


def _other_key(work: Pass, write_key: KeyId) -> SupersededError:
    return SupersededError(
        f"Rotation {work.rotation_id} leads to key {work.to_key}, but key {write_key} writes.",
        remedy="Start the worker again with the present rotation and keyring.",
    )


def _tally(settled: Sequence[Treated]) -> Tally:
    counts = {kind: sum(done.kinds.count(kind) for done in settled) for kind in Kind}
    return Tally(
        migrated=counts[Kind.MIGRATED],
        current=counts[Kind.CURRENT],
        unknown=counts[Kind.UNKNOWN],
        corrupt=counts[Kind.CORRUPT],
    )


def _name_unreadable(connection: Connection, work: Pass, settled: Sequence[Treated]) -> None:
    """Name in the audit the rows that can't be read; those of ours that bear the fault already were named."""
    rows: defaultdict[str, list[int | str]] = defaultdict(list)
    for done in settled:
        cells = done.cells
        for row_id, fault, kind, reason in zip(
            cells.ids, cells.faults, done.kinds, done.reasons, strict=True
        ):
            if kind in _UNREADABLE_KINDS and fault != kind.value:
                rows[reason].append(row_id if isinstance(row_id, int) else str(row_id))
    if rows:
        audit.append(
            connection,
            ACTOR,
            UNREADABLE,
            subject=work.relation.name,
            result="left as they are",
            detail={"rotation": work.rotation_id, "mode": work.mode.value, "rows": dict(rows)},
        )
