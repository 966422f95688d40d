"""A bulk run, as its page shows it, and how what was done adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from practicus_mfa.core.login.rights import Action
from practicus_mfa.login.acts.by import By, Outcome
from practicus_mfa.storage.bulk_run_rows import StoredRun

NOTABLE: Final = 20
"""Users who are named one by one; the others are counted."""


class Stop(StrEnum):
    """Why a run ended before its end."""

    NO_ADMINISTRATOR = "no administrator"
    """Who asked is none any more."""
    WAITING = "waiting for replicas"
    """A rotation's key writes nothing yet: replicas that can't read with it are waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run.

    Attributes:
        id: Its number.
        action: What is done.
        actor_id: The id of who asked.
        actor: The name.
        created_at: When.
        total: Users at that time.
        done: Users that are done.
        counts: The same by outcome.
        notable: User names and outcomes, of some that need a look.
        done_at: When it ended; ``None``: it has not.
        stopped: Why before its end.
        waiting: Where that is ``WAITING``, how many replicas were waited for.
    """

    id: int
    action: Action
    actor_id: int
    actor: str
    created_at: datetime
    total: int
    done: int
    counts: Mapping[Outcome, int]
    notable: tuple[tuple[str, Outcome], ...]
    done_at: datetime | None
    stopped: Stop | None
    waiting: int


def to_run(stored: StoredRun) -> Run:
    """Return a run as its page shows it."""
    why, _, number = stored.stopped.partition(":")
    return Run(
        id=stored.id,
        action=Action(stored.action),
        actor_id=stored.actor_id,
        actor=stored.actor,
        created_at=stored.created_at,
        total=stored.total,
        done=sum(stored.counts.values()),
        counts={outcome: stored.counts[outcome] for outcome in Outcome if outcome in stored.counts},
        notable=tuple((username, Outcome(outcome)) for username, outcome in stored.notable),
        done_at=stored.done_at,
        stopped=Stop(why) if why else None,
        waiting=int(number or 0),
    )


def waiting_for(replicas: int) -> str:
    """Return what is stored of a run that ended since *replicas* are waited for."""
    return f"{Stop.WAITING}:{replicas}"


def run_by(run: StoredRun) -> By:
    """Return who acts in a run."""
    return By(
        account_id=run.actor_id,
        username=run.actor,
        address=run.address,
        session_id=run.session_id,
        run=run.id,
    )


def counted(run: StoredRun, done: Sequence[tuple[str, Outcome]], *, position: int) -> StoredRun:
    """Return *run* with what was *done* to the users up to *position*, by their names."""
    counts = Counter(run.counts)
    counts.update(outcome.value for _, outcome in done)
    notable = [(name, outcome.value) for name, outcome in done if outcome.wants_a_look]
    return replace(run, position=position, counts=dict(counts), notable=(*run.notable, *notable)[:NOTABLE])
