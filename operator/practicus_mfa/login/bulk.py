"""Bulk runs: what an administrator asked to be done to many users, step by step.

Few users are done within the request, by :func:`finish_now`; else any replica goes on with it, step by step.
What is done to a user and how far the run is are stored in one transaction, so a process that dies loses
nothing and repeats nothing. Whether who asked may still do it is judged for each user, at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from practicus_mfa.core.login.rights import BULK, Action
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.errors import RetryableError, UsageError
from practicus_mfa.login import bulk_migration
from practicus_mfa.login.acts import one
from practicus_mfa.login.acts.by import By, Outcome
from practicus_mfa.login.acts.judged import is_administrator
from practicus_mfa.login.bulk_run import Run, Stop, counted, run_by, to_run
from practicus_mfa.login.migrate_key import Treatment
from practicus_mfa.storage import bulk_runs
from practicus_mfa.storage.bulk_run_rows import Chosen, NewRun, StoredRun
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.user_list import Wanted

AT_ONCE: Final = 50
"""Users that are done within the request."""

MOST_IDS: Final = 1_000
"""Users that can be named one by one: the list is stored with each step."""

BATCH: Final = 100
"""Users in one step; each has a transaction of its own, but where keys are migrated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """What works on runs.

    Attributes:
        db: The database.
        name: What this replica is called.
        keys: Returns the keys that it may open and write with; raises
            :class:`~practicus_mfa.errors.NotReadyError` while it holds no lease.
        treatment: What a rotation does to tokens.
    """

    db: Database
    name: str
    keys: Callable[[], HeldKeys]
    treatment: Treatment

    def for_requests(self) -> Runner:
        """Return what works within requests: beside the thread, not in its place."""
        return replace(self, name=f"{self.name} (request)")


def start(runner: Runner, by: By, action: Action, selection: Sequence[int] | Wanted) -> Run:
    """Store what is asked for; go on with :func:`finish_now`.

    Args:
        runner: This replica's.
        by: Who asks.
        action: One of :data:`~practicus_mfa.core.login.rights.BULK`.
        selection: The ids of users, :data:`MOST_IDS` at most, or which users of the list.

    Raises:
        UsageError: Nobody was chosen, or too many one by one; or *by* is no administrator any more.
    """
    if action not in BULK:
        raise UsageError(f"{action} is done to one user at a time.", remedy="Choose another action.")
    if not isinstance(selection, Wanted) and not 0 < len(selection) <= MOST_IDS:
        raise UsageError(f"Choose 1 to {MOST_IDS} users.", remedy="Choose all that match instead.")
    with runner.db.write() as connection:
        if not is_administrator(connection, by):
            raise UsageError("You are no administrator any more.", remedy="Ask an administrator.")
        chosen = (
            bulk_runs.fitting(connection, selection)
            if isinstance(selection, Wanted)
            else Chosen(tuple(sorted(set(selection))))
        )
        new = NewRun(
            action=action,
            actor_id=by.account_id,
            actor=by.username,
            address=by.address,
            session_id=by.session_id,
            selection=chosen,
        )
        stored = bulk_runs.create(connection, new, worker=runner.for_requests().name)
        if stored.total > AT_ONCE:
            bulk_runs.release(connection, stored.id)
    return to_run(stored)


def finish_now(runner: Runner, run_id: int) -> Run | None:
    """Do what was asked for where it is little; return the run as it is then, ``None`` where there is none.

    Where the database or a key is away for the moment, the rest is done later.
    """
    mine = runner.for_requests()
    with runner.db.read() as connection:
        run = bulk_runs.find(connection, run_id)
    try:
        while run is not None and run.total <= AT_ONCE and run.done_at is None:
            _batch(mine, run)
            with runner.db.read() as connection:
                run = bulk_runs.find(connection, run_id)
    except RetryableError:
        _leave(runner, run_id)
    with runner.db.read() as connection:
        return find(connection, run_id)


def find(connection: Transaction, run_id: int) -> Run | None:
    """Return a run, ``None`` where there is none (any more)."""
    stored = bulk_runs.find(connection, run_id)
    return None if stored is None else to_run(stored)


def step(runner: Runner, *, goes_on: Callable[[], bool] = lambda: True) -> bool:
    """Go on with the run that waits longest, for a batch; return whether there was one.

    Args:
        runner: Who goes on with it.
        goes_on: Asked before each user: whether to begin with that one.

    Raises:
        RetryableError: The database or a key is away for the moment; the run waits again.
    """
    with runner.db.read() as connection:
        # Nothing is written, and no lock taken, where there is nothing to do.
        if not bulk_runs.is_waiting(connection, runner.name):
            return False
    with runner.db.write() as connection:
        run = bulk_runs.claim(connection, runner.name)
    if run is None:
        return False
    try:
        _batch(runner, run, goes_on)
    except RetryableError:
        _leave(runner, run.id)
        raise
    return True


def _leave(runner: Runner, run_id: int) -> None:
    with runner.db.write() as connection:
        bulk_runs.release(connection, run_id)


def _batch(runner: Runner, run: StoredRun, goes_on: Callable[[], bool] = lambda: True) -> None:
    if run.action == Action.MIGRATE_KEY:
        bulk_migration.batch(
            runner.db, run.id, worker=runner.name, keys=runner.keys, treatment=runner.treatment
        )
        return
    with runner.db.read() as connection:
        ids = bulk_runs.next_ids(connection, run, BATCH)
    if not ids:
        with runner.db.write() as connection:
            now = bulk_runs.locked(connection, run.id)
            if now is not None and now.position == run.position:
                bulk_runs.end(connection, run.id)
        return
    before = run.position
    for user_id in ids:
        if not goes_on():
            return
        with runner.db.write() as connection:
            if not _one(connection, runner, run.id, before, user_id):
                return
        before = user_id


def _one(connection: Transaction, runner: Runner, run_id: int, before: int, user_id: int) -> bool:
    """Do what is to be done to one user; return whether to go on with the next."""
    run = bulk_runs.locked(connection, run_id)
    if run is None or run.position != before:
        # Another worker is at it.
        return False
    outcome, username = one.act_named(connection, run_by(run), Action(run.action), user_id)
    if outcome is Outcome.NO_ADMINISTRATOR:
        bulk_runs.end(connection, run_id, stopped=Stop.NO_ADMINISTRATOR)
        return False
    done = counted(run, [(username, outcome)], position=user_id)
    bulk_runs.save(connection, done, worker=runner.name)
    return True
