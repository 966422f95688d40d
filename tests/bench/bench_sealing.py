"""The sealed audit at a million lines: appending beside the sealer, sealing, pages, verifying, pruning.

    python -m tests.bench.bench_sealing [LINES [SECONDS]]

Lines are appended at a steady rate, each in a transaction of its own as log-ins do, in turns of some seconds
with and without a sealer beside them. What counts is the ratio of the two: the machine is as busy for one as
for the other.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from statistics import median, quantiles
from time import monotonic, perf_counter, sleep
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from practicus_mfa.login.sealing import PAUSE_SECONDS, Sealing
from practicus_mfa.storage import audit, audit_chain, audit_prune
from practicus_mfa.storage.audit_list import Wanted, every, newest
from practicus_mfa.storage.audit_verify import verify
from tests.support import postgres_programs
from tests.support.audit_tampering import unguarded
from tests.support.postgres import PostgresServer
from tests.support.stores import ready

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

LINES: Final = 1_000_000
SECONDS: Final = 20
RATE: Final = 200
"""Appended lines a second."""

CLIENTS: Final = 8
TURN: Final = 2.5
TOO_RARE: Final = "cli:rare"

SEEDED: Final = """
INSERT INTO practicus_mfa.mfa_audit (at, actor, action, subject, detail)
SELECT now() - make_interval(secs => :lines - n),
    CASE WHEN n = 7 THEN 'cli:rare' ELSE 'user' || n % 5000 END,
    CASE WHEN n = 9 THEN 'mfa.recover' WHEN n % 50 = 0 THEN 'logout' ELSE 'login' END,
    'user' || n % 5000, '{"address": "192.0.2.7", "remembered": false, "secondFactor": true}'
FROM generate_series(1, :lines) AS n
"""


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    programs = postgres_programs.find()
    if programs is None:
        sys.exit(postgres_programs.REMEDY)
    with PostgresServer(programs) as server, ready(server.url(server.create_database())) as db:
        with db.write() as connection:
            connection.execute(text(SEEDED), {"lines": lines})
        seal_all(db, lines)
        idle(db)
        beside(db, seconds)
        pages(db)
        whole(db)


def seal_all(db: Database, lines: int) -> None:
    begun = perf_counter()
    while audit_chain.seal(db, near=audit_chain.NEAR).count < lines:
        pass
    took = perf_counter() - begun
    print(f"sealing {lines:,} lines that waited: {took:.1f} s, {lines / took:,.0f} a second")
    with unguarded(db) as connection:
        connection.execute(
            text("UPDATE practicus_mfa.mfa_audit_chain SET sealed_at = sealed_at - INTERVAL '1 h'")
        )
    with db.write() as connection:
        connection.execute(text("ANALYZE practicus_mfa.mfa_audit"))
        connection.execute(text("ANALYZE practicus_mfa.mfa_audit_chain"))


def idle(db: Database) -> None:
    times = [timed(lambda: audit_chain.seal(db, near=audit_chain.NEAR)) for _ in range(100)]
    print(f"a look where nothing waits: {1_000 * median(times):.2f} ms")


def beside(db: Database, seconds: int) -> None:
    """Append at a steady rate, the sealer at work every other turn."""
    sealing, ended = threading.Event(), threading.Event()
    sealed: list[float] = []

    def seal() -> None:
        thread = Sealing(db)
        while not ended.is_set():
            if sealing.wait(0.1):
                sealed.append(timed(thread.step))
                ended.wait(PAUSE_SECONDS)

    took: dict[bool, list[float]] = {True: [], False: []}
    begun = monotonic()

    def append(client: int) -> None:
        due = begun + client / RATE
        while due < begun + seconds:
            sleep(max(0.0, due - monotonic()))
            with_sealer = sealing.is_set()
            started = perf_counter()
            with db.write() as connection:
                name = f"user{client}"
                audit.append(connection, name, "login", subject=name, detail={"address": "192.0.2.7"})
            took[with_sealer].append(perf_counter() - started)
            due += CLIENTS / RATE

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        sealer = pool.submit(seal)
        clients = [pool.submit(append, client) for client in range(CLIENTS)]
        while not all(client.done() for client in clients):
            (sealing.clear if sealing.is_set() else sealing.set)()
            sleep(TURN)
        for client in clients:
            client.result()
        ended.set()
        sealer.result()
    (with_median, with_p95), (without_median, without_p95) = (spread(took[which]) for which in (True, False))
    print(f"an appended line at {RATE} a second, median and 95th percentile:")
    print(f"  with the sealer    {1_000 * with_median:.2f} ms  {1_000 * with_p95:.2f} ms")
    print(f"  without            {1_000 * without_median:.2f} ms  {1_000 * without_p95:.2f} ms")
    print(f"  ratio              {with_median / without_median:.2f}  {with_p95 / without_p95:.2f} (goal 1.1)")
    print(f"  a step of the sealer: {1_000 * median(sealed):.1f} ms, one a second")


def spread(times: list[float]) -> tuple[float, float]:
    return median(times), quantiles(times, n=20)[-1]


def pages(db: Database) -> None:
    choices = {
        "everything": Wanted(),
        "a user's own": Wanted(subject="user77"),
        "who did one thing long ago": Wanted(actor=TOO_RARE),
        "what was done once long ago": Wanted(action="mfa.recover"),
        "a common action": Wanted(action="login"),
        "who and what": Wanted(actor="user77", action="logout"),
        "a result that there is none of": Wanted(result="refused"),
        "before a day long ago": Wanted(until=datetime(2000, 1, 1, tzinfo=UTC)),
    }
    print("the first page of")
    for name, wanted in choices.items():

        def look(wanted: Wanted = wanted) -> None:
            with db.read() as connection:
                newest(connection, wanted, limit=50)

        print(f"  {name:32} {1_000 * median(timed(look) for _ in range(5)):.1f} ms")


def whole(db: Database) -> None:
    begun = perf_counter()
    count = sum(1 for _ in every(db, Wanted()))
    print(f"exporting {count:,} lines: {perf_counter() - begun:.1f} s")
    begun = perf_counter()
    found = verify(db)
    assert found.first is None, found
    print(f"verifying {found.checked:,} places: {perf_counter() - begun:.1f} s")
    begun, now = perf_counter(), datetime.now(UTC)
    with db.write() as connection:
        what = audit_prune.prunable(connection, now)
        assert what is not None
        audit_prune.write_checkpoint(connection, what, before=now, actor="bench")
    gone = audit_prune.delete_pruned(db)
    print(f"pruning {gone:,} lines: {perf_counter() - begun:.1f} s")
    assert verify(db).first is None


def timed(work: object) -> float:
    assert callable(work)
    begun = perf_counter()
    work()
    return perf_counter() - begun


if __name__ == "__main__":
    main()
