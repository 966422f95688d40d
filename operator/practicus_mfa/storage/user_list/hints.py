"""What the hints say of users' MFA: whether it is under the key that counts. No token is opened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

from sqlalchemy import Connection, select

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.storage.factors import HAS_TOKEN
from practicus_mfa.storage.schema import factors, rotations
from practicus_mfa.storage.writer import read_write_key


class KeyHint(StrEnum):
    """What the hints say of a user's MFA; where there are several factors, the one that needs most care."""

    NONE = "-"
    """No MFA."""
    ACTIVE = "active"
    """Under the key that counts."""
    ROLLING = "rolling"
    """Under another key, or not tried yet."""
    UNDECRYPTABLE = "undecryptable"
    """No known key opens it."""


def counted_key(connection: Connection) -> KeyId | None:
    """Return the key that all MFA shall be under: what the rotation under way goes to, else what writes."""
    rotation = (
        select(rotations.c.to_key)
        .where(rotations.c.completed_at.is_(None))
        .order_by(rotations.c.id.desc())
        .limit(1)
    )
    target = connection.execute(rotation).scalar_one_or_none()
    return read_write_key(connection) if target is None else KeyId(target)


def key_hints(connection: Connection, user_ids: Sequence[int]) -> dict[int, KeyHint]:
    """Return what the hints say of each of these users who has MFA."""
    counts = counted_key(connection)
    rows = connection.execute(
        select(factors.c.user_id, factors.c.key_id, factors.c.fault).where(
            factors.c.user_id.in_(user_ids), HAS_TOKEN
        )
    )
    hints: defaultdict[int, list[KeyHint]] = defaultdict(list)
    for user_id, key_id, fault in rows:
        hints[user_id].append(_hint(key_id, fault, counts))
    return {user_id: _gravest(found) for user_id, found in hints.items()}


def _hint(key_id: str | None, fault: str | None, counts: str | None) -> KeyHint:
    if fault is not None:
        return KeyHint.UNDECRYPTABLE
    return KeyHint.ACTIVE if key_id is not None and key_id == counts else KeyHint.ROLLING


def _gravest(hints: Iterable[KeyHint]) -> KeyHint:
    return max(hints, key=list(KeyHint).index)
