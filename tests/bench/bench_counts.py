"""Counting what is left, straight after every row has changed: PostgreSQL, no vacuum in between.

    python -m tests.bench.bench_counts [ROWS]

Beside it, in the same run, what a count of the table itself costs.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from practicus_mfa.storage.counts import read_counts
from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.versions import upgrade
from tests.support import postgres_programs
from tests.support.postgres import PostgresServer
from tests.support.rotating import multiplied, new_secrets, rotating

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: Final = 1_000_000
USERS: Final = 10_000
GOAL_MILLISECONDS: Final = 50


def _milliseconds(action: Callable[[], object]) -> float:
    begin = perf_counter()
    action()
    return 1_000 * (perf_counter() - begin)


def _measure(server: PostgresServer, rows: int) -> None:
    db = connect(server.url(server.create_database()))
    upgrade(db)
    world = rotating(db, secrets=new_secrets(USERS))
    multiplied(db, users=USERS, rows=rows)
    with db.write() as connection:
        connection.execute(text("ALTER TABLE practicus_mfa.mfa_factors SET (autovacuum_enabled = false)"))
        for start in range(0, rows + USERS, 2_000):
            connection.execute(
                text("UPDATE practicus_mfa.mfa_factors SET key_id = :key WHERE id > :start AND id <= :end"),
                {"key": world.new.id, "start": start, "end": start + 2_000},
            )

    def by_triggers() -> None:
        with db.read() as connection:
            assert read_counts(connection).under(world.new.id) == rows

    def by_the_table() -> None:
        with db.read() as connection:
            query = text("SELECT key_id, count(*) FROM practicus_mfa.mfa_factors GROUP BY key_id")
            assert connection.execute(query).all() == [(world.new.id, rows)]

    first, again = _milliseconds(by_triggers), min(_milliseconds(by_triggers) for _ in range(5))
    table = _milliseconds(by_the_table)
    print(
        f"{rows:,} rows, all just changed: the first count {first:.1f} ms, later ones {again:.1f} ms", end=" "
    )
    print(f"(goal {GOAL_MILLISECONDS}); a count of the table itself {table:,.0f} ms")
    db.close()


def main() -> None:
    programs = postgres_programs.find()
    if programs is None:
        sys.exit(f"PostgreSQL's server programs are missing. {postgres_programs.REMEDY}")
    with PostgresServer(programs) as server:
        _measure(server, int(sys.argv[1]) if sys.argv[1:] else ROWS)


if __name__ == "__main__":
    main()
