"""Users, what they are members of, and what they log in with."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from practicus_mfa.storage.schema.base import Hash, Id, KeyId, Moment, metadata, of_user, row_id
from practicus_mfa.storage.schema.keys import live_keys
from practicus_mfa.storage.types import database_instant

users = Table(
    "mfa_users",
    metadata,
    row_id(),
    Column("username", Text, nullable=False),
    # NFKC and case-folded: what user names are compared by.
    Column("username_key", Text, nullable=False),
    Column("email", Text, nullable=False, server_default=""),
    Column("name", Text, nullable=False, server_default=""),
    # Empty: no password has been set, none is accepted.
    Column("password_hash", Text, nullable=False, server_default=""),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column("is_staff", Boolean, nullable=False, server_default=false()),
    Column("is_superuser", Boolean, nullable=False, server_default=false()),
    Column("created_at", Moment, nullable=False, server_default=database_instant()),
    Column("last_login_at", Moment),
    # Until when a user whom the policy wants to have MFA may go on without; set once.
    Column("enrol_by", Moment),
    # Somebody else chose the password: the user chooses another one before anything else.
    Column("must_change_password", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("username_key"),
    # Administrators are few among many, and counted in every pass.
    Index(
        "ix_mfa_users_administrators",
        "id",
        sqlite_where=text("is_staff OR is_superuser"),
    ),
    # What the list of users is sorted by, beside user names.
    Index("ix_mfa_users_email_id", text("lower(email)"), "id"),
    Index("ix_mfa_users_name_id", text("lower(name)"), "id"),
    sqlite_autoincrement=True,
)

groups = Table(
    "mfa_groups",
    metadata,
    row_id(),
    Column("name", String(64), nullable=False),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)

memberships = Table(
    "mfa_memberships",
    metadata,
    of_user(key=True),
    Column(
        "group_id", Id, ForeignKey(groups.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Index("ix_mfa_memberships_group_id", "group_id"),
)

factors = Table(
    "mfa_factors",
    metadata,
    row_id(),
    Column("user_id", Id, ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False),
    # NULL or '': not enrolled (the way to clear a factor by hand).
    Column("token", Text),
    # A hint; decryption is the truth. NULL: not tried yet, or (with fault) opened by no known key.
    Column("key_id", KeyId, ForeignKey(live_keys.c.key_id, ondelete="RESTRICT")),
    Column("fault", String(8)),
    Column("algorithm", String(8), nullable=False, server_default="SHA1"),
    Column("digits", SmallInteger, nullable=False, server_default="6"),
    Column("period", SmallInteger, nullable=False, server_default="30"),
    Column("drift", SmallInteger, nullable=False, server_default="0"),
    # The last time step a code was accepted for (RFC 6238 section 5.2: a code is used once).
    Column("last_step", BigInteger, nullable=False, server_default="-1"),
    Column("created_at", Moment, nullable=False, server_default=database_instant()),
    CheckConstraint("fault IN ('unknown', 'corrupt')", name="fault"),
    CheckConstraint("fault IS NULL OR key_id IS NULL", name="fault_has_no_key"),
    Index("ix_mfa_factors_user_id", "user_id"),
    Index(
        "ix_mfa_factors_fault",
        "fault",
        sqlite_where=text("fault IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

recovery_codes = Table(
    "mfa_recovery_codes",
    metadata,
    # They hang on the factor: who loses it, by hand too, loses its codes.
    Column(
        "factor_id", Id, ForeignKey(factors.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("code_hash", Hash, primary_key=True),
)

factor_deltas = Table(
    "mfa_factor_deltas",
    metadata,
    row_id(),
    # Key and fault as on the factor; both '' for a row that was not tried yet.
    Column("key_id", KeyId, nullable=False, server_default=""),
    Column("fault", String(8), nullable=False, server_default=""),
    Column("rows", BigInteger, nullable=False),
)
