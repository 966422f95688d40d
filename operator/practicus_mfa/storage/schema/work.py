"""The rotation: who decides, how far it is, and what is in force."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from practicus_mfa.storage.schema.base import Id, Json, KeyId, Moment, metadata, one_row, row_id
from practicus_mfa.storage.types import database_instant

claim = Table(
    "mfa_claim",
    metadata,
    *one_row("one_row"),
    # Which policy owns this database …
    Column("cluster", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("policy", Text, nullable=False),
    # … which process acts for it, and a number that every change of owner raises.
    Column("owner", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("keyring_generation", BigInteger, nullable=False, server_default="0"),
)

rotations = Table(
    "mfa_rotations",
    metadata,
    row_id(),
    Column("to_key", KeyId, nullable=False),
    # The write key when it began: '' at the first one.
    Column("from_key", KeyId, nullable=False, server_default=""),
    Column("started_at", Moment, nullable=False, server_default=database_instant()),
    Column("promoted_at", Moment),
    Column("retired_at", Moment),
    Column("completed_at", Moment),
    Column("attempt", Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)

shards = Table(
    "mfa_shards",
    metadata,
    row_id(),
    Column("rotation_id", Id, ForeignKey(rotations.c.id, ondelete="CASCADE"), nullable=False),
    Column("mode", String(8), nullable=False),
    # 'mfa_factors' or a foreign table's name as the policy spells it.
    Column("relation", Text, nullable=False),
    Column("number", Integer, nullable=False),
    # Ids as text; NULL: open at that end. Rows lower < id <= upper belong to the shard.
    Column("lower", Text),
    Column("upper", Text),
    # The last id that is done, NULL before the first page.
    Column("position", Text),
    Column("migrated", BigInteger, nullable=False, server_default="0"),
    Column("current", BigInteger, nullable=False, server_default="0"),
    Column("unknown", BigInteger, nullable=False, server_default="0"),
    Column("corrupt", BigInteger, nullable=False, server_default="0"),
    Column("done_at", Moment),
    UniqueConstraint("rotation_id", "mode", "relation", "number"),
    CheckConstraint("mode IN ('migrate', 'verify')", name="mode"),
)

table_counts = Table(
    "mfa_table_counts",
    metadata,
    Column("relation", Text, primary_key=True),
    # {"<key id>": rows, "unknown": rows, "corrupt": rows}: what the last whole scan saw.
    Column("counts", Json, nullable=False),
    Column("scanned_at", Moment, nullable=False),
)

policy = Table(
    "mfa_policy",
    metadata,
    *one_row("one_row"),
    Column("generation", BigInteger, nullable=False),
    # The effective policy as plain values: what a log-in service enforces.
    Column("effective", Json, nullable=False),
    Column("updated_at", Moment, nullable=False, server_default=database_instant()),
)
