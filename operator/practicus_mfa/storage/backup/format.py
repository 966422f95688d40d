"""What a backup file is: a ZIP with one part a table and, last, a manifest that vouches for every part.

A part is text, one row a line, each a JSON object of column names and values; encrypted rows stand in it as
they are. The manifest gives each part's rows and SHA-256; the ZIP's comment gives the manifest's own. So a
file that was cut short or edited is noticed, and the part is named. (Whoever sets out to forge a file can:
the checksums guard against accidents and careless edits, the tokens inside guard themselves.)

The same file fits SQLite and PostgreSQL: an instant is ISO 8601 in UTC, a truth value is ``true``.
"""

from __future__ import annotations

from typing import Final

from practicus_mfa.storage.schema import (
    attempts,
    audit,
    audit_chain,
    audit_checkpoints,
    bulk_runs,
    devices,
    factors,
    failing_names,
    groups,
    half_logins,
    key_history,
    live_keys,
    memberships,
    pending_factors,
    policy_requests,
    recovery_archive,
    recovery_codes,
    rotations,
    sessions,
    setup_links,
    shards,
    unknown_names,
    users,
    write_key,
)

FORMAT: Final = "practicus-mfa backup"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
COMMENT: Final = "practicus-mfa backup, manifest sha256:"
"""The ZIP's comment: this and the manifest's SHA-256 in hex."""

TABLES: Final = (
    live_keys,
    key_history,
    write_key,
    users,
    factors,
    recovery_codes,
    groups,
    memberships,
    recovery_archive,
    rotations,
    shards,
    audit,
    audit_checkpoints,
    audit_chain,
)
"""What is kept, each table after those that it refers to.

Left out is what belongs to the place and not to the data: who owns and reads the database at the moment
(``mfa_claim``, ``mfa_readers``), the policy in force (it comes from values.yaml), and counts
(``mfa_factor_deltas`` follows from the rows by triggers, ``mfa_table_counts`` is of other tables). Left out
too is what is good for a while only, see :data:`EMPTIED`.
"""

EMPTIED: Final = (
    sessions,
    half_logins,
    pending_factors,
    setup_links,
    devices,
    attempts,
    failing_names,
    unknown_names,
    bulk_runs,
    policy_requests,
)
"""What no backup keeps and a restore empties: after it nobody is logged in, no link good, no request open."""


def part_name(table: str) -> str:
    """Return the name that *table*'s part has in the file."""
    return f"{table}.jsonl"
