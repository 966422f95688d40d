"""Bulk runs: what administrators asked to be done to many users, and how far it is.

Users are done in the order of their ids; *position* is the highest id that is done, and is stored in the
transaction of what was done. A worker locks the run's row in each of its transactions, so that a user is done
once, whoever else is at work. Besides, it says that it is at it for the next seconds: others leave the run to
it, and take it up when it says so no more.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from practicus_mfa.storage.bulk_run_rows import Chosen, Fitting, NewRun, StoredRun, to_json, to_run
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.expiry import AT_ONCE
from practicus_mfa.storage.schema import bulk_runs, users
from practicus_mfa.storage.types import database_instant
from practicus_mfa.storage.user_list import Wanted, count, ids_page

CLAIM: Final = timedelta(seconds=15)
"""How long a worker that says nothing more is believed to be at work."""

KEPT: Final = timedelta(days=30)
"""How long a run that is over can be looked at."""


def fitting(connection: Connection, wanted: Wanted) -> Fitting:
    """Return whoever fits *wanted* among those there are now."""
    newest = connection.execute(select(func.max(users.c.id))).scalar_one_or_none()
    return Fitting(wanted, newest or 0)


def create(connection: Connection, new: NewRun, *, worker: str) -> StoredRun:
    """Store a run that *worker* is at from now on."""
    match new.selection:
        case Chosen(ids=ids):
            total = len(ids)
        case Fitting(wanted=wanted):
            total = count(connection, wanted)
    row = {
        "action": new.action,
        "actor_id": new.actor_id,
        "actor": new.actor,
        "address": new.address,
        "session_id": new.session_id,
        "selection": to_json(new.selection),
        "total": total,
        "worker": worker,
        "worker_until": database_now(connection) + CLAIM,
    }
    stored = connection.execute(insert(bulk_runs).values(row).returning(*bulk_runs.c))
    return to_run(stored.mappings().one())


def find(connection: Connection, run_id: int) -> StoredRun | None:
    """Return a run, ``None`` where there is none (any more)."""
    return _one(connection, select(bulk_runs).where(bulk_runs.c.id == run_id))


def is_waiting(connection: Connection, worker: str) -> bool:
    """Whether there is a run that nobody but *worker* is at."""
    query = select(bulk_runs.c.id).where(bulk_runs.c.done_at.is_(None), _is_open_to(worker))
    return connection.execute(query.limit(1)).first() is not None


def claim(connection: Connection, worker: str) -> StoredRun | None:
    """Say that *worker* is at the run that waits longest; return it, ``None`` where none waits."""
    query = (
        select(bulk_runs)
        .where(bulk_runs.c.done_at.is_(None), _is_open_to(worker))
        # One that fails again and again does not keep the others waiting.
        .order_by(func.coalesce(bulk_runs.c.worker_until, bulk_runs.c.created_at), bulk_runs.c.id)
        .limit(1)
    )
    run = _one(connection, query.with_for_update(skip_locked=True))
    if run is not None:
        _set(connection, run.id, worker=worker, worker_until=database_now(connection) + CLAIM)
    return run


def _is_open_to(worker: str) -> ColumnElement[bool]:
    until = bulk_runs.c.worker_until
    return or_(until.is_(None), until <= database_instant(), bulk_runs.c.worker == worker)


def locked(connection: Connection, run_id: int) -> StoredRun | None:
    """Return a run that is not over, and let nobody else work on it until the transaction ends."""
    query = select(bulk_runs).where(bulk_runs.c.id == run_id, bulk_runs.c.done_at.is_(None))
    return _one(connection, query.with_for_update())


def next_ids(connection: Connection, run: StoredRun, limit: int) -> list[int]:
    """Return the users that are to be done next, in the order of their ids; *limit* at most."""
    match run.selection:
        case Chosen(ids=ids):
            return [user_id for user_id in ids if user_id > run.position][:limit]
        case Fitting(wanted=wanted, up_to=up_to):
            found = ids_page(connection, wanted, run.position, limit)
            return [user_id for user_id in found if user_id <= up_to]


def save(connection: Connection, run: StoredRun, *, worker: str) -> None:
    """Store position and counts of a locked *run*, at which *worker* goes on."""
    _set(
        connection,
        run.id,
        position=run.position,
        counts=dict(run.counts),
        notable=[list(pair) for pair in run.notable],
        worker=worker,
        worker_until=database_now(connection) + CLAIM,
    )


def end(connection: Connection, run_id: int, *, stopped: str = "") -> None:
    """Note that a run is over; *stopped*: why before its end."""
    _set(connection, run_id, done_at=database_now(connection), stopped=stopped, worker_until=None)


def release(connection: Connection, run_id: int) -> None:
    """Leave a run to whoever comes first."""
    _set(connection, run_id, worker="", worker_until=database_now(connection))


def release_all(connection: Connection, worker: str) -> None:
    """Leave to others what *worker* was at."""
    mine = update(bulk_runs).where(bulk_runs.c.done_at.is_(None), bulk_runs.c.worker == worker)
    connection.execute(mine.values(worker="", worker_until=database_now(connection)))


def delete_old(connection: Connection) -> int:
    """Delete runs that ended long ago; return how many."""
    over = select(bulk_runs.c.id).where(bulk_runs.c.done_at < database_now(connection) - KEPT).limit(AT_ONCE)
    return connection.execute(delete(bulk_runs).where(bulk_runs.c.id.in_(over))).rowcount


def _set(connection: Connection, run_id: int, **values: Any) -> None:  # noqa: ANN401 - of many columns
    connection.execute(update(bulk_runs).where(bulk_runs.c.id == run_id).values(values))


def _one(connection: Connection, query: Select[Any]) -> StoredRun | None:
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else to_run(row)
