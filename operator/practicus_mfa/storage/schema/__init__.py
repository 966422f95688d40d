"""The tables. On PostgreSQL they live in the schema ``practicus_mfa``, on SQLite in the file itself.

People are told of two of them: ``mfa_users`` and ``mfa_factors``. The rest keeps the rotation's facts:

* what writes: ``mfa_write_key`` (one row), ``mfa_live_keys`` (the fence: a factor's ``key_id`` refers to it),
  and what wrote once: ``mfa_key_history``
* who reads: ``mfa_readers`` (leases), and who decides: ``mfa_claim`` (one row: owner and epoch)
* how far: ``mfa_rotations``, ``mfa_shards``; how many: ``mfa_factor_deltas`` (kept by triggers),
  ``mfa_table_counts`` (tables of other applications)
* what happened: ``mfa_audit``, sealed by ``mfa_audit_chain``, pruned up to ``mfa_audit_checkpoints``;
  what is in force: ``mfa_policy`` (one row)
* what a user is allowed to: ``mfa_groups``, ``mfa_memberships``; and what opens the door once without a code:
  ``mfa_recovery_codes``
* who is logged in: ``mfa_sessions``; who is on the way: ``mfa_half_logins`` (password given, code not yet),
  ``mfa_pending_factors`` (being enrolled), ``mfa_setup_links``
* who guesses: ``mfa_attempts``, ``mfa_failing_names``, ``mfa_unknown_names``; whose browser is known:
  ``mfa_devices``
* what administrators asked for: ``mfa_bulk_runs``, ``mfa_policy_requests``; and what ``recover`` took away:
  ``mfa_recovery_archive``

Of a token that a browser or a person holds only the SHA-256 is kept, in columns named ``…_hash``.

On PostgreSQL the indexes with a condition are partial too, and two tables have room for a new version of each
row beside the old one, so that updates touch no index (HOT): ``mfa_factors`` (fillfactor 45) for rotations,
``mfa_sessions`` (70) for their last use, which no index may hold for that reason. The migrations say so; said
here, it would make every program on SQLite import PostgreSQL's dialect. An index of the words of users' names
is there too: :mod:`practicus_mfa.storage.user_list.words_index`.
"""

from __future__ import annotations

from practicus_mfa.storage.schema.administration import bulk_runs, policy_requests, recovery_archive
from practicus_mfa.storage.schema.base import SCHEMA, metadata
from practicus_mfa.storage.schema.keys import key_history, live_keys, readers, write_key
from practicus_mfa.storage.schema.logins import (
    attempts,
    devices,
    failing_names,
    half_logins,
    pending_factors,
    sessions,
    setup_links,
    unknown_names,
)
from practicus_mfa.storage.schema.people import (
    factor_deltas,
    factors,
    groups,
    memberships,
    recovery_codes,
    users,
)
from practicus_mfa.storage.schema.records import audit, audit_chain, audit_checkpoints
from practicus_mfa.storage.schema.work import claim, policy, rotations, shards, table_counts

__all__ = [
    "SCHEMA",
    "attempts",
    "audit",
    "audit_chain",
    "audit_checkpoints",
    "bulk_runs",
    "claim",
    "devices",
    "factor_deltas",
    "factors",
    "failing_names",
    "groups",
    "half_logins",
    "key_history",
    "live_keys",
    "memberships",
    "metadata",
    "pending_factors",
    "policy",
    "policy_requests",
    "readers",
    "recovery_archive",
    "recovery_codes",
    "rotations",
    "sessions",
    "setup_links",
    "shards",
    "table_counts",
    "unknown_names",
    "users",
    "write_key",
]
