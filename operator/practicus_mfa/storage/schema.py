"""The tables. On PostgreSQL they live in the schema ``practicus_mfa``, on SQLite in the file itself.

People are told of two of them: ``mfa_users`` and ``mfa_factors``. The rest keeps the rotation's facts:

* what writes: ``mfa_write_key`` (one row), ``mfa_live_keys`` (the fence: a factor's ``key_id`` refers to it),
  and what wrote once: ``mfa_key_history``
* who reads: ``mfa_readers`` (leases), and who decides: ``mfa_claim`` (one row: owner and epoch)
* how far: ``mfa_rotations``, ``mfa_shards``; how many: ``mfa_factor_deltas`` (kept by triggers),
  ``mfa_table_counts`` (tables of other applications)
* what happened: ``mfa_audit``; what is in force: ``mfa_policy`` (one row)
* what a user is allowed to: ``mfa_groups``, ``mfa_memberships``; and what opens the door once without a code:
  ``mfa_recovery_codes``
* who is logged in: ``mfa_sessions``; who is on the way: ``mfa_half_logins`` (password given, code not yet),
  ``mfa_pending_factors`` (being enrolled), ``mfa_setup_links``
* who guesses: ``mfa_attempts``, ``mfa_failing_names``; whose browser is known: ``mfa_devices``

Of a token that a browser or a person holds only the SHA-256 is kept, in columns named ``…_hash``.

On PostgreSQL the indexes with a condition are partial too, and two tables have room for a new version of each
row beside the old one, so that updates touch no index (HOT): ``mfa_factors`` (fillfactor 45) for rotations,
``mfa_sessions`` (70) for their last use, which no index may hold for that reason. The migrations say so; said
here, it would make every program on SQLite import PostgreSQL's dialect.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from practicus_mfa.storage.types import Document, Instant, database_instant

SCHEMA: Final = "practicus_mfa"
"""The schema on PostgreSQL; translated to none on SQLite."""

KEY_ID_LENGTH: Final = 12

HASH_BYTES: Final = 32
"""Bytes of a SHA-256."""

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(schema=SCHEMA, naming_convention=NAMING)

# SQLite gives a table an implicit 64-bit row id only for a column spelled INTEGER.
_Id = BigInteger().with_variant(Integer, "sqlite")
_Instant = Instant()
_Json = Document()
_KeyId = String(KEY_ID_LENGTH)
_Hash = LargeBinary(HASH_BYTES)
_Digest = String(2 * HASH_BYTES)


def _id() -> Column[int]:
    return Column("id", _Id, Identity(always=False), primary_key=True)


def _of_user(*, key: bool = False) -> Column[int]:
    """Return a reference to a user, with whom the row goes; with *key* it is (a part of) the primary key."""
    refers = ForeignKey(f"{SCHEMA}.mfa_users.id", ondelete="CASCADE")
    if key:
        return Column("user_id", _Id, refers, primary_key=True, autoincrement=False)
    return Column("user_id", _Id, refers, nullable=False)


def _one_row(name: str) -> tuple[Column[int], CheckConstraint]:
    """Return a primary key that admits the single value 1."""
    return Column("id", SmallInteger, primary_key=True, autoincrement=False), CheckConstraint(
        "id = 1", name=name
    )


users = Table(
    "mfa_users",
    metadata,
    _id(),
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
    Column("created_at", _Instant, nullable=False, server_default=database_instant()),
    Column("last_login_at", _Instant),
    # Until when a user whom the policy wants to have MFA may go on without; set once.
    Column("enrol_by", _Instant),
    UniqueConstraint("username_key"),
    # Administrators are few among many, and counted in every pass.
    Index(
        "ix_mfa_users_administrators",
        "id",
        sqlite_where=text("is_staff OR is_superuser"),
    ),
    sqlite_autoincrement=True,
)

live_keys = Table(
    "mfa_live_keys",
    metadata,
    Column("key_id", _KeyId, primary_key=True),
    # A known text sealed with the key: whoever opens it really has the key.
    Column("canary", Text, nullable=False),
    Column("added_at", _Instant, nullable=False, server_default=database_instant()),
)

key_history = Table(
    "mfa_key_history",
    metadata,
    Column("key_id", _KeyId, primary_key=True),
    # When another key took over from it as the write key …
    Column("wrote_until", _Instant),
    # … and when a rotation ended that proved it to be needed by no row.
    Column("retired_at", _Instant),
)

write_key = Table(
    "mfa_write_key",
    metadata,
    *_one_row("one_row"),
    Column("key_id", _KeyId, ForeignKey(live_keys.c.key_id, ondelete="RESTRICT"), nullable=False),
    Column("since", _Instant, nullable=False, server_default=database_instant()),
)

factors = Table(
    "mfa_factors",
    metadata,
    _id(),
    Column("user_id", _Id, ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False),
    # NULL or '': not enrolled (the way to clear a factor by hand).
    Column("token", Text),
    # A hint; decryption is the truth. NULL: not tried yet, or (with fault) opened by no known key.
    Column("key_id", _KeyId, ForeignKey(live_keys.c.key_id, ondelete="RESTRICT")),
    Column("fault", String(8)),
    Column("algorithm", String(8), nullable=False, server_default="SHA1"),
    Column("digits", SmallInteger, nullable=False, server_default="6"),
    Column("period", SmallInteger, nullable=False, server_default="30"),
    Column("drift", SmallInteger, nullable=False, server_default="0"),
    # The last time step a code was accepted for (RFC 6238 section 5.2: a code is used once).
    Column("last_step", BigInteger, nullable=False, server_default="-1"),
    Column("created_at", _Instant, nullable=False, server_default=database_instant()),
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

factor_deltas = Table(
    "mfa_factor_deltas",
    metadata,
    _id(),
    # Key and fault as on the factor; both '' for a row that was not tried yet.
    Column("key_id", _KeyId, nullable=False, server_default=""),
    Column("fault", String(8), nullable=False, server_default=""),
    Column("rows", BigInteger, nullable=False),
)

table_counts = Table(
    "mfa_table_counts",
    metadata,
    Column("relation", Text, primary_key=True),
    # {"<key id>": rows, "unknown": rows, "corrupt": rows}: what the last whole scan saw.
    Column("counts", _Json, nullable=False),
    Column("scanned_at", _Instant, nullable=False),
)

readers = Table(
    "mfa_readers",
    metadata,
    Column("instance", Text, primary_key=True),
    # The IDs of the keys it can read with, sorted, as a JSON list.
    Column("key_ids", _Json, nullable=False),
    Column("expires_at", _Instant, nullable=False),
)

claim = Table(
    "mfa_claim",
    metadata,
    *_one_row("one_row"),
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
    _id(),
    Column("to_key", _KeyId, nullable=False),
    # The write key when it began: '' at the first one.
    Column("from_key", _KeyId, nullable=False, server_default=""),
    Column("started_at", _Instant, nullable=False, server_default=database_instant()),
    Column("promoted_at", _Instant),
    Column("retired_at", _Instant),
    Column("completed_at", _Instant),
    Column("attempt", Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)

shards = Table(
    "mfa_shards",
    metadata,
    _id(),
    Column("rotation_id", _Id, ForeignKey(rotations.c.id, ondelete="CASCADE"), nullable=False),
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
    Column("done_at", _Instant),
    UniqueConstraint("rotation_id", "mode", "relation", "number"),
    CheckConstraint("mode IN ('migrate', 'verify')", name="mode"),
)

audit = Table(
    "mfa_audit",
    metadata,
    _id(),
    Column("at", _Instant, nullable=False, server_default=database_instant()),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("result", Text, nullable=False, server_default="done"),
    Column("detail", _Json, nullable=False, server_default="{}"),
    Index("ix_mfa_audit_subject_id", "subject", "id"),
    sqlite_autoincrement=True,
)

policy = Table(
    "mfa_policy",
    metadata,
    *_one_row("one_row"),
    Column("generation", BigInteger, nullable=False),
    # The effective policy as plain values: what a log-in service enforces.
    Column("effective", _Json, nullable=False),
    Column("updated_at", _Instant, nullable=False, server_default=database_instant()),
)

groups = Table(
    "mfa_groups",
    metadata,
    _id(),
    Column("name", String(64), nullable=False),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)

memberships = Table(
    "mfa_memberships",
    metadata,
    _of_user(key=True),
    Column(
        "group_id", _Id, ForeignKey(groups.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Index("ix_mfa_memberships_group_id", "group_id"),
)

recovery_codes = Table(
    "mfa_recovery_codes",
    metadata,
    # They hang on the factor: who loses it, by hand too, loses its codes.
    Column(
        "factor_id", _Id, ForeignKey(factors.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("code_hash", _Hash, primary_key=True),
)

sessions = Table(
    "mfa_sessions",
    metadata,
    _id(),
    _of_user(),
    # What the login host's cookie holds …
    Column("token_hash", _Hash, nullable=False),
    # … and what the one for all hosts of the domain holds, good for forward-auth alone.
    Column("verify_hash", _Hash),
    Column("remembered", Boolean, nullable=False),
    Column("created_at", _Instant, nullable=False, server_default=database_instant()),
    # The absolute end; what the policy says at the moment may be earlier.
    Column("expires_at", _Instant, nullable=False),
    Column("last_used_at", _Instant, nullable=False, server_default=database_instant()),
    # When password and code, where there is one, were last given …
    Column("proved_at", _Instant, nullable=False),
    # … and when a code was: NULL where none ever was.
    Column("second_factor_at", _Instant),
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
    _id(),
    _of_user(),
    Column("token_hash", _Hash, nullable=False),
    # Where to go when it is done: an address that was judged already, or nothing.
    Column("target", Text, nullable=False, server_default=""),
    Column("created_at", _Instant, nullable=False, server_default=database_instant()),
    Column("expires_at", _Instant, nullable=False),
    UniqueConstraint("token_hash"),
    Index("ix_mfa_half_logins_user_id", "user_id"),
    Index("ix_mfa_half_logins_expires_at", "expires_at"),
    sqlite_autoincrement=True,
)

pending_factors = Table(
    "mfa_pending_factors",
    metadata,
    _of_user(key=True),
    # Sealed; no key is kept live for it: one that can't be opened any more is replaced.
    Column("token", Text, nullable=False),
    Column("expires_at", _Instant, nullable=False),
    Index("ix_mfa_pending_factors_expires_at", "expires_at"),
)

setup_links = Table(
    "mfa_setup_links",
    metadata,
    # One a user: the newest.
    _of_user(key=True),
    Column("token_hash", _Hash, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", _Instant, nullable=False, server_default=database_instant()),
    Column("expires_at", _Instant, nullable=False),
    UniqueConstraint("token_hash"),
    Index("ix_mfa_setup_links_expires_at", "expires_at"),
)

attempts = Table(
    "mfa_attempts",
    metadata,
    # Digests: who may read this table learns neither names nor addresses. No user is referred to: names
    # that nobody has are counted alike.
    Column("counter", _Digest, primary_key=True),
    Column("kind", String(24), primary_key=True),
    Column("subject", _Digest, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("last_at", _Instant),
    Column("stopped_until", _Instant),
    Column("forever", Boolean, nullable=False),
    # NULL: kept until it is cleared.
    Column("expires_at", _Instant),
    Index("ix_mfa_attempts_subject", "subject"),
    Index("ix_mfa_attempts_expires_at", "expires_at"),
)

failing_names = Table(
    "mfa_failing_names",
    metadata,
    Column("address", Text, primary_key=True),
    Column("name_digest", _Digest, primary_key=True),
    Column("expires_at", _Instant, nullable=False),
    Index("ix_mfa_failing_names_expires_at", "expires_at"),
)

devices = Table(
    "mfa_devices",
    metadata,
    _id(),
    _of_user(),
    Column("token_hash", _Hash, nullable=False),
    Column("created_at", _Instant, nullable=False, server_default=database_instant()),
    Column("expires_at", _Instant, nullable=False),
    UniqueConstraint("token_hash"),
    Index("ix_mfa_devices_user_id", "user_id"),
    Index("ix_mfa_devices_expires_at", "expires_at"),
    sqlite_autoincrement=True,
)
