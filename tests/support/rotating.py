"""A database in the middle of a rotation: users under an old key, a new key that writes, a planned pass."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, text

from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.core.plan import Work
from practicus_mfa.core.policy import MigrationRules
from practicus_mfa.crypto.keys import FernetKey, HeldKeys, generate_key
from practicus_mfa.crypto.tokens import open_sealed, seal, seal_canary
from practicus_mfa.rotation.worker import Job
from practicus_mfa.storage.claims import guarded_write
from practicus_mfa.storage.keys import Promoted, promote, set_write_key
from practicus_mfa.storage.passes import plan_work
from practicus_mfa.storage.relations.own import OwnTable
from practicus_mfa.storage.rotations import start_rotation
from practicus_mfa.storage.schema import factors, users
from tests.support.stores import claimed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from practicus_mfa.core.observed import Claim
    from practicus_mfa.core.policy import TableSpec
    from practicus_mfa.storage.engine import Database

SEALED_AT = 1_700_000_000
SECRET_BYTES = 20
PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True)
class Rotating:
    """A promoted rotation.

    Attributes:
        db: The database.
        old: The key that rows are under.
        new: The key that writes.
        rotation_id: The rotation.
        claim: On whose behalf passes are planned.
    """

    db: Database
    old: FernetKey
    new: FernetKey
    rotation_id: int
    claim: Claim

    @property
    def keys(self) -> HeldKeys:
        return HeldKeys([self.new, self.old])

    @property
    def table(self) -> str:
        """Our table's name in a statement."""
        return OwnTable(is_sqlite=self.db.is_sqlite).table_sql

    def job(
        self, mode: Mode, *relations: str, tables: Sequence[TableSpec] = (), page_rows: int = 2_000
    ) -> Job:
        return Job(
            rotation_id=self.rotation_id,
            to_key=self.new.id,
            mode=mode,
            relations=relations or (OWN_TABLE,),
            tables=tuple(tables),
            page_rows=page_rows,
        )

    def plan(self, job: Job, *, shards: int = 1, again: bool = False) -> None:
        rules = MigrationRules(shards=shards, tables=job.tables)
        plan_work(self.db, self.claim, work_of(job, again=again), rules)


def work_of(job: Job, *, again: bool = False) -> Work:
    """Return the order to plan *job*."""
    return Work(
        rotation=job.rotation_id,
        mode=job.mode,
        relations=job.relations,
        again=frozenset(job.relations) if again else frozenset(),
        attempt=1,
    )


def promote_to(rotating: Rotating, key: FernetKey) -> None:
    """Let another key write, whatever the rotation is about."""
    done = set_write_key(rotating.db, rotating.claim, key.id, seal_canary(key), lock_timeout=PATIENCE)
    assert isinstance(done, Promoted)


def rotating(db: Database, *, secrets: Sequence[bytes] = ()) -> Rotating:
    """Give *db* users with these *secrets* under an old key, and promote a new one."""
    old, new = generate_key(), generate_key()
    claim = claimed(db)
    done = set_write_key(db, claim, old.id, seal_canary(old), lock_timeout=PATIENCE)
    assert isinstance(done, Promoted)
    enroll(db, secrets, key=old)
    with guarded_write(db, claim) as connection:
        rotation_id = start_rotation(connection, new.id)
    done = promote(
        db, claim, rotation_id=rotation_id, to_key=new.id, canary=seal_canary(new), lock_timeout=PATIENCE
    )
    assert isinstance(done, Promoted)
    return Rotating(db=db, old=old, new=new, rotation_id=rotation_id, claim=claim)


def enroll(db: Database, secrets: Sequence[bytes], *, key: FernetKey, first: int = 1) -> None:
    """Add users *first*, *first* + 1, … with a factor of the same number each."""
    if not secrets:
        return
    ids = range(first, first + len(secrets))
    people = [{"id": n, "username": f"user-{n}", "username_key": f"user-{n}"} for n in ids]
    rows = [
        {"id": n, "user_id": n, "token": seal(secret, owner=n, key=key, now=SEALED_AT), "key_id": key.id}
        for n, secret in zip(ids, secrets, strict=True)
    ]
    with db.write() as connection:
        connection.execute(insert(users), people)
        connection.execute(insert(factors), rows)


def new_secrets(count: int) -> list[bytes]:
    return [os.urandom(SECRET_BYTES) for _ in range(count)]


def stored(db: Database) -> dict[int, tuple[str | None, str | None, str | None]]:
    """Return token, hint and fault of each factor."""
    columns = (factors.c.id, factors.c.token, factors.c.key_id, factors.c.fault)
    with db.read() as connection:
        return {row[0]: (row[1], row[2], row[3]) for row in connection.execute(select(*columns))}


def opened(db: Database, key: FernetKey) -> Mapping[int, bytes]:
    """Return the secret of every factor, opened with *key* alone for the user of the same number."""
    return {
        n: open_sealed(token or "", owner=n, keys=HeldKeys([key])).secret
        for n, (token, _, _) in stored(db).items()
    }


def run_sql(db: Database, *statements: str) -> None:
    """Run statements in one transaction, as an application or a person would."""
    with db.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def multiplied(db: Database, *, users: int, rows: int) -> None:
    """Copy the factors of the first *users* users until there are *rows*; on PostgreSQL."""
    copies = "INSERT INTO practicus_mfa.mfa_factors (id, user_id, token, key_id)"
    copies += " SELECT id + copy * :users, user_id, token, key_id"
    copies += " FROM practicus_mfa.mfa_factors, generate_series(1, :copies) AS copy"
    with db.write() as connection:
        connection.execute(text(copies), {"users": users, "copies": rows // users - 1})
