"""The policy in force, as plain values: what a log-in service that sees no cluster enforces. One row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from practicus_mfa.storage.schema import policy
from practicus_mfa.storage.types import UnreadableDocument, database_instant
from practicus_mfa.storage.upsert import upsert


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """The effective policy of an MfaPolicy's *generation*."""

    generation: int
    effective: Mapping[str, Any]
    updated_at: datetime


def save_policy(connection: Connection, generation: int, effective: Mapping[str, Any]) -> bool:
    """Put *effective* in force; return whether that changed anything."""
    present = read_policy(connection)
    if present and (present.generation, present.effective) == (generation, effective):
        return False
    row = {"id": 1, "generation": generation, "effective": effective, "updated_at": database_instant()}
    upsert(connection, policy, row, key=("id",))
    return True


def read_policy(connection: Connection) -> PolicyInForce | None:
    """Return what is in force, ``None`` before the first reconcile."""
    row = connection.execute(select(policy)).one_or_none()
    if row is None:
        return None
    effective = row.effective
    if isinstance(effective, UnreadableDocument):
        # What says nothing would be taken for the defaults, which may ask for less. A section that can't be
        # one is refused by whoever reads the rules, and the operator writes the row anew.
        effective = {"mfa": effective["unreadable"]}
    return PolicyInForce(row.generation, effective, row.updated_at)
