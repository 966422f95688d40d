"""A bulk run as its row has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from practicus_mfa.storage.user_list import Wanted

if TYPE_CHECKING:
    from sqlalchemy import RowMapping


@dataclass(frozen=True, slots=True)
class Chosen:
    """Users by their ids, in order."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fitting:
    """Whoever fits, but nobody whose id is higher than *up_to*: who came later was not meant."""

    wanted: Wanted
    up_to: int


Selection = Chosen | Fitting


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What was asked for: by whom, from where and in which session; *selection*: to whom."""

    action: str
    actor_id: int
    actor: str
    address: str = ""
    session_id: int | None = None
    selection: Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun(NewRun):
    """A run as stored.

    Attributes:
        id: The row's id.
        created_at: When it was asked for.
        total: Users at that time.
        position: The highest user id that is done.
        counts: Users by outcome.
        notable: User names and outcomes of some that need a look.
        done_at: When it ended; ``None``: it has not.
        stopped: Why it ended before its end, '' where it did not.
        worker: Who said last to be at work.
    """

    id: int
    created_at: datetime
    total: int
    position: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    notable: Sequence[tuple[str, str]] = ()
    done_at: datetime | None = None
    stopped: str = ""
    worker: str = ""


def to_json(selection: Selection) -> dict[str, Any]:
    """Return a selection as plain values."""
    match selection:
        case Chosen(ids=ids):
            return {"ids": list(ids)}
        case Fitting(wanted=wanted, up_to=up_to):
            return {"filter": wanted.to_json(), "up_to": up_to}


def to_run(row: RowMapping) -> StoredRun:
    """Return the run that a row of ``mfa_bulk_runs`` tells of."""
    values = {name: value for name, value in row.items() if name != "worker_until"}
    chosen = row["selection"]
    if "ids" in chosen:
        values["selection"] = Chosen(tuple(chosen["ids"]))
    else:
        values["selection"] = Fitting(Wanted.from_json(chosen["filter"]), chosen["up_to"])
    values["notable"] = tuple((name, outcome) for name, outcome in row["notable"])
    return StoredRun(**values)
