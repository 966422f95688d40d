"""How many rows there are by what is known of their key: exact at every moment, at a cost that is constant.

Triggers (in the migrations) write each statement's differences to ``mfa_factor_deltas``, in the transaction
that made them; the sum is the count. :func:`fold` keeps that table short. For other applications' tables,
where we have no trigger, the last whole scan is what is known, with its date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, text

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import Counts
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.schema import SCHEMA, factor_deltas, factors, table_counts
from practicus_mfa.storage.types import database_instant
from practicus_mfa.storage.upsert import upsert

UNKNOWN: Final = "unknown"
CORRUPT: Final = "corrupt"

FOLD_FROM: Final = 64
"""Below this many differences folding isn't worth its own write."""

FOLD: Final = text(
    f"WITH gone AS (DELETE FROM {SCHEMA}.mfa_factor_deltas RETURNING key_id, fault, rows),"  # noqa: S608
    f" kept AS (INSERT INTO {SCHEMA}.mfa_factor_deltas (key_id, fault, rows)"
    "   SELECT key_id, fault, sum(rows) FROM gone GROUP BY key_id, fault HAVING sum(rows) <> 0)"
    " SELECT count(*) FROM gone"
)
"""One statement; it gives how many differences it replaced by sums."""

_Hint = tuple[str, str]
"""Key and fault of a row; both empty where it was not tried yet."""


def read_counts(connection: Connection) -> Counts:
    """Return the counts of ``mfa_factors`` as the transaction sees the table."""
    deltas = factor_deltas.c
    query = select(deltas.key_id, deltas.fault, func.sum(deltas.rows)).group_by(deltas.key_id, deltas.fault)
    return _counts(connection, (((key, fault), int(rows)) for key, fault, rows in connection.execute(query)))


def scan_counts(connection: Connection) -> Counts:
    """Return the same by looking at every row: slow, and no trigger can have missed anything."""
    return _counts(connection, _scan(connection).items())


def fold(db: Database) -> int:
    """Replace many differences by their sums; return how many went.

    It is one statement: who reads at the same time sees the differences or the sums, never both or
    neither; who writes adds further differences, which are left for the next time.
    """
    with db.read() as connection:
        waiting = connection.execute(select(func.count()).select_from(factor_deltas)).scalar_one()
    if waiting < FOLD_FROM or db.is_sqlite:
        return 0  # on SQLite the triggers keep sums
    with db.write() as connection:
        return int(connection.execute(FOLD).scalar_one())


def recount(db: Database) -> bool:
    """Make the counts those of the table, as a repair; return whether they were wrong.

    Writers of factors wait until it is done. On PostgreSQL it is for the owner of the tables.
    """
    with db.write() as connection:
        if not db.is_sqlite:
            # Writers lock in this order too; a fold that is under way must not add its sums to ours.
            tables = f"{SCHEMA}.mfa_factors, {SCHEMA}.mfa_factor_deltas"
            connection.execute(text(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE"))
        before, after = read_counts(connection), scan_counts(connection)
        if _same(before, after):
            return False
        connection.execute(delete(factor_deltas))
        rows = [{"key_id": key, "fault": fault, "rows": n} for (key, fault), n in _scan(connection).items()]
        if rows:
            connection.execute(insert(factor_deltas), rows)
        return True


def _same(one: Counts, other: Counts) -> bool:
    return (one.by_key, one.untried, one.unknown, one.corrupt) == (
        other.by_key,
        other.untried,
        other.unknown,
        other.corrupt,
    )


def _scan(connection: Connection) -> Mapping[_Hint, int]:
    key, fault = func.coalesce(factors.c.key_id, ""), func.coalesce(factors.c.fault, "")
    query = select(key, fault, func.count()).where(factors.c.token != "").group_by(key, fault)
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def _counts(connection: Connection, by_hint: Iterable[tuple[_Hint, int]]) -> Counts:
    rows = Counter(dict(by_hint))
    return Counts(
        by_key={KeyId(key): n for (key, _), n in sorted(rows.items()) if key and n},
        untried=rows["", ""],
        unknown=rows["", UNKNOWN],
        corrupt=rows["", CORRUPT],
        counted_at=database_now(connection),
    )


def read_table_counts(connection: Connection) -> dict[str, Counts]:
    """Return, by relation, what the last whole scan of another application's table saw."""
    found = {}
    for row in connection.execute(select(table_counts)):
        by_key = dict(row.counts)
        unknown, corrupt = by_key.pop(UNKNOWN, 0), by_key.pop(CORRUPT, 0)
        found[row.relation] = Counts(
            by_key={KeyId(key): n for key, n in by_key.items()},
            untried=0,
            unknown=unknown,
            corrupt=corrupt,
            counted_at=row.scanned_at,
        )
    return found


def save_table_counts(
    connection: Connection, relation: str, by_key: Mapping[KeyId, int], *, unknown: int, corrupt: int
) -> None:
    """Record what a whole scan of *relation*, which ends now, saw."""
    counts: dict[str, int] = {str(key): n for key, n in by_key.items()}
    counts |= {UNKNOWN: unknown, CORRUPT: corrupt}
    row = {"relation": relation, "counts": counts, "scanned_at": database_instant()}
    upsert(connection, table_counts, row, key=("relation",))
