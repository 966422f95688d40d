"""Rows are left to re-encrypt, or to prove: have workers do it, attempt after attempt, backing off.

A pass that is finished is finished: its shards say so in the database. That nothing runs proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from practicus_mfa.core.observed import OWN_TABLE, Mode, RotationSeen, WorkState
from practicus_mfa.core.plan import Act, For, Step, Verdict, Wait, Work
from practicus_mfa.core.policy import TableSpec
from practicus_mfa.core.situation import Situation

FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=5)
HOPELESS: Final = 4
"""Failed attempts after which a person should look, although further ones follow."""
STEP: Final = {Mode.MIGRATE: Step.MIGRATE, Mode.VERIFY: Step.VERIFY}
REASON: Final = {Mode.MIGRATE: "Migrating", Mode.VERIFY: "Verifying"}


def rows_to_migrate(s: Situation) -> Verdict | None:
    """Re-encrypt the rows that are not under the write key."""
    return _work(s, Mode.MIGRATE, s.may_migrate)


def rows_to_verify(s: Situation) -> Verdict | None:
    """Try every row: none may need another key; the hint is a hint, decryption is the truth."""
    return _work(s, Mode.VERIFY, lambda table: s.may_migrate(table) and s.may_prove(table))


def pause_after(attempt: int) -> timedelta:
    """Return how long to wait after a failed attempt, the first being 1: doubling, up to a limit."""
    doublings = min(max(attempt - 1, 0), 20)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def _work(s: Situation, mode: Mode, allowed: Callable[[TableSpec], bool]) -> Verdict | None:
    rotation = s.rotation
    if rotation is None:
        return None
    again = _finished_in_vain(s, rotation, mode)
    relations = tuple(
        relation
        for relation in _relations(s, allowed)
        if relation in again or not rotation.finished(relation, mode)
    )
    if not relations:
        return None
    work = s.seen.work
    if work.state is WorkState.RUNNING:
        message = f"No worker is at work yet: {work.why}" if work.why else "Workers are running."
        return Wait(STEP[mode], For.MACHINE, REASON[mode], message)
    if work.state is WorkState.FAILED and work.failed_at is not None:
        failures = max(1, rotation.attempt - sum(seen.finished for seen in rotation.passes))
        due = work.failed_at + pause_after(failures)
        if s.seen.now < due:
            message = (
                f"Attempt {rotation.attempt} failed ({work.why}); the next one begins at {due:%H:%M:%S} UTC."
            )
            who = For.MACHINE if failures < HOPELESS else For.PERSON
            return Wait(STEP[mode], who, REASON[mode], message)
    act = Work(
        rotation=rotation.id, mode=mode, relations=relations, again=again, attempt=rotation.attempt + 1
    )
    return Act(STEP[mode], (act,))


def _relations(s: Situation, allowed: Callable[[TableSpec], bool]) -> tuple[str, ...]:
    """Every table that the pass may touch now: ours, left out where it is empty, and theirs."""
    own = (OWN_TABLE,) if s.counts.total else ()
    return own + tuple(table.table for table in s.tables if allowed(table))


def _finished_in_vain(s: Situation, rotation: RotationSeen, mode: Mode) -> frozenset[str]:
    """Our own table, where rows came under another key, by hand, after the pass was through."""
    if mode is Mode.MIGRATE and s.workable > 0 and rotation.finished(OWN_TABLE, mode):
        return frozenset({OWN_TABLE})
    return frozenset()
