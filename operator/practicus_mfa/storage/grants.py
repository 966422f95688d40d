"""Lesser roles on PostgreSQL: each can do its work and nothing more. The SQL is printed, a person runs it.

* the *owner* of the schema runs ``db upgrade``, backups and restores
* the *operator* decides: it keeps keys, rotations and the policy, and never sees a password hash
* the *jobs* re-encrypt: of a factor they change token, hint and fault, of a shard its progress
* the *login* service alone knows who is logged in; it reads and changes users and factors; it appends to the
  audit and asks for changes of the policy, and changes neither

One role for all of it works too. The grants are taken back and given anew, so the script can run after every
upgrade, and states all that a role may do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from practicus_mfa.errors import UsageError
from practicus_mfa.storage.schema import SCHEMA

_LONGEST_NAME: Final = 63
"""Bytes of a name; PostgreSQL cuts longer ones off (NAMEDATALEN - 1)."""

_ALL: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

Rights = Mapping[str, tuple[str, ...]]
"""What a role may do, by table."""

# When a line was written and sealed, and which number it has, is for the database to say.
_APPEND: Final = ("SELECT", "INSERT (actor, action, subject, result, detail)")
_SEAL: Final = ("SELECT", 'INSERT ("position", line_id, hash)')

OPERATOR: Final[Rights] = {
    "alembic_version": ("SELECT",),
    "mfa_users": ("SELECT (id, username, username_key, is_active, is_staff, is_superuser)",),
    "mfa_live_keys": _ALL,
    "mfa_key_history": _ALL,
    "mfa_write_key": _ALL,
    # A retirement takes the hint from rows that were cleared by hand.
    "mfa_factors": ("SELECT", "UPDATE (token, key_id, fault)"),
    "mfa_factor_deltas": _ALL,
    "mfa_table_counts": _ALL,
    "mfa_readers": _ALL,
    "mfa_claim": _ALL,
    "mfa_rotations": _ALL,
    "mfa_shards": _ALL,
    "mfa_audit": _APPEND,
    "mfa_audit_chain": _SEAL,
    "mfa_audit_checkpoints": ("SELECT",),
    "mfa_policy": _ALL,
    "mfa_policy_requests": ("SELECT", "UPDATE (handled_at, outcome, message)"),
}

JOBS: Final[Rights] = {
    "alembic_version": ("SELECT",),
    "mfa_live_keys": ("SELECT",),
    "mfa_write_key": ("SELECT",),
    "mfa_factors": ("SELECT", "UPDATE (token, key_id, fault)"),
    "mfa_table_counts": ("SELECT", "INSERT", "UPDATE"),
    "mfa_claim": ("SELECT",),
    # The last workers of a pass lock the rotation's row; a lock needs the right to change some column.
    "mfa_rotations": ("SELECT", "UPDATE (attempt)"),
    "mfa_shards": (
        "SELECT",
        'UPDATE ("position", migrated, "current", "unknown", corrupt, done_at)',
    ),
    "mfa_audit": _APPEND,
    "mfa_policy": ("SELECT",),
}

LOGIN: Final[Rights] = {
    "alembic_version": ("SELECT",),
    "mfa_users": _ALL,
    "mfa_live_keys": ("SELECT",),
    "mfa_write_key": ("SELECT",),
    "mfa_factors": _ALL,
    "mfa_readers": _ALL,
    "mfa_claim": ("SELECT",),
    "mfa_rotations": ("SELECT",),
    "mfa_shards": ("SELECT",),
    "mfa_audit": _APPEND,
    "mfa_audit_chain": _SEAL,
    "mfa_audit_checkpoints": ("SELECT",),
    "mfa_factor_deltas": ("SELECT",),
    "mfa_policy": ("SELECT",),
    # When it was asked, and what became of it, is not for who asks to say.
    "mfa_policy_requests": ("SELECT", "INSERT (author_id, author, changes)"),
    "mfa_bulk_runs": _ALL,
    "mfa_groups": _ALL,
    "mfa_memberships": _ALL,
    "mfa_recovery_codes": _ALL,
    "mfa_sessions": _ALL,
    "mfa_half_logins": _ALL,
    "mfa_pending_factors": _ALL,
    "mfa_setup_links": _ALL,
    "mfa_attempts": _ALL,
    "mfa_failing_names": _ALL,
    "mfa_unknown_names": _ALL,
    "mfa_devices": _ALL,
}


OWNER_ALONE: Final = frozenset({"mfa_recovery_archive"})
"""What no lesser role may touch: what ``recover`` took away, secrets that no key retires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The names of the roles; two may be the same."""

    owner: str = "practicus_mfa_owner"
    operator: str = "practicus_mfa_operator"
    jobs: str = "practicus_mfa_jobs"
    login: str = "practicus_mfa_login"

    def __post_init__(self) -> None:
        """Refuse what PostgreSQL would refuse or cut off, and dollar signs, which quote in the script.

        Raises:
            UsageError: A name is empty or too long, or holds a NUL or a dollar sign.
        """
        for name in (self.owner, self.operator, self.jobs, self.login):
            if not name or "\0" in name or "$" in name or len(name.encode()) > _LONGEST_NAME:
                raise UsageError(
                    "a role's name is empty, too long or has a dollar sign",
                    remedy=f"choose a name of 1 to {_LONGEST_NAME} bytes without dollar signs",
                )


def setup_sql(roles: Roles) -> str:
    """Return what a superuser runs first: the roles, and the schema that the owner owns."""
    names = dict.fromkeys((roles.owner, roles.operator, roles.jobs, roles.login))
    lines = [
        "-- 1. As a superuser: roles and schema. Give each role its password with psql's \\password.",
        *(
            f"DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {_literal(name)})"
            f" THEN CREATE ROLE {_quoted(name)} LOGIN; END IF; END $do$;"
            for name in names
        ),
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA} AUTHORIZATION {_quoted(roles.owner)};",
    ]
    return "\n".join(lines) + "\n"


def grants_sql(roles: Roles) -> str:
    """Return what the owner runs after each ``db upgrade``: the rights, exactly these."""
    lines = [
        "-- 2. As the owner, after each `practicus-mfa db upgrade`: what each role may do.",
        "BEGIN;",
        *_grants(roles),
        "COMMIT;",
        "-- For other applications' tables (migration.tables) also, with USAGE on their schemas:",
        f"--   GRANT SELECT, UPDATE (the token columns) ON … TO {_commented(roles.jobs)};",
        f"--   GRANT SELECT ON … TO {_commented(roles.operator)};",
    ]
    return "\n".join(lines) + "\n"


def _grants(roles: Roles) -> Iterator[str]:
    given = [(roles.operator, OPERATOR), (roles.jobs, JOBS), (roles.login, LOGIN)]
    lesser = [(name, rights) for name, rights in given if name != roles.owner]
    # All are taken back before any is given: two of them may be one role.
    for name in dict.fromkeys(name for name, _ in lesser):
        yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM {_quoted(name)};"
        yield f"REVOKE ALL ON SCHEMA {SCHEMA} FROM {_quoted(name)};"
        yield f"GRANT USAGE ON SCHEMA {SCHEMA} TO {_quoted(name)};"
    for name, rights in lesser:
        for table, privileges in rights.items():
            yield f"GRANT {', '.join(privileges)} ON {SCHEMA}.{table} TO {_quoted(name)};"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    # E'…' means the same whatever standard_conforming_strings is.
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _commented(name: str) -> str:
    return _quoted(name).replace("\n", " ").replace("\r", " ")
