"""Many who append, several who seal at the same time, some of them killed: every line gets one place."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import func, select

from practicus_mfa.storage import audit
from practicus_mfa.storage import schema as s
from practicus_mfa.storage.audit_chain import head, seal
from practicus_mfa.storage.audit_verify import verify
from practicus_mfa.storage.engine import connect
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from practicus_mfa.storage.engine import Database

WRITERS: Final = 4
LINES: Final = 40
KILLED: Final = 3

SEALER: Final = """
import sys
from practicus_mfa.storage.audit_chain import seal
from practicus_mfa.storage.engine import connect
db = connect(sys.argv[1])
print(seal(db, 3).count, flush=True)
while True:
    seal(db, 3)
"""


@pytest.fixture
def sealer(db: Database, database_url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that seals as fast as it can, three lines at a time."""
    del db  # its tables must be there
    process = start(database_url)
    yield process
    end(process)


def start(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", SEALER, url], stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    assert process.stdout is not None
    process.stdout.close()
    process.wait()


def await_sealed(db: Database, count: int) -> None:
    def there() -> bool:
        with db.read() as connection:
            return head(connection).count >= count

    until(there, f"{count} lines are sealed")


def append_all(url: str, name: str) -> None:
    """Append lines; every other one is committed when a later one of its own is sealed already."""
    db = connect(url)
    try:
        for number in range(0, LINES, 2):
            if db.is_sqlite:
                for each in (number, number + 1):
                    with db.write() as connection:
                        audit.append(connection, name, "login", detail={"number": each})
                continue
            with db.write() as slow:
                audit.append(slow, name, "login", detail={"number": number})
                with db.write() as fast:
                    audit.append(fast, name, "login", detail={"number": number + 1})
                until(lambda: is_sealed(db, name), "the later line is sealed")
    finally:
        db.close()


def is_sealed(db: Database, name: str) -> bool:
    """Whether the newest line of this name is."""
    with db.read() as connection:
        newest = select(func.max(s.audit.c.id)).where(s.audit.c.actor == name).scalar_subquery()
        place = select(s.audit_chain.c.position).where(s.audit_chain.c.line_id == newest)
        return connection.execute(place).one_or_none() is not None


def test_every_line_gets_one_place(db: Database, database_url: str, sealer: subprocess.Popen[str]) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(append_all, database_url, f"writer{number}") for number in range(WRITERS)]
        for round_ in range(1, KILLED + 1):
            victim = start(database_url)
            assert victim.stdout is not None
            assert victim.stdout.readline(), "it has sealed once"
            await_sealed(db, 10 * round_)
            end(victim)
        for each in writing:
            each.result()
    total = WRITERS * LINES
    await_sealed(db, total)
    end(sealer)
    assert seal(db).count == total
    found = verify(db)
    assert (found.first, found.checked, found.unsealed) == (None, total, 0)
    with db.read() as connection:
        lines = connection.execute(select(func.count(s.audit_chain.c.line_id.distinct()))).scalar_one()
    assert lines == total
