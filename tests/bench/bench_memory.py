"""Memory of one worker (resident set, high water) over tables of different size: it should not grow.

    python -m tests.bench.bench_memory [ROWS ...]

Each size has a database of its own on PostgreSQL; a fresh process migrates every row and verifies every row.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, dataclass
from json import dumps, loads
from pathlib import Path
from time import perf_counter
from typing import Final

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.rotation.worker import Job, run_shards
from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.versions import upgrade
from tests.support import postgres_programs
from tests.support.postgres import PostgresServer
from tests.support.rotating import multiplied, new_secrets, rotating

SIZES: Final = (10_000, 1_000_000)
USERS: Final = 10_000
"""Each has as many factors as the table's size needs: tokens are sealed once and copied."""

GOAL_MIB: Final = 10
ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Order:
    """What the measured process is told."""

    url: str
    keys: tuple[str, ...]
    rotation_id: int
    to_key: str


def _high_water() -> float:
    """Return this process's largest resident set so far, in MiB."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _worker() -> None:
    order = Order(**loads(sys.stdin.read()))
    db, keys = connect(order.url), HeldKeys.from_texts(order.keys)
    for mode in Mode:
        job = Job(
            rotation_id=order.rotation_id, to_key=KeyId(order.to_key), mode=mode, relations=(OWN_TABLE,)
        )
        assert run_shards(db, keys, job).finished
    print(_high_water())


def _measure(server: PostgresServer, rows: int) -> tuple[float, float]:
    """Return the high water in MiB, and the seconds that it took."""
    name = server.create_database()
    db = connect(server.url(name))
    upgrade(db)
    users = min(USERS, rows)
    world = rotating(db, secrets=new_secrets(users))
    multiplied(db, users=users, rows=rows)
    for mode in Mode:
        world.plan(world.job(mode))
    db.close()
    order = Order(server.url(name), (world.new.text, world.old.text), world.rotation_id, world.new.id)
    begin = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_memory", "--worker"],
        cwd=ROOT,
        input=dumps(asdict(order)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds = perf_counter() - begin
    server.drop_database(name)
    return float(done.stdout), seconds


def main() -> None:
    if sys.argv[1:] == ["--worker"]:
        _worker()
        return
    sizes = [int(argument) for argument in sys.argv[1:]] or list(SIZES)
    programs = postgres_programs.find()
    if programs is None:
        sys.exit(f"PostgreSQL's server programs are missing. {postgres_programs.REMEDY}")
    peaks = []
    with PostgresServer(programs) as server:
        for rows in sizes:
            peak, seconds = _measure(server, rows)
            peaks.append(peak)
            print(f"{rows:>10,} rows: {peak:6.1f} MiB at most ({seconds:.1f} s)")
    print(f"difference {max(peaks) - min(peaks):.1f} MiB, goal at most {GOAL_MIB}")


if __name__ == "__main__":
    main()
