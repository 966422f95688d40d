"""Log-ins with password and code: how many a second a core gives, through the pages as browsers ask for them.

    python -m tests.bench.bench_login [SECONDS]

One replica on PostgreSQL over TLS; clients log in one after the other, each page fetched anew. What counts is
the processor's time that the replica's process takes for a log-in, whatever else runs on the machine.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Final

from sqlalchemy import update

from practicus_mfa.crypto.passwords import hash_password, verify_password
from practicus_mfa.storage import schema
from tests.support import postgres_programs
from tests.support.installation import secret_of
from tests.support.login_site import login_site
from tests.support.postgres import PostgresServer
from tests.support.web_user import WebUser

if TYPE_CHECKING:
    from tests.support.login_site import Site

SECONDS: Final = 20
CLIENTS: Final = 4
USERS: Final = 3_000
GOAL: Final = 15
PASSWORD: Final = "a pass phrase of this bench"
TICKS: Final = os.sysconf("SC_CLK_TCK")


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    programs = postgres_programs.find()
    if programs is None:
        sys.exit(postgres_programs.REMEDY)
    with PostgresServer(programs) as server, tempfile.TemporaryDirectory() as root:
        url = server.url(server.create_database())
        with login_site(Path(root), database_url=url) as site:
            site.installation.enrol(*(f"user{number}" for number in range(USERS)))
            hashed = hash_password(PASSWORD)
            with site.installation.database() as db, db.write() as connection:
                connection.execute(update(schema.users).values(password_hash=hashed))
            count, wall, used = measure(site, seconds)
        hashing = hash_seconds(hashed)
    a_core = count / used
    print(f"{count} log-ins in {wall:.1f} s by {CLIENTS} clients: {count / wall:.1f} a second")
    print(f"{1_000 * used / count:.1f} ms of a processor each: {a_core:.1f} a second a core (goal {GOAL})")
    print(f"of these {1_000 * hashing:.1f} ms are the password's hash (argon2id, 19 MiB, two passes)")


def measure(site: Site, seconds: int) -> tuple[int, float, float]:
    """Log in for a while; return how many did, how long it took, and the replica's processor time."""
    people, lock = itertools.count(), threading.Lock()
    done = 0

    def log_in_until(end: float) -> int:
        count = 0
        while monotonic() < end:
            with lock:
                name = f"user{next(people) % USERS}"
            with WebUser(site.first) as person:
                failure = person.log_in(name, PASSWORD, secret_of(name))
            if failure:
                raise AssertionError(failure)
            count += 1
        return count

    process = site.first.process.pid
    before, begun = processor_seconds(process), perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = sum(pool.map(log_in_until, [monotonic() + seconds] * CLIENTS))
    return done, perf_counter() - begun, processor_seconds(process) - before


def processor_seconds(process: int) -> float:
    """Return the time that the processor spent in a process, its own and the system's for it."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def hash_seconds(hashed: str, rounds: int = 20) -> float:
    """Return how long one verification takes."""
    begun = perf_counter()
    for _ in range(rounds):
        verify_password(PASSWORD, hashed)
    return (perf_counter() - begun) / rounds


if __name__ == "__main__":
    main()
