"""The first tables, the triggers that keep the counts, and the one that keeps the audit as it is."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import complete_statement
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA: Final = "practicus_mfa"  # translated to none on SQLite
ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY_ID: Final = sa.String(length=12)
INSTANT: Final = sa.DateTime(timezone=True)
JSON: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Create everything."""
    _people()
    _keys()
    _factors()
    _masters()
    _rotations()
    _records()
    _triggers()


def _triggers() -> None:
    """Create what keeps the counts right and the audit unchanged."""
    connection = op.get_bind()
    if _on_postgresql():
        connection.exec_driver_sql(_script("v0001_postgresql.sql"))
        return
    statement = ""
    for line in _script("v0001_sqlite.sql").splitlines(keepends=True):
        statement += line
        # SQLite takes one statement at a time, and a trigger's own statements end in semicolons too.
        if complete_statement(statement):
            connection.exec_driver_sql(statement)
            statement = ""


def _script(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def _on_postgresql() -> bool:
    return bool(op.get_context().dialect.name == "postgresql")


def _now() -> sa.TextClause:
    # On SQLite a text of the width that is stored.
    return sa.text("clock_timestamp()" if _on_postgresql() else "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))")


def _people() -> None:
    """Create who logs in."""
    op.create_table(
        "mfa_users",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("username_key", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("password_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("is_staff", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_superuser", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("last_login_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_users"),
        sa.UniqueConstraint("username_key", name="uq_mfa_users_username_key"),
        schema=SCHEMA,
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_mfa_users_administrators",
        "mfa_users",
        ["id"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("is_staff OR is_superuser"),
        sqlite_where=sa.text("is_staff OR is_superuser"),
    )


def _keys() -> None:
    """Create the fence of live keys, the row that names what writes, and what wrote once."""
    op.create_table(
        "mfa_live_keys",
        sa.Column("key_id", KEY_ID, nullable=False),
        sa.Column("canary", sa.Text(), nullable=False),
        sa.Column("added_at", INSTANT, server_default=_now(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_mfa_live_keys"),
        schema=SCHEMA,
    )
    op.create_table(
        "mfa_key_history",
        sa.Column("key_id", KEY_ID, nullable=False),
        sa.Column("wrote_until", INSTANT),
        sa.Column("retired_at", INSTANT),
        sa.PrimaryKeyConstraint("key_id", name="pk_mfa_key_history"),
        schema=SCHEMA,
    )
    op.create_table(
        "mfa_write_key",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("key_id", KEY_ID, nullable=False),
        sa.Column("since", INSTANT, server_default=_now(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_mfa_write_key_one_row"),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["practicus_mfa.mfa_live_keys.key_id"],
            name="fk_mfa_write_key_key_id",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_write_key"),
        schema=SCHEMA,
    )


def _factors() -> None:
    """Create the second factors and what counts them."""
    op.create_table(
        "mfa_factors",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("token", sa.Text()),
        sa.Column("key_id", KEY_ID),
        sa.Column("fault", sa.String(length=8)),
        sa.Column("algorithm", sa.String(length=8), server_default="SHA1", nullable=False),
        sa.Column("digits", sa.SmallInteger(), server_default="6", nullable=False),
        sa.Column("period", sa.SmallInteger(), server_default="30", nullable=False),
        sa.Column("drift", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("last_step", sa.BigInteger(), server_default="-1", nullable=False),
        sa.Column("created_at", INSTANT, server_default=_now(), nullable=False),
        sa.CheckConstraint("fault IN ('unknown', 'corrupt')", name="ck_mfa_factors_fault"),
        sa.CheckConstraint("fault IS NULL OR key_id IS NULL", name="ck_mfa_factors_fault_has_no_key"),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["practicus_mfa.mfa_live_keys.key_id"],
            name="fk_mfa_factors_key_id",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["practicus_mfa.mfa_users.id"], name="fk_mfa_factors_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_factors"),
        schema=SCHEMA,
        postgresql_with={"fillfactor": 45},
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_mfa_factors_user_id",
        "mfa_factors",
        ["user_id"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_index(
        "ix_mfa_factors_fault",
        "mfa_factors",
        ["fault"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("fault IS NOT NULL"),
        sqlite_where=sa.text("fault IS NOT NULL"),
    )
    op.create_table(
        "mfa_factor_deltas",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("key_id", KEY_ID, server_default="", nullable=False),
        sa.Column("fault", sa.String(length=8), server_default="", nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_factor_deltas"),
        schema=SCHEMA,
    )
    op.create_table(
        "mfa_table_counts",
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("scanned_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("relation", name="pk_mfa_table_counts"),
        schema=SCHEMA,
    )


def _masters() -> None:
    """Create who reads and who decides."""
    op.create_table(
        "mfa_readers",
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("key_ids", JSON, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("instance", name="pk_mfa_readers"),
        schema=SCHEMA,
    )
    op.create_table(
        "mfa_claim",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("keyring_generation", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("id = 1", name="ck_mfa_claim_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_claim"),
        schema=SCHEMA,
    )


def _rotations() -> None:
    """Create how far a rotation is."""
    op.create_table(
        "mfa_rotations",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("to_key", KEY_ID, nullable=False),
        sa.Column("from_key", KEY_ID, server_default="", nullable=False),
        sa.Column("started_at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("promoted_at", INSTANT),
        sa.Column("retired_at", INSTANT),
        sa.Column("completed_at", INSTANT),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_rotations"),
        schema=SCHEMA,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mfa_shards",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("rotation_id", ID, nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("lower", sa.Text()),
        sa.Column("upper", sa.Text()),
        sa.Column("position", sa.Text()),
        sa.Column("migrated", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("current", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unknown", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("corrupt", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("done_at", INSTANT),
        sa.CheckConstraint("mode IN ('migrate', 'verify')", name="ck_mfa_shards_mode"),
        sa.ForeignKeyConstraint(
            ["rotation_id"],
            ["practicus_mfa.mfa_rotations.id"],
            name="fk_mfa_shards_rotation_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_shards"),
        sa.UniqueConstraint(
            "rotation_id", "mode", "relation", "number", name="uq_mfa_shards_rotation_id_mode_relation_number"
        ),
        schema=SCHEMA,
    )


def _records() -> None:
    """Create what happened and what is in force."""
    op.create_table(
        "mfa_audit",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("result", sa.Text(), server_default="done", nullable=False),
        sa.Column("detail", JSON, server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_audit"),
        schema=SCHEMA,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mfa_policy",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("effective", JSON, nullable=False),
        sa.Column("updated_at", INSTANT, server_default=_now(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_mfa_policy_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_policy"),
        schema=SCHEMA,
    )
