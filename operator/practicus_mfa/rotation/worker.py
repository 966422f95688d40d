"""The worker: page after page of its shards until they are done, or until it is told to stop.

All that it must remember stands in the database, moved forward by the same commit as the rows: it may be
killed at any instruction and started again, anywhere, also twice at once. It ends by itself where it is
overtaken: another key writes by now, or it lacks the key to write with (``SupersededError``, exit 75).
Memory does not grow with the table: it holds one page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic, sleep
from typing import Final

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import Mode
from practicus_mfa.core.policy import TableSpec
from practicus_mfa.core.sharding import Share
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.errors import MfaError, NeedsPersonError, SupersededError, UsageError
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.faults import BusyError
from practicus_mfa.storage.relations.pages import Pass, read_page, write_page
from practicus_mfa.storage.relations.resolve import resolve_all
from practicus_mfa.storage.shards import Shard, Tally, read_shards

BUSY_SECONDS: Final = 600.0
"""How long a page may meet locks or deadlocks in a row: somebody's open transaction holds rows of it."""

BUSY_PAUSE_SECONDS: Final = 1.0
"""Between two tries: who waits for other rows of the page gets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a worker is to do.

    Attributes:
        rotation_id: The rotation, whose passes are planned.
        to_key: Its target, which writes.
        mode: Migrate or verify.
        relations: The tables, by the name that their shards bear.
        tables: What the policy says of those that are not ours.
        share: Which shards are this worker's.
        page_rows: Rows in a page.
    """

    rotation_id: int
    to_key: KeyId
    mode: Mode
    relations: tuple[str, ...]
    tables: tuple[TableSpec, ...] = ()
    share: Share = field(default_factory=Share)
    page_rows: int = 2_000


@dataclass(frozen=True, slots=True)
class Progress:
    """A page was committed: what became of its tokens."""

    relation: str
    shard: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Report:
    """How a worker ended.

    Attributes:
        finished: Its shards are done; otherwise it was told to stop.
        tally: What became of the tokens that it looked at.
    """

    finished: bool
    tally: Tally


def run_shards(
    db: Database,
    keys: HeldKeys,
    job: Job,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Do *job*; return when the shards are done or, after the page at hand, when *should_stop* says so.

    Args:
        db: The database.
        keys: The keys to try, the target among them.
        job: What to do.
        should_stop: Asked before each page; a handler of SIGTERM sets what it tells.
        on_progress: Told of each page after its commit.

    Raises:
        SupersededError: *keys* lacks the target, another key writes, or the pass is not planned.
        UsageError: A table is not as the policy says; the others were done first.
        NeedsPersonError: A table refuses a new token; the others were done first.
        UnreachableError: The database can't be used at the moment.
    """
    if job.to_key not in keys:
        raise SupersededError(
            f"This worker does not hold key {job.to_key}, which rows are to come under.",
            remedy="Start it again with the present keyring.",
        )
    total = Tally()

    def page_done(progress: Progress) -> None:
        nonlocal total
        total = _sum(total, progress.tally)
        on_progress(progress)

    faults: list[MfaError] = []
    for name in job.relations:
        try:
            work = _pass(db, keys, job, name)
            if not run_pass(db, work, job.share, should_stop=should_stop, on_progress=page_done):
                return Report(finished=False, tally=total)
        except (UsageError, NeedsPersonError) as error:
            faults.append(error)  # of this table alone: it does not hold up the others
    if faults:
        raise faults[0]
    return Report(finished=True, tally=total)


def _pass(db: Database, keys: HeldKeys, job: Job, name: str) -> Pass:
    with db.read() as connection:
        (relation,) = resolve_all(connection, [name], job.tables)
    return Pass(
        rotation_id=job.rotation_id,
        mode=job.mode,
        to_key=job.to_key,
        relation=relation,
        treat=treatment(name, keys, job.to_key),
        page_rows=job.page_rows,
    )


def run_pass(
    db: Database,
    work: Pass,
    share: Share,
    *,
    should_stop: Callable[[], bool],
    on_progress: Callable[[Progress], None],
) -> bool:
    """Do the shards of one relation that are this worker's; return whether they are done.

    Raises:
        SupersededError: As with :func:`run_shards`.
    """
    with db.read() as connection:
        shards = read_shards(connection, work.rotation_id, work.mode, work.relation.name)
    if not shards:
        raise SupersededError(
            f"Rotation {work.rotation_id} has no plan to {work.mode} {work.relation.name}.",
            remedy="Look at the status again.",
        )
    mine = [shard for shard in shards if share.takes(shard.number) and not shard.done]
    return all(_run_shard(db, work, shard, should_stop, on_progress) for shard in mine)


def _run_shard(
    db: Database,
    work: Pass,
    shard: Shard,
    should_stop: Callable[[], bool],
    on_progress: Callable[[Progress], None],
) -> bool:
    busy_since: float | None = None
    while not shard.done:
        if should_stop():
            return False
        try:
            page = read_page(db, work, shard)
            tally = write_page(db, work, shard, page)
        except SupersededError:
            present = _reread(db, work, shard)
            if present is None or (present.position == shard.position and not present.done):
                raise  # it was not another worker on the same shard
            shard = present
        except BusyError:
            busy_since = busy_since or monotonic()
            if monotonic() - busy_since > BUSY_SECONDS:
                raise
            sleep(BUSY_PAUSE_SECONDS)
        else:
            busy_since = None
            shard = replace(shard, position=page.last or shard.position, done=not page.more)
            on_progress(Progress(work.relation.name, shard.number, tally))
    return True


def _reread(db: Database, work: Pass, shard: Shard) -> Shard | None:
    with db.read() as connection:
        shards = read_shards(connection, work.rotation_id, work.mode, work.relation.name)
    return next((present for present in shards if present.id == shard.id), None)


def _sum(one: Tally, other: Tally) -> Tally:
    return Tally(
        migrated=one.migrated + other.migrated,
        current=one.current + other.current,
        unknown=one.unknown + other.unknown,
        corrupt=one.corrupt + other.corrupt,
    )
