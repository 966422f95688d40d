"""What logging in needs: groups, sessions, half log-ins, recovery codes, set-up links, counts of failures.

New tables and a new column without a default: the previous release's programs go on beside it.
"""

from __future__ import annotations

from pathlib import Path
from sqlite3 import complete_statement
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA: Final = "practicus_mfa"  # translated to none on SQLite
ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT: Final = sa.DateTime(timezone=True)
HASH: Final = sa.LargeBinary(length=32)
DIGEST: Final = sa.String(length=64)


def upgrade() -> None:
    """Create everything."""
    if _on_postgresql():
        # In the order in which programs take them, and at once: else a transaction that changed a user and
        # now appends to the audit would wait for this one, and this one for it. Who has to wait waits for an
        # instant: the tables below are new, and so far the audit has the operator's lines only.
        connection = op.get_bind()
        connection.exec_driver_sql("SELECT set_config('lock_timeout', '10s', true)")
        connection.exec_driver_sql(f"LOCK TABLE {SCHEMA}.mfa_users IN ACCESS EXCLUSIVE MODE")
        connection.exec_driver_sql(f"LOCK TABLE {SCHEMA}.mfa_factors IN SHARE ROW EXCLUSIVE MODE")
        connection.exec_driver_sql(f"LOCK TABLE {SCHEMA}.mfa_audit IN SHARE MODE")
    # Alembic's ALTER TABLE is not translated as tables that are created are.
    op.add_column("mfa_users", sa.Column("enrol_by", INSTANT), schema=SCHEMA if _on_postgresql() else None)
    _index("mfa_audit", "subject", "id")
    _groups()
    _recovery_codes()
    _sessions()
    _half_logins()
    _setup()
    _attempts()
    _devices()
    if not _on_postgresql():
        _run_script("v0002_sqlite.sql")


def _on_postgresql() -> bool:
    return bool(op.get_context().dialect.name == "postgresql")


def _run_script(name: str) -> None:
    statement = ""
    for line in Path(__file__).with_name(name).read_text("utf-8").splitlines(keepends=True):
        statement += line
        # SQLite takes one statement at a time, and a trigger's own statements end in semicolons too.
        if complete_statement(statement):
            op.get_bind().exec_driver_sql(statement)
            statement = ""


def _now() -> sa.TextClause:
    # On SQLite a text of the width that is stored.
    return sa.text("clock_timestamp()" if _on_postgresql() else "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns), unique=False, schema=SCHEMA)


def _refers(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"practicus_mfa.{other}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )


def _groups() -> None:
    """Create what a user is a member of."""
    op.create_table(
        "mfa_groups",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_groups"),
        sa.UniqueConstraint("name", name="uq_mfa_groups_name"),
        schema=SCHEMA,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mfa_memberships",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("group_id", ID, autoincrement=False, nullable=False),
        _refers("mfa_memberships", "user_id", "mfa_users"),
        _refers("mfa_memberships", "group_id", "mfa_groups"),
        sa.PrimaryKeyConstraint("user_id", "group_id", name="pk_mfa_memberships"),
        schema=SCHEMA,
    )
    _index("mfa_memberships", "group_id")


def _recovery_codes() -> None:
    op.create_table(
        "mfa_recovery_codes",
        sa.Column("factor_id", ID, autoincrement=False, nullable=False),
        sa.Column("code_hash", HASH, nullable=False),
        _refers("mfa_recovery_codes", "factor_id", "mfa_factors"),
        sa.PrimaryKeyConstraint("factor_id", "code_hash", name="pk_mfa_recovery_codes"),
        schema=SCHEMA,
    )


def _sessions() -> None:
    """Create who is logged in."""
    op.create_table(
        "mfa_sessions",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("token_hash", HASH, nullable=False),
        sa.Column("verify_hash", HASH),
        sa.Column("remembered", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("last_used_at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("proved_at", INSTANT, nullable=False),
        sa.Column("second_factor_at", INSTANT),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        _refers("mfa_sessions", "user_id", "mfa_users"),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_mfa_sessions_token_hash"),
        sa.UniqueConstraint("verify_hash", name="uq_mfa_sessions_verify_hash"),
        schema=SCHEMA,
        postgresql_with={"fillfactor": 70},
        sqlite_autoincrement=True,
    )
    _index("mfa_sessions", "user_id")
    _index("mfa_sessions", "expires_at")


def _half_logins() -> None:
    """Create who gave a password and no code yet."""
    op.create_table(
        "mfa_half_logins",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("token_hash", HASH, nullable=False),
        sa.Column("target", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        _refers("mfa_half_logins", "user_id", "mfa_users"),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_half_logins"),
        sa.UniqueConstraint("token_hash", name="uq_mfa_half_logins_token_hash"),
        schema=SCHEMA,
        sqlite_autoincrement=True,
    )
    _index("mfa_half_logins", "user_id")
    _index("mfa_half_logins", "expires_at")


def _setup() -> None:
    """Create what is being enrolled, and the links by which a first password is set."""
    op.create_table(
        "mfa_pending_factors",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        _refers("mfa_pending_factors", "user_id", "mfa_users"),
        sa.PrimaryKeyConstraint("user_id", name="pk_mfa_pending_factors"),
        schema=SCHEMA,
    )
    _index("mfa_pending_factors", "expires_at")
    op.create_table(
        "mfa_setup_links",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("token_hash", HASH, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        _refers("mfa_setup_links", "user_id", "mfa_users"),
        sa.PrimaryKeyConstraint("user_id", name="pk_mfa_setup_links"),
        sa.UniqueConstraint("token_hash", name="uq_mfa_setup_links_token_hash"),
        schema=SCHEMA,
    )
    _index("mfa_setup_links", "expires_at")


def _attempts() -> None:
    """Create what counts failures."""
    op.create_table(
        "mfa_attempts",
        sa.Column("counter", DIGEST, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("subject", DIGEST, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", INSTANT),
        sa.Column("stopped_until", INSTANT),
        sa.Column("forever", sa.Boolean(), nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.PrimaryKeyConstraint("counter", "kind", name="pk_mfa_attempts"),
        schema=SCHEMA,
    )
    _index("mfa_attempts", "subject")
    _index("mfa_attempts", "expires_at")
    op.create_table(
        "mfa_failing_names",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("name_digest", DIGEST, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("address", "name_digest", name="pk_mfa_failing_names"),
        schema=SCHEMA,
    )
    _index("mfa_failing_names", "expires_at")


def _devices() -> None:
    """Create the browsers that are known."""
    op.create_table(
        "mfa_devices",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("token_hash", HASH, nullable=False),
        sa.Column("created_at", INSTANT, server_default=_now(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        _refers("mfa_devices", "user_id", "mfa_users"),
        sa.PrimaryKeyConstraint("id", name="pk_mfa_devices"),
        sa.UniqueConstraint("token_hash", name="uq_mfa_devices_token_hash"),
        schema=SCHEMA,
        sqlite_autoincrement=True,
    )
    _index("mfa_devices", "user_id")
    _index("mfa_devices", "expires_at")
