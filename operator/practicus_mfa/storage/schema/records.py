"""The audit: what happened, and the chain of hashes that proves it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text, UniqueConstraint

from practicus_mfa.storage.schema.base import Hash, Id, Json, Moment, metadata, row_id
from practicus_mfa.storage.types import database_instant

audit = Table(
    "mfa_audit",
    metadata,
    row_id(),
    Column("at", Moment, nullable=False, server_default=database_instant()),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("result", Text, nullable=False, server_default="done"),
    Column("detail", Json, nullable=False, server_default="{}"),
    Index("ix_mfa_audit_subject_id", "subject", "id"),
    Index("ix_mfa_audit_actor_id", "actor", "id"),
    Index("ix_mfa_audit_action_id", "action", "id"),
    sqlite_autoincrement=True,
)

audit_chain = Table(
    "mfa_audit_chain",
    metadata,
    # 1, 2, 3, … in the order of sealing, which need not be the order of the lines' ids.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    # The line; no foreign key, so that a line that was taken away is missed and not forgotten.
    Column("line_id", Id, nullable=False),
    # Of the hash before it and of the line.
    Column("hash", Hash, nullable=False),
    Column("sealed_at", Moment, nullable=False, server_default=database_instant()),
    UniqueConstraint("line_id"),
)

audit_checkpoints = Table(
    "mfa_audit_checkpoints",
    metadata,
    # What was pruned: all lines up to this place in the chain, whose hash is kept to go on from.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Hash, nullable=False),
    # The lines were older than this.
    Column("before", Moment, nullable=False),
    Column("pruned_at", Moment, nullable=False, server_default=database_instant()),
    Column("actor", Text, nullable=False),
)
