"""What every table is made with: the schema, names of constraints, and columns that many have."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
)

from practicus_mfa.storage.types import Document, Instant

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
Id = BigInteger().with_variant(Integer, "sqlite")
Moment = Instant()
Json = Document()
KeyId = String(KEY_ID_LENGTH)
Hash = LargeBinary(HASH_BYTES)
Digest = String(2 * HASH_BYTES)


def row_id() -> Column[int]:
    """Return a primary key that the database counts up."""
    return Column("id", Id, Identity(always=False), primary_key=True)


def of_user(*, key: bool = False) -> Column[int]:
    """Return a reference to a user, with whom the row goes; with *key* it is (a part of) the primary key."""
    refers = ForeignKey(f"{SCHEMA}.mfa_users.id", ondelete="CASCADE")
    if key:
        return Column("user_id", Id, refers, primary_key=True, autoincrement=False)
    return Column("user_id", Id, refers, nullable=False)


def one_row(name: str) -> tuple[Column[int], CheckConstraint]:
    """Return a primary key that admits the single value 1."""
    return Column("id", SmallInteger, primary_key=True, autoincrement=False), CheckConstraint(
        "id = 1", name=name
    )
