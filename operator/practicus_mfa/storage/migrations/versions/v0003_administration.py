"""What administrators need: bulk actions, requests to change the policy, a sealed audit, an archive.

New tables, new columns that have a default: the previous release's programs go on beside it. Log-ins wait
while two small indexes of users are built, and two of the audit: seconds for a million lines.
"""

from __future__ import annotations

from pathlib import Path
from sqlite3 import complete_statement
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA: Final = "practicus_mfa"  # translated to none on SQLite
ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT: Final = sa.DateTime(timezone=True)
HASH: Final = sa.LargeBinary(length=32)
JSON: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Create everything."""
    if _on_postgresql():
        _lock()
    _people()
    _attempts()
    _audit()
    _bulk_runs()
    _policy_requests()
    _recovery_archive()
    _run_script("v0003_postgresql.sql" if _on_postgresql() else "v0003_sqlite.sql")


def _on_postgresql() -> bool:
    return bool(op.get_context().dialect.name == "postgresql")


def _lock() -> None:
    # In the order in which programs take them, and at once: see the step before this one.
    connection = op.get_bind()
    connection.exec_driver_sql("SELECT set_config('lock_timeout', '10s', true)")
    for table in ("mfa_users", "mfa_attempts", "mfa_audit"):
        connection.exec_driver_sql(f"LOCK TABLE {SCHEMA}.{table} IN ACCESS EXCLUSIVE MODE")


def _run_script(name: str) -> None:
    script = Path(__file__).with_name(name).read_text("utf-8")
    if _on_postgresql():
        op.get_bind().exec_driver_sql(script)
        return
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        # SQLite takes one statement at a time, and a trigger's own statements end in semicolons too.
        if complete_statement(statement):
            op.get_bind().exec_driver_sql(statement)
            statement = ""


def _now() -> sa.TextClause:
    # On SQLite a text of the width that is stored.
    return sa.text("clock_timestamp()" if _on_postgresql() else "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))")


def _schema() -> str | None:
    # Alembic's ALTER TABLE is not translated as tables that are created are.
    return SCHEMA if _on_postgresql() else None


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["practicus_mfa.mfa_users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
    )


def _index(name: str, table: str, *columns: str | sa.TextClause, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        name,
        table,
        list(columns),
        unique=False,
        schema=SCHEMA,
        postgresql_where=condition,
        sqlite_where=condition,
    )


def _people() -> None:
    op.add_column(
        "mfa_users",
        sa.Column("must_change_password", sa.Boolean(), server_default=sa.false(), nullable=False),
        schema=_schema(),
    )
    _index("ix_mfa_users_email_id", "mfa_users", sa.text("lower(email)"), "id")
    _index("ix_mfa_users_name_id", "mfa_users", sa.text("lower(name)"), "id")


def _attempts() -> None:
    """Let counters of codes name their user, and count names that nobody has."""
    # SQLite's ALTER TABLE can't add a constraint: there the table is made anew.
    with op.batch_alter_table("mfa_attempts", schema=_schema()) as table:
        table.add_column(sa.Column("user_id", ID))
        table.create_foreign_key(
            "fk_mfa_attempts_user_id",
            "mfa_users",
            ["user_id"],
            ["id"],
            ondelete="CASCADE",
            referent_schema=_schema(),
        )
    _index("ix_mfa_attempts_user_id", "mfa_attempts", "user_id")
    op.create_table(
        "mfa_unknown_names",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_unknown_names"),
        schema=SCHEMA,
        sqlite_autoincrement=True,
    )


def _audit() -> None:
    """Create the chain of hashes over the audit's lines, and what remains of pruned ones."""
    # Who looks for what somebody did need not read everything that anybody did.
    _index("ix_mfa_audit_actor_id", "mfa_audit", "actor", "id")
    _index("ix_mfa_audit_action_id", "mfa_audit", "action", "id")
    op.create_table(
        "mfa_audit_chain",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line_id", ID, nullable=False),
        sa.Column("hash", HASH, nullable=False),
        sa.Column("sealed_at", INSTANT, server_default=_now(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_mfa_audit_chain"),
        sa.UniqueConstraint("line_id", name="uq_mfa_audit_chain_line_id"),
        schema=SCHEMA,
    )
    op.create_table(
        "mfa_audit_checkpoints",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", HASH, nullable=False),
        sa.Column("before", INSTANT, nullable=False),
        sa.Column("pruned_at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_mfa_audit_checkpoints"),
        schema=SCHEMA,
    )


def _bulk_runs() -> None:
    op.create_table(
        "mfa_bulk_runs",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("actor_id", ID, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("session_id", ID),
        sa.Column("created_at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("selection", JSON, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("counts", JSON, server_default="{}", nullable=False),
        sa.Column("notable", JSON, server_default="[]", nullable=False),
        sa.Column("done_at", INSTANT),
        sa.Column("stopped", sa.Text(), server_default="", nullable=False),
        sa.Column("worker", sa.Text(), server_default="", nullable=False),
        sa.Column("worker_until", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_bulk_runs"),
        schema=SCHEMA,
        sqlite_autoincrement=True,
    )
    _index("ix_mfa_bulk_runs_open", "mfa_bulk_runs", "id", where="done_at IS NULL")


def _policy_requests() -> None:
    op.create_table(
        "mfa_policy_requests",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("author_id", ID, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("handled_at", INSTANT),
        sa.Column("outcome", sa.String(length=8)),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("outcome IN ('applied', 'refused')", name="ck_mfa_policy_requests_outcome"),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_policy_requests"),
        schema=SCHEMA,
        sqlite_autoincrement=True,
    )
    _index("ix_mfa_policy_requests_open", "mfa_policy_requests", "id", where="handled_at IS NULL")


def _recovery_archive() -> None:
    op.create_table(
        "mfa_recovery_archive",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("rows", JSON, nullable=False),
        sa.Column("restored_at", INSTANT),
        _of_user("mfa_recovery_archive"),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_recovery_archive"),
        schema=SCHEMA,
        sqlite_autoincrement=True,
    )
    _index("ix_mfa_recovery_archive_user_id", "mfa_recovery_archive", "user_id")
