"""What administrators asked for and how far it is, and what can be taken back."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, String, Table, Text, text

from practicus_mfa.storage.schema.base import Id, Json, Moment, metadata, of_user, row_id
from practicus_mfa.storage.types import database_instant

bulk_runs = Table(
    "mfa_bulk_runs",
    metadata,
    row_id(),
    Column("action", String(24), nullable=False),
    # Who asked; whether that user may is judged anew at each step.
    Column("actor_id", Id, nullable=False),
    Column("actor", Text, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    # The session that goes on where the own account is among the users.
    Column("session_id", Id),
    Column("created_at", Moment, nullable=False, server_default=database_instant()),
    # {"ids": [...]}, or {"filter": {...}, "up_to": id}: whoever it fits, but nobody who came later.
    Column("selection", Json, nullable=False),
    # Users at the time of asking.
    Column("total", BigInteger, nullable=False),
    # The highest user id that is done.
    Column("position", BigInteger, nullable=False, server_default="0"),
    # {"<outcome>": users}, and [["<user name>", "<outcome>"], ...] of some that need a look.
    Column("counts", Json, nullable=False, server_default="{}"),
    Column("notable", Json, nullable=False, server_default="[]"),
    Column("done_at", Moment),
    # Why it ended before its end; '' where it did not.
    Column("stopped", Text, nullable=False, server_default=""),
    # Which process is at work on it, and until when that is believed.
    Column("worker", Text, nullable=False, server_default=""),
    Column("worker_until", Moment),
    Index(
        "ix_mfa_bulk_runs_open",
        "id",
        sqlite_where=text("done_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

policy_requests = Table(
    "mfa_policy_requests",
    metadata,
    row_id(),
    # By the database: a lesser role may not choose it.
    Column("at", Moment, nullable=False, server_default=database_instant()),
    Column("author_id", Id, nullable=False),
    Column("author", Text, nullable=False),
    # {"mfa": {name: value or null}, "rememberMe": {...}}; null: as in values.yaml again.
    Column("changes", Json, nullable=False),
    Column("handled_at", Moment),
    Column("outcome", String(8)),
    # Why it was refused.
    Column("message", Text, nullable=False, server_default=""),
    CheckConstraint("outcome IN ('applied', 'refused')", name="outcome"),
    Index(
        "ix_mfa_policy_requests_open",
        "id",
        sqlite_where=text("handled_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

recovery_archive = Table(
    "mfa_recovery_archive",
    metadata,
    row_id(),
    of_user(),
    Column("at", Moment, nullable=False, server_default=database_instant()),
    Column("actor", Text, nullable=False),
    # {"mfa_factors": [{column: value}], "mfa_recovery_codes": [...]}, tokens encrypted as they were.
    Column("rows", Json, nullable=False),
    # When they were put back.
    Column("restored_at", Moment),
    Index("ix_mfa_recovery_archive_user_id", "user_id"),
    sqlite_autoincrement=True,
)
