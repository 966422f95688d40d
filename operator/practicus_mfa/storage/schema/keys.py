"""Keys: which are live, which one writes, who can read with which."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Table, Text

from practicus_mfa.storage.schema.base import Json, KeyId, Moment, metadata, one_row
from practicus_mfa.storage.types import database_instant

live_keys = Table(
    "mfa_live_keys",
    metadata,
    Column("key_id", KeyId, primary_key=True),
    # A known text sealed with the key: whoever opens it really has the key.
    Column("canary", Text, nullable=False),
    Column("added_at", Moment, nullable=False, server_default=database_instant()),
)

key_history = Table(
    "mfa_key_history",
    metadata,
    Column("key_id", KeyId, primary_key=True),
    # When another key took over from it as the write key …
    Column("wrote_until", Moment),
    # … and when a rotation ended that proved it to be needed by no row.
    Column("retired_at", Moment),
)

write_key = Table(
    "mfa_write_key",
    metadata,
    *one_row("one_row"),
    Column("key_id", KeyId, ForeignKey(live_keys.c.key_id, ondelete="RESTRICT"), nullable=False),
    Column("since", Moment, nullable=False, server_default=database_instant()),
)

readers = Table(
    "mfa_readers",
    metadata,
    Column("instance", Text, primary_key=True),
    # The IDs of the keys it can read with, sorted, as a JSON list.
    Column("key_ids", Json, nullable=False),
    Column("expires_at", Moment, nullable=False),
)
