"""Workers that are killed (SIGKILL) at random moments, and started again until everything is done.

Whatever the instruction, each row is readable with what it held, and no row is counted twice or left out.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.fernet import MultiFernet
from sqlalchemy import func, select

from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.core.policy import TableSpec
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.crypto.tokens import open_sealed, seal_canary
from practicus_mfa.storage.claims import guarded_write
from practicus_mfa.storage.counts import read_counts, read_table_counts, scan_counts
from practicus_mfa.storage.keys import Promoted, promote
from practicus_mfa.storage.rotations import complete_rotation, start_rotation, under_way
from practicus_mfa.storage.schema import audit
from tests.support.killed_workers import Forge, forge
from tests.support.rotating import PATIENCE, SEALED_AT, new_secrets, rotating, run_sql, stored

if TYPE_CHECKING:
    from practicus_mfa.rotation.worker import Job
    from practicus_mfa.storage.engine import Database

KILLS = 100
"""On each database."""

ROWS = 240
FOREIGN_ROWS = 60
PAGE = 10

LONGEST_LIFE = 0.12
"""Seconds until a worker is killed, at most: about a third of what a rotation of these rows takes."""

TWINS = 0.25
"""How often two workers are at the same shards."""

FOREIGN = TableSpec(table="vault", id_column="id", token_columns=("token",))


class Vault:
    """What the rows held at the beginning, and a look at what they hold now."""

    def __init__(self, db: Database) -> None:
        self.secrets = dict(enumerate(new_secrets(ROWS), 1))
        self.foreign = {f"row-{n}": secret for n, secret in enumerate(new_secrets(FOREIGN_ROWS))}
        self.world = rotating(db, secrets=list(self.secrets.values()))
        run_sql(db, "CREATE TABLE vault (id varchar(20) PRIMARY KEY NOT NULL, token text)")
        fernet = self.world.old.fernet()
        mark = "?, ?" if db.is_sqlite else "%s, %s"
        tokens = [(i, fernet.encrypt_at_time(s, SEALED_AT).decode()) for i, s in self.foreign.items()]
        with db.write() as connection:
            connection.exec_driver_sql(f"INSERT INTO vault VALUES ({mark})", tokens)

    def jobs(self) -> list[Job]:
        relations = (OWN_TABLE, FOREIGN.table)
        return [self.world.job(mode, *relations, tables=[FOREIGN], page_rows=PAGE) for mode in Mode]

    def plan(self) -> None:
        for job in self.jobs():
            self.world.plan(job, shards=2)

    def keys(self) -> list[str]:
        return [self.world.new.text, self.world.old.text]

    def check(self) -> None:
        """See that every row is readable, under the key that it names, with what it held."""
        world = self.world
        rows = stored(world.db)
        assert {n: fault for n, (_, _, fault) in rows.items() if fault} == {}
        found = {n: open_sealed(token or "", owner=n, keys=world.keys) for n, (token, _, _) in rows.items()}
        assert {n: opened.secret for n, opened in found.items()} == self.secrets
        assert {n: opened.key_id for n, opened in found.items()} == {n: row[1] for n, row in rows.items()}
        # In one moment: what the server got from a killed worker may still be committed between two readings.
        with world.db.read(snapshot=True) as connection:
            tokens = connection.exec_driver_sql("SELECT id, token FROM vault").all()
            assert read_counts(connection).by_key == scan_counts(connection).by_key
        either = MultiFernet([world.new.fernet(), world.old.fernet()])
        assert {row[0]: either.decrypt(row[1]) for row in tokens} == self.foreign

    def check_end(self) -> None:
        """See that all is under the new key and was counted once."""
        self.check()
        world = self.world
        with world.db.read() as connection:
            assert read_counts(connection).by_key == {world.new.id: ROWS}
            assert read_table_counts(connection)[FOREIGN.table].by_key == {world.new.id: FOREIGN_ROWS}
            rotation = under_way(connection)
            assert connection.execute(select(func.count()).select_from(audit)).scalar_one() == 0
        assert rotation is not None
        done = {(seen.relation, seen.mode): (seen.migrated, seen.current) for seen in rotation.passes}
        assert done == {
            (OWN_TABLE, Mode.MIGRATE): (ROWS, 0),
            (OWN_TABLE, Mode.VERIFY): (0, ROWS),
            (FOREIGN.table, Mode.MIGRATE): (FOREIGN_ROWS, 0),
            (FOREIGN.table, Mode.VERIFY): (0, FOREIGN_ROWS),
        }

    def next_rotation(self) -> None:
        """Complete the rotation and begin another one, so that there is more to do."""
        world, key = self.world, generate_key()
        with guarded_write(world.db, world.claim) as connection:
            complete_rotation(connection, world.rotation_id, {world.old.id})
            rotation_id = start_rotation(connection, key.id)
        done = promote(
            world.db,
            world.claim,
            rotation_id=rotation_id,
            to_key=key.id,
            canary=seal_canary(key),
            lock_timeout=PATIENCE,
        )
        assert isinstance(done, Promoted)
        self.world = replace(world, old=world.new, new=key, rotation_id=rotation_id)
        self.plan()


def _kill_some(workers: Forge, url: str, vault: Vault, chance: random.Random) -> tuple[int, bool]:
    """Start one worker, or two on the same shards, and kill them; return how many died, and if one ended."""
    count = 2 if chance.random() < TWINS else 1
    pids = [workers.start(url, vault.keys(), vault.jobs()) for _ in range(count)]
    time.sleep(chance.uniform(0, LONGEST_LIFE))
    for pid in pids:
        workers.kill(pid)
    ends = [workers.wait(pid) for pid in pids]
    assert set(ends) <= {0, -9}, ends
    return ends.count(-9), 0 in ends


def test_killed_workers_lose_nothing_and_count_nothing_twice(db: Database, database_url: str) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    chance = random.Random(seed)
    vault = Vault(db)
    vault.plan()
    kills = rotations = 0
    with forge() as workers:
        while kills < KILLS:
            died, done = _kill_some(workers, database_url, vault, chance)
            kills += died
            if done:
                vault.check_end()
                vault.next_rotation()
                rotations += 1
            elif chance.random() < 0.2:
                vault.check()
        last = workers.start(database_url, vault.keys(), vault.jobs())
        assert workers.wait(last) == 0
    vault.check_end()
    print(f"{kills} kills, {rotations} whole rotations before the last one")  # noqa: T201 - as above
