"""The parts of a pass, and how far each one is.

A pass (a mode over a relation) is cut once, and the cuts stay with the rotation. A worker moves its shard's
position in the same transaction as the rows of a page, so a worker that is killed at any instruction has
either done a page and said so, or neither. Two workers on one shard do no harm: the position moves from where
the worker read it or not at all, so no page is counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from practicus_mfa.core.observed import Mode
from practicus_mfa.errors import SupersededError
from practicus_mfa.storage.schema import shards
from practicus_mfa.storage.types import database_instant

Range = tuple[str | None, str | None]
"""Rows ``lower < id <= upper``, ids as text; ``None``: open at that end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the rows of a page, or of all pages of a shard.

    Attributes:
        migrated: Re-encrypted.
        current: Found under the write key.
        unknown: Opened by no known key.
        corrupt: No token at all, or one of another row.
    """

    migrated: int = 0
    current: int = 0
    unknown: int = 0
    corrupt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One part of a pass.

    Attributes:
        id: Its number in the database.
        rotation_id: The rotation.
        mode: What the pass does.
        relation: ``mfa_factors``, or another application's table as the policy spells it.
        number: Its number in the pass, from 0.
        lower: Rows beyond this id belong to it, ``None``: from the first.
        upper: Rows up to this id belong to it, ``None``: to the last.
        position: The last id that is done, ``None`` before the first page.
        tally: What became of the rows so far.
        done: There is nothing left to do.
    """

    id: int
    rotation_id: int
    mode: Mode
    relation: str
    number: int
    lower: str | None
    upper: str | None
    position: str | None
    tally: Tally
    done: bool


def plan_pass(
    connection: Connection, rotation_id: int, mode: Mode, relation: str, ranges: Sequence[Range]
) -> None:
    """Record how the pass over *relation* is cut, in the order of *ranges*; one that is cut already stays.

    Concurrent planners are told apart by their claim: run it in a guarded transaction.
    """
    if connection.execute(select(shards.c.id).where(*_of_pass(rotation_id, mode, relation)).limit(1)).first():
        return
    common = {"rotation_id": rotation_id, "mode": mode.value, "relation": relation}
    cuts = [
        {**common, "number": number, "lower": lower, "upper": upper}
        for number, (lower, upper) in enumerate(ranges)
    ]
    if cuts:
        connection.execute(insert(shards), cuts)


def restart_pass(connection: Connection, rotation_id: int, mode: Mode, relation: str) -> None:
    """Have a pass that no longer holds begin anew, with its cuts.

    What it re-encrypted stays counted; what it merely found will be found again.
    """
    anew = {"position": None, "done_at": None, "current": 0, "unknown": 0, "corrupt": 0}
    connection.execute(update(shards).where(*_of_pass(rotation_id, mode, relation)).values(anew))


def read_shards(
    connection: Connection, rotation_id: int, mode: Mode | None = None, relation: str | None = None
) -> tuple[Shard, ...]:
    """Return a rotation's shards, by mode, relation and number."""
    query = select(shards).where(shards.c.rotation_id == rotation_id)
    if mode is not None:
        query = query.where(shards.c.mode == mode.value)
    if relation is not None:
        query = query.where(shards.c.relation == relation)
    query = query.order_by(shards.c.mode, shards.c.relation, shards.c.number)
    return tuple(
        Shard(
            id=row.id,
            rotation_id=row.rotation_id,
            mode=Mode(row.mode),
            relation=row.relation,
            number=row.number,
            lower=row.lower,
            upper=row.upper,
            position=row.position,
            tally=Tally(migrated=row.migrated, current=row.current, unknown=row.unknown, corrupt=row.corrupt),
            done=row.done_at is not None,
        )
        for row in connection.execute(query)
    )


def advance_shard(
    connection: Connection, shard_id: int, *, position: str | None, to: str, tally: Tally
) -> None:
    """Move a shard from the *position* that the page began at *to* the page's last id.

    Raises:
        SupersededError: Another worker moved it, it is done, or its pass began anew: undo the page (by
            leaving the transaction with this error) and read the shard again.
    """
    added: dict[ColumnElement[Any], object] = {
        shards.c.migrated: shards.c.migrated + tally.migrated,
        shards.c.current: shards.c.current + tally.current,
        shards.c.unknown: shards.c.unknown + tally.unknown,
        shards.c.corrupt: shards.c.corrupt + tally.corrupt,
    }
    _move(connection, shard_id, position, {shards.c.position: to, **added})


def finish_shard(connection: Connection, shard_id: int, *, position: str | None) -> None:
    """Record that nothing is left beyond *position*.

    Raises:
        SupersededError: As with :func:`advance_shard`.
    """
    _move(connection, shard_id, position, {shards.c.done_at: database_instant()})


def _move(
    connection: Connection,
    shard_id: int,
    position: str | None,
    values: dict[ColumnElement[Any], object],
) -> None:
    moved = connection.execute(
        update(shards)
        .where(shards.c.id == shard_id, shards.c.done_at.is_(None))
        .where(shards.c.position.is_not_distinct_from(position))
        .values(values)
    )
    if moved.rowcount != 1:
        raise SupersededError(
            "Another worker has gone on with this part of the table.", remedy="Read its position again."
        )


def _of_pass(rotation_id: int, mode: Mode, relation: str) -> tuple[ColumnElement[bool], ...]:
    return (
        shards.c.rotation_id == rotation_id,
        shards.c.mode == mode.value,
        shards.c.relation == relation,
    )
