"""Backups of databases of different size: seconds, and memory (resident set, high water): it should not grow.

    python -m tests.bench.bench_backup [USERS ...]

Each user has a factor, a recovery code and a line of the audit. Every step runs in a process of its own:
a backup is made, restored into an empty database, compared with the database that it is of, and restored over
that one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from practicus_mfa.storage import schema, versions
from practicus_mfa.storage.backup.compare import compare
from practicus_mfa.storage.backup.restore import restore
from practicus_mfa.storage.backup.write import create
from practicus_mfa.storage.bulk import insert_all
from practicus_mfa.storage.engine import Database, connect
from tests.support import postgres_programs
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES: Final = (100_000, 1_000_000)
PAGE: Final = 10_000
GOAL_MIB: Final = 10
ROOT: Final = Path(__file__).parents[2]
STEPS: Final = ("create", "restore into nothing", "compare", "restore over it")


def _high_water() -> float:
    """Return this process's largest resident set so far, in MiB."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _fill(db: Database, count: int) -> None:
    for start in range(1, count + 1, PAGE):
        ids = range(start, min(start + PAGE, count + 1))
        people = [
            {
                "id": number,
                "username": f"user{number}",
                "username_key": f"user{number}",
                "email": f"user{number}@example.com",
                "password_hash": f"$argon2id$v=19$m=19456,t=2,p=1${os.urandom(35).hex()}",
            }
            for number in ids
        ]
        tokens = [{"id": number, "user_id": number, "token": os.urandom(60).hex()} for number in ids]
        codes = [{"factor_id": number, "code_hash": os.urandom(32)} for number in ids]
        lines = [{"actor": f"user{number}", "action": "log_in", "subject": f"user{number}"} for number in ids]
        with db.write() as connection:
            insert_all(connection, schema.users, people)
            insert_all(connection, schema.factors, tokens)
            insert_all(connection, schema.recovery_codes, codes)
            insert_all(connection, schema.audit, lines)


def _step(name: str, url: str, file: str) -> None:
    db, path = connect(url), Path(file)
    begin = perf_counter()
    match name:
        case "create":
            create(db, path)
        case "compare":
            compare(db, path)
        case _:
            restore(db, path, actor="bench", replace=True)
    print(perf_counter() - begin, _high_water())


def _measured(name: str, url: str, file: Path) -> tuple[float, float]:
    """Return the seconds that a step took, and its high water in MiB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_backup", "--step", name, str(file)],
        cwd=ROOT,
        input=url,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, peak = done.stdout.split()
    return float(seconds), float(peak)


@contextmanager
def _databases(server: PostgresServer | None, folder: Path) -> Iterator[tuple[str, str]]:
    """Give the URLs of two databases with their tables, on SQLite where there is no server."""
    if server is None:
        urls = tuple(f"sqlite:///{folder / name}.db" for name in ("full", "empty"))
        names: tuple[str, ...] = ()
    else:
        names = (server.create_database(), server.create_database())
        urls = tuple(server.url(name) for name in names)
    for url in urls:
        db = connect(url, create=True)
        versions.upgrade(db)
        db.close()
    yield urls[0], urls[1]
    for name in names:
        if server is not None:
            server.drop_database(name)


def _of_size(server: PostgresServer | None, count: int) -> dict[str, tuple[float, float]]:
    with tempfile.TemporaryDirectory() as folder, _databases(server, Path(folder)) as (full, empty):
        db = connect(full)
        _fill(db, count)
        db.close()
        file = Path(folder) / "backup.zip"
        measured = {}
        for name in STEPS:
            measured[name] = _measured(name, empty if name == "restore into nothing" else full, file)
            seconds, peak = measured[name]
            print(f"  {count:>9,} users, {name}: {seconds:6.1f} s, {peak:6.1f} MiB at most", flush=True)
        print(f"  {count:>9,} users: the file has {file.stat().st_size / 2**20:.0f} MiB")
    return measured


def _measure(server: PostgresServer | None, sizes: list[int]) -> None:
    small, *_, large = [_of_size(server, count) for count in (sizes if len(sizes) > 1 else sizes * 2)]
    for name in STEPS:
        print(
            f"  {name}: {large[name][0] / small[name][0]:.1f} times the time, "
            f"{large[name][1] - small[name][1]:+.1f} MiB, goal at most {GOAL_MIB}"
        )


def main() -> None:
    if sys.argv[1:2] == ["--step"]:
        _step(sys.argv[2], sys.stdin.read(), sys.argv[3])
        return
    sizes = [int(argument) for argument in sys.argv[1:]] or list(SIZES)
    print("SQLite")
    _measure(None, sizes)
    programs = postgres_programs.find()
    if programs is None:
        sys.exit(f"PostgreSQL's server programs are missing. {postgres_programs.REMEDY}")
    print("PostgreSQL")
    with PostgresServer(programs) as server:
        _measure(server, sizes)


if __name__ == "__main__":
    main()
