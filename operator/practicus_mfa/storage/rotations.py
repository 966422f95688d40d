"""What a rotation did so far: its target, its instants, how far its passes are.

Each instant is set once, when it happened, by the database's clock; when the rows were migrated and verified
follows from the passes. At most one rotation is under way; the functions that change one run in a guarded
transaction (:func:`practicus_mfa.storage.claims.guarded_write`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import Mode, PassSeen, RotationSeen
from practicus_mfa.errors import SupersededError
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.schema import key_history, rotations, shards
from practicus_mfa.storage.types import database_instant
from practicus_mfa.storage.upsert import upsert
from practicus_mfa.storage.writer import read_write_key

HISTORY: Final = 5
"""How many completed rotations are told of."""


class Milestone(StrEnum):
    """What happens once in a rotation; the value is the name of its column, without ``_at``."""

    PROMOTED = "promoted"
    RETIRED = "retired"
    COMPLETED = "completed"


def start_rotation(connection: Connection, to_key: KeyId) -> int:
    """Record that rows are to be brought under *to_key*; return the rotation's number.

    Raises:
        SupersededError: A rotation is under way.
    """
    if connection.execute(select(rotations.c.id).where(rotations.c.completed_at.is_(None))).first():
        raise SupersededError("A rotation is under way.", remedy="Look at the status again.")
    row = {"to_key": to_key, "from_key": read_write_key(connection) or ""}
    started = connection.execute(insert(rotations).values(row).returning(rotations.c.id))
    return int(started.scalar_one())


def retarget_rotation(connection: Connection, rotation_id: int, to_key: KeyId) -> None:
    """Give an unpromoted rotation another target; nothing was written under the old one.

    Raises:
        SupersededError: It is promoted by now, or over.
    """
    changed = connection.execute(
        update(rotations)
        .where(rotations.c.id == rotation_id, rotations.c.promoted_at.is_(None))
        .where(rotations.c.completed_at.is_(None))
        .values(to_key=to_key)
    )
    if not changed.rowcount:
        raise _over(rotation_id)


def mark(connection: Connection, rotation_id: int, milestone: Milestone) -> None:
    """Record that *milestone* was reached now; where that is recorded already, the first time stays."""
    column = rotations.c[f"{milestone}_at"]
    connection.execute(
        update(rotations)
        .where(rotations.c.id == rotation_id, column.is_(None))
        .values({column: database_instant()})
    )


def next_attempt(connection: Connection, rotation_id: int, attempt: int) -> None:
    """Record that the workers' *attempt* begins; a higher number that is known stays.

    Raises:
        SupersededError: The rotation is over.
    """
    open_one = (rotations.c.id == rotation_id, rotations.c.completed_at.is_(None))
    changed = connection.execute(
        update(rotations).where(*open_one, rotations.c.attempt < attempt).values(attempt=attempt)
    )
    if not changed.rowcount and connection.execute(select(rotations.c.id).where(*open_one)).first() is None:
        raise _over(rotation_id)


def complete_rotation(connection: Connection, rotation_id: int, retired: Collection[KeyId]) -> None:
    """Record that the rotation is over, and that no row anywhere needs the *retired* keys any more."""
    now = database_now(connection)
    for key in sorted(retired):
        upsert(connection, key_history, {"key_id": key, "retired_at": now}, key=("key_id",))
    mark(connection, rotation_id, Milestone.COMPLETED)


def under_way(connection: Connection) -> RotationSeen | None:
    """Return the rotation that is not complete yet."""
    query = select(rotations).where(rotations.c.completed_at.is_(None)).order_by(rotations.c.id.desc())
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _seen(connection, [row])[0]


def history(connection: Connection, limit: int = HISTORY) -> tuple[RotationSeen, ...]:
    """Return the last completed rotations, newest first."""
    query = select(rotations).where(rotations.c.completed_at.is_not(None)).order_by(rotations.c.id.desc())
    return _seen(connection, connection.execute(query.limit(limit)).all())


def _over(rotation_id: int) -> SupersededError:
    return SupersededError(
        f"Rotation {rotation_id} has gone on meanwhile.", remedy="Look at the status again."
    )


def _seen(connection: Connection, rows: Collection[Row[Any]]) -> tuple[RotationSeen, ...]:
    found = _passes(connection, [row.id for row in rows])
    passes = {number: tuple(seen for seen, _ in ended) for number, ended in found.items()}
    return tuple(
        RotationSeen(
            id=row.id,
            to_key=KeyId(row.to_key),
            from_key=KeyId(row.from_key) if row.from_key else None,
            started_at=row.started_at,
            promoted_at=row.promoted_at,
            migrated_at=_end(found.get(row.id, ()), Mode.MIGRATE),
            verified_at=_end(found.get(row.id, ()), Mode.VERIFY),
            retired_at=row.retired_at,
            completed_at=row.completed_at,
            attempt=row.attempt,
            passes=passes.get(row.id, ()),
        )
        for row in rows
    )


_Ended = tuple[PassSeen, datetime | None]
"""A pass, and when the last of its shards was done, so far."""


def _end(passes: Collection[_Ended], mode: Mode) -> datetime | None:
    """Return when the last pass of *mode* ended, ``None`` while one is under way or none was planned."""
    of_mode = [(seen, ended) for seen, ended in passes if seen.mode is mode]
    if not all(seen.finished for seen, _ in of_mode):
        return None
    return max((ended for _, ended in of_mode if ended is not None), default=None)


def _passes(connection: Connection, ids: Collection[int]) -> dict[int, list[_Ended]]:
    found: dict[int, list[_Ended]] = {}
    if not ids:
        return found
    by = (shards.c.rotation_id, shards.c.relation, shards.c.mode)
    sums = [func.sum(shards.c[name]).label(name) for name in ("migrated", "current", "unknown", "corrupt")]
    total, done = func.count().label("shards"), func.count(shards.c.done_at).label("done")
    ended = func.max(shards.c.done_at).label("ended")
    query = (
        select(*by, total, done, ended, *sums)
        .where(shards.c.rotation_id.in_(ids))
        .group_by(*by)
        .order_by(*by)
    )
    for row in connection.execute(query):
        seen = PassSeen(
            relation=row.relation,
            mode=Mode(row.mode),
            shards=row.shards,
            done=row.done,
            migrated=int(row.migrated),  # PostgreSQL sums bigints to a Decimal
            current=int(row.current),
            unknown=int(row.unknown),
            corrupt=int(row.corrupt),
        )
        found.setdefault(row.rotation_id, []).append((seen, row.ended))
    return found
