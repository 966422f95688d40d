"""The parts of the model world: its keys by name, its rows, rotations and backups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from practicus_mfa.core import observed as o
from practicus_mfa.core.keyring import KeyId

A, B, C, D = (KeyId(letter * 12) for letter in "abcd")
ALIEN = KeyId("f" * 12)
OWN = o.OWN_TABLE
START = datetime(2026, 1, 1, tzinfo=UTC)
IDENTITY = o.Claim(cluster="c", namespace="n", policy="p", owner="me", epoch=0)
OTHER = o.Claim(cluster="c", namespace="n", policy="other", owner="they", epoch=9)
BEYOND_BACKOFF = timedelta(minutes=6)


class OperatorDiedError(Exception):
    """The operator died here."""


@dataclass
class Row:
    """A row with a token: which key really opens it (``None``: it is damaged), and what is noted of it."""

    true_key: KeyId | None
    hint: KeyId | None = None
    fault: str | None = None


@dataclass
class Rotation:
    """A rotation's row and its passes."""

    id: int
    to_key: KeyId
    from_key: KeyId | None
    promoted: bool = False
    retired: bool = False
    completed: bool = False
    attempt: int = 0
    finished: dict[tuple[str, o.Mode], bool] = field(default_factory=dict)
    migrated: int = 0


@dataclass(frozen=True)
class Backup:
    """What a backup of the database holds."""

    live: frozenset[KeyId]
    former: frozenset[KeyId]
    retired: frozenset[KeyId]
    write_key: KeyId | None
    generation: int
    rows: tuple[Row, ...]
    rotations: tuple[Rotation, ...]
    tables: dict[str, list[KeyId]]
    scanned: dict[str, dict[str, int]]


def copied_rotations(rotations: Iterable[Rotation]) -> list[Rotation]:
    """Return copies that change on their own."""
    return [replace(rotation, finished=dict(rotation.finished)) for rotation in rotations]
