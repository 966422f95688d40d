"""Who is logged in or on the way, who guesses, whose browser is known."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from practicus_mfa.storage.schema.base import SCHEMA, Digest, Hash, Id, Moment, metadata, of_user, row_id
from practicus_mfa.storage.types import database_instant

sessions = Table(
    "mfa_sessions",
    metadata,
    row_id(),
    of_user(),
    # What the login host's cookie holds …
    Column("token_hash", Hash, nullable=False),
    # … and what the one for all hosts of the domain holds, good for forward-auth alone.
    Column("verify_hash", Hash),
    Column("remembered", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False, server_default=database_instant()),
    # The absolute end; what the policy says at the moment may be earlier.
    Column("expires_at", Moment, nullable=False),
    Column("last_used_at", Moment, nullable=False, server_default=database_instant()),
    # When password and code, where there is one, were last given …
    Column("proved_at", Moment, nullable=False),
    # … and when a code was: NULL where none ever was.
    Column("second_factor_at", Moment),
    Column("address", Text, nullable=False, server_default=""),
    Column("user_agent", Text, nullable=False, server_default=""),
    UniqueConstraint("token_hash"),
    UniqueConstraint("verify_hash"),
    Index("ix_mfa_sessions_user_id", "user_id"),
    Index("ix_mfa_sessions_expires_at", "expires_at"),
    sqlite_autoincrement=True,
)

half_logins = Table(
    "mfa_half_logins",
    metadata,
    row_id(),
    of_user(),
    Column("token_hash", Hash, nullable=False),
    # Where to go when it is done: an address that was judged already, or nothing.
    Column("target", Text, nullable=False, server_default=""),
    Column("created_at", Moment, nullable=False, server_default=database_instant()),
    Column("expires_at", Moment, nullable=False),
    UniqueConstraint("token_hash"),
    Index("ix_mfa_half_logins_user_id", "user_id"),
    Index("ix_mfa_half_logins_expires_at", "expires_at"),
    sqlite_autoincrement=True,
)

pending_factors = Table(
    "mfa_pending_factors",
    metadata,
    of_user(key=True),
    # Sealed; no key is kept live for it: one that can't be opened any more is replaced.
    Column("token", Text, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_mfa_pending_factors_expires_at", "expires_at"),
)

setup_links = Table(
    "mfa_setup_links",
    metadata,
    # One a user: the newest.
    of_user(key=True),
    Column("token_hash", Hash, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False, server_default=database_instant()),
    Column("expires_at", Moment, nullable=False),
    UniqueConstraint("token_hash"),
    Index("ix_mfa_setup_links_expires_at", "expires_at"),
)

attempts = Table(
    "mfa_attempts",
    metadata,
    # Digests: who may read this table learns neither names nor addresses. Names that nobody has are counted
    # like all others …
    Column("counter", Digest, primary_key=True),
    Column("kind", String(24), primary_key=True),
    Column("subject", Digest, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("last_at", Moment),
    Column("stopped_until", Moment),
    Column("forever", Boolean, nullable=False),
    # NULL: kept until it is cleared.
    Column("expires_at", Moment),
    # … but codes are tried by users alone, after a right password: administrators are shown who is stopped.
    Column("user_id", Id, ForeignKey(f"{SCHEMA}.mfa_users.id", ondelete="CASCADE")),
    Index("ix_mfa_attempts_subject", "subject"),
    Index("ix_mfa_attempts_user_id", "user_id"),
    Index("ix_mfa_attempts_expires_at", "expires_at"),
)

failing_names = Table(
    "mfa_failing_names",
    metadata,
    Column("address", Text, primary_key=True),
    Column("name_digest", Digest, primary_key=True),
    Column("expires_at", Moment, nullable=False),
    Index("ix_mfa_failing_names_expires_at", "expires_at"),
)

devices = Table(
    "mfa_devices",
    metadata,
    row_id(),
    of_user(),
    Column("token_hash", Hash, nullable=False),
    Column("created_at", Moment, nullable=False, server_default=database_instant()),
    Column("expires_at", Moment, nullable=False),
    UniqueConstraint("token_hash"),
    Index("ix_mfa_devices_user_id", "user_id"),
    Index("ix_mfa_devices_expires_at", "expires_at"),
    sqlite_autoincrement=True,
)

unknown_names = Table(
    "mfa_unknown_names",
    metadata,
    # A try at a name that nobody has, until its minute is over and the minute's tries from its address become
    # one line of the audit. A row for each, which takes as long to write as a line of somebody's name does: a
    # counter would let tries at such names, and at no others, wait for each other.
    row_id(),
    Column("at", Moment, nullable=False, server_default=database_instant()),
    Column("address", Text, nullable=False),
    sqlite_autoincrement=True,
)
