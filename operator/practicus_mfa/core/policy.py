"""The policy: what a platform team asked for, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from practicus_mfa.core.keyring import KeyId

Scalar = str | int | bool
"""A value that a ``where`` compares a column with."""


class SettingsPage(StrEnum):
    """``login.settingsPage``: what administrators may change without values.yaml."""

    EDIT = "edit"
    """Every value of ``mfa`` and ``rememberMe``."""
    TIGHTEN = "tighten"
    """The same values, to what is stricter than values.yaml says."""
    READ = "read"
    """Nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MfaRules:
    """``userLogin.mfa``: who needs a second factor."""

    enabled: bool = True
    mandatory: bool = False
    mandatory_for_sys_admins: bool = False
    grace_period_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberMeRules:
    """``userLogin.rememberMe``: how long a log-in may last."""

    enabled: bool = True
    days: int = 30
    disabled_for_sys_admins: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules:
    """``userLogin.session``: a session's limits without "remember me"; 0 idle minutes: no idle limit."""

    hours: int = 12
    idle_minutes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """One of ``migration.tables``: another application's table whose tokens rotate with ours.

    Attributes:
        table: Its name, with a schema and quotes where the database needs them (``app."Secrets"``).
        id_column: A unique, not-null column of integer, text or UUID.
        token_columns: Columns holding bare Fernet tokens.
        where: Only rows whose columns equal these values.
        ready_for_key: The person's word that the application can read this key.
        done_with_key: The person's word that the application no longer writes this key.
    """

    table: str
    id_column: str
    token_columns: tuple[str, ...]
    where: Mapping[str, Scalar] = field(default_factory=dict)
    ready_for_key: KeyId | None = None
    done_with_key: KeyId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRules:
    """``migration``: how rows are re-encrypted.

    Attributes:
        parallelism: Workers at the same time.
        shards: Parts that a table is cut into; 0: chosen by its size.
        batch_size: Rows a page.
        suspend: Change nothing for now.
        allow_reverse: The ID of a former key that may become the active key again.
        tables: Other applications' tables.
    """

    parallelism: int = 2
    shards: int = 0
    batch_size: int = 2_000
    suspend: bool = False
    allow_reverse: KeyId | None = None
    tables: tuple[TableSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """``secretStoreRef``: the Secret with the keys, and the IDs that it is expected to hold."""

    name: str = "practicus-mfa-secret-store"
    active: KeyId | None = None
    rolling: KeyId | None = None


@dataclass(frozen=True, slots=True)
class DatabaseRef:
    """``databaseRef``: the Secret that holds the database's URL, and the name of its entry."""

    name: str
    key: str = "url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """An MfaPolicy's spec, found valid.

    Attributes:
        mfa: The rules in force, overrides included.
        remember_me: The rules in force, overrides included.
        session: The limits of a session.
        secret_ref: Where the keys are.
        database_ref: Where the database's URL is; ``None`` where the platform brings its own database.
        migration: How rows are re-encrypted.
        overridden: What ``overrides`` decided, by its path (``mfa.mandatory``).
        values_mfa: What values.yaml alone says.
        values_remember_me: What values.yaml alone says.
    """

    mfa: MfaRules = field(default_factory=MfaRules)
    remember_me: RememberMeRules = field(default_factory=RememberMeRules)
    session: SessionRules = field(default_factory=SessionRules)
    secret_ref: SecretRef = field(default_factory=SecretRef)
    database_ref: DatabaseRef | None = None
    migration: MigrationRules = field(default_factory=MigrationRules)
    overridden: frozenset[str] = frozenset()
    values_mfa: MfaRules = field(default_factory=MfaRules)
    values_remember_me: RememberMeRules = field(default_factory=RememberMeRules)
