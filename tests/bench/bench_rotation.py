"""Rows a second of a whole rotation (migrate and verify) on PostgreSQL, side by side in one run.

    python -m tests.bench.bench_rotation [ROWS [PROCESSES [TURNS]]]

* the product: worker processes that migrate every row, then verify every row;
* (b) the same without cryptography: what the database can do at all;
* (a) the loop as most applications have it: ORM objects of a plain table without triggers or foreign keys,
  ``MultiFernet.rotate``, one commit, one process; it verifies nothing.

The server runs as it comes (fsync on). The three take turns, each on a fresh copy of the database after a
checkpoint, and each one's fastest turn counts: what slows a turn down is somebody else.
"""

from __future__ import annotations

import gc
import multiprocessing
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Final

from cryptography.fernet import MultiFernet
from psycopg import sql
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from practicus_mfa.cli.main import GARBAGE_THRESHOLD
from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.core.policy import MigrationRules
from practicus_mfa.core.sharding import Share
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.rotation.worker import run_pass
from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.passes import plan_work
from practicus_mfa.storage.relations.cells import Kind, Treated
from practicus_mfa.storage.relations.own import OwnTable
from practicus_mfa.storage.relations.pages import Pass
from practicus_mfa.storage.versions import upgrade
from tests.support import postgres_programs
from tests.support.postgres import OWNER, PostgresServer
from tests.support.rotating import Rotating, enroll, new_secrets, rotating, work_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from practicus_mfa.storage.relations.cells import Cells, Treat

ROWS: Final = 100_000
PROCESSES: Final = 2
TURNS: Final = 3
CHUNK: Final = 10_000
GOAL_OVER_LOOP: Final = 6.0
GOAL_OF_LIMIT: Final = 0.85

MAX_WAL: Final = {"max_wal_size": "4GB"}
"""No checkpoint in the middle of a turn; everything else as the server comes."""


class Base(DeclarativeBase):
    """Tables of an application."""


class Device(Base):
    """A table of second factors as applications have it, with the columns of django-otp's TOTP devices."""

    __tablename__ = "devices"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(index=True)
    name: Mapped[str]
    confirmed: Mapped[bool]
    token: Mapped[str]
    step: Mapped[int]
    t0: Mapped[int]
    digits: Mapped[int]
    tolerance: Mapped[int]
    drift: Mapped[int]
    last_t: Mapped[int]
    created_at: Mapped[datetime]


_FILL: Final = text("""
    INSERT INTO devices
        (id, user_id, name, confirmed, token, step, t0, digits, tolerance, drift, last_t, created_at)
    SELECT id, user_id, 'default', true, token, 30, 0, 6, 1, 0, -1, now() FROM practicus_mfa.mfa_factors
""")


@contextmanager
def _template(server: PostgresServer, rows: int) -> Iterator[tuple[str, Rotating]]:
    """A database with *rows* users in the middle of a rotation, and an application's table with as many."""
    name = server.create_database()
    db = connect(server.url(name))
    upgrade(db)
    world = rotating(db)
    for first in range(1, rows + 1, CHUNK):
        enroll(db, new_secrets(min(CHUNK, rows + 1 - first)), key=world.old, first=first)
    engine = create_engine(server.url(name))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(_FILL)
    engine.dispose()
    db.close()
    server.execute("VACUUM (ANALYZE, FREEZE)", name)
    yield name, world


@contextmanager
def _copy(server: PostgresServer, template: str) -> Iterator[str]:
    name = f"{template}_copy"
    server.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            *map(sql.Identifier, (name, OWNER, template))
        )
    )
    server.execute("CHECKPOINT")
    yield server.url(name)
    server.drop_database(name)


def _no_cryptography(work: Pass) -> Treat:
    """Return what finds every token right, or gives it another text, at no cost."""
    kind = Kind.MIGRATED if work.mode is Mode.MIGRATE else Kind.CURRENT

    def treat(cells: Cells) -> Treated:
        tokens = cells.tokens if kind is Kind.CURRENT else [token[::-1] for token in cells.tokens]
        count = len(cells)
        return Treated(cells=cells, kinds=[kind] * count, tokens=tokens, reasons=[""] * count)

    return treat


def _work(world: Rotating, url: str, share: Share, page_rows: int, *, crypto: bool, barrier: object) -> None:
    # As `practicus-mfa migrate` begins.
    gc.set_threshold(GARBAGE_THRESHOLD)
    gc.freeze()
    db = connect(url)
    for mode in Mode:
        barrier.wait()  # type: ignore[attr-defined]
        work = Pass(
            rotation_id=world.rotation_id,
            mode=mode,
            to_key=world.new.id,
            relation=OwnTable(is_sqlite=False),
            treat=treatment(OWN_TABLE, world.keys, world.new.id),
            page_rows=page_rows,
        )
        if not crypto:
            work = replace(work, treat=_no_cryptography(work))
        done = run_pass(db, work, share, should_stop=lambda: False, on_progress=lambda _: None)
        assert done
    db.close()


def _rotate(world: Rotating, url: str, processes: int, *, crypto: bool) -> dict[str, float]:
    """Run a whole rotation; return the seconds of each part."""
    rules = MigrationRules(parallelism=processes)
    db = connect(url)
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(processes + 1)
    workers = [
        context.Process(
            target=_work,
            args=(world, url, Share(index, processes), rules.batch_size),
            kwargs={"crypto": crypto, "barrier": barrier},
        )
        for index in range(processes)
    ]
    for worker in workers:
        worker.start()
    begin = perf_counter()
    for mode in Mode:
        plan_work(db, world.claim, work_of(world.job(mode)), rules)
    planned = perf_counter()
    barrier.wait()
    barrier.wait()
    migrated = perf_counter()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    end = perf_counter()
    with db.read() as connection:
        migrated_rows = connection.execute(
            text("SELECT sum(migrated) FROM practicus_mfa.mfa_shards")
        ).scalar_one()
        rows = connection.execute(text("SELECT count(*) FROM practicus_mfa.mfa_factors")).scalar_one()
    assert migrated_rows == rows
    db.close()
    return {
        "plan": planned - begin,
        "migrate": migrated - planned,
        "verify": end - migrated,
        "all": end - begin,
    }


def _loop(world: Rotating, url: str) -> dict[str, float]:
    """Rotate an application's table as applications do."""
    fernet = MultiFernet([world.new.fernet(), world.old.fernet()])
    engine = create_engine(url)
    begin = perf_counter()
    with Session(engine) as session:
        for device in session.scalars(select(Device)):
            device.token = fernet.rotate(device.token.encode()).decode()
        session.commit()
    seconds = perf_counter() - begin
    engine.dispose()
    return {"migrate": seconds, "all": seconds}


def _measure(server: PostgresServer, rows: int, processes: int, turns: int) -> dict[str, dict[str, float]]:
    best: dict[str, dict[str, float]] = {}
    with _template(server, rows) as (template, world):
        cases: dict[str, Callable[[str], dict[str, float]]] = {
            "product": lambda url: _rotate(world, url, processes, crypto=True),
            "(b) without cryptography": lambda url: _rotate(world, url, processes, crypto=False),
            "(a) loop of an application": lambda url: _loop(world, url),
        }
        for _ in range(turns):
            for name, case in cases.items():
                with _copy(server, template) as url:
                    seconds = case(url)
                if name not in best or seconds["all"] < best[name]["all"]:
                    best[name] = seconds
    return best


def main() -> None:
    given = [int(argument) for argument in sys.argv[1:]]
    rows, processes, turns = (*given, *(ROWS, PROCESSES, TURNS)[len(given) :])
    programs = postgres_programs.find()
    if programs is None:
        sys.exit(f"PostgreSQL's server programs are missing. {postgres_programs.REMEDY}")
    with PostgresServer(programs, MAX_WAL) as server:
        best = _measure(server, rows, processes, turns)
    print(f"{rows:,} rows, {processes} processes, fastest of {turns} turns")
    for name, seconds in best.items():
        parts = ", ".join(f"{part} {value:.2f} s" for part, value in seconds.items())
        print(f"  {name:28} {rows / seconds['all']:10,.0f} rows/s   ({parts})")
    product, limit, loop = (seconds["all"] for seconds in best.values())
    print(f"  product is {loop / product:.1f} x (a), goal {GOAL_OVER_LOOP}; "
          f"{limit / product:.2f} x (b), goal {GOAL_OF_LIMIT}")  # fmt: skip


if __name__ == "__main__":
    main()
