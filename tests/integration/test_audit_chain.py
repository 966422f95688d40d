from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, text, update

from practicus_mfa.core.audit_chain import NOTHING, Head, link
from practicus_mfa.storage import audit
from practicus_mfa.storage import schema as s
from practicus_mfa.storage.audit_chain import SEALING_LOCK, count_unsealed, head, seal
from practicus_mfa.storage.audit_verify import Broken, Fault, verify
from practicus_mfa.storage.backup import write as backup_write
from tests.support.audit_tampering import let_settle, unguarded
from tests.support.forged_documents import FORGED, stored
from tests.support.stores import rolled_back

if TYPE_CHECKING:
    from pathlib import Path

    from practicus_mfa.storage.engine import Database

AT_ONCE = timedelta(0)
MOMENT = datetime(2026, 3, 1, 8, 0, 0, 120000, UTC)


def appended(db: Database, *actions: str) -> None:
    for action in actions:
        with db.write() as connection:
            audit.append(connection, "alice", action, subject="bob", detail={"address": "10.0.0.7"})


def sealed_ids(db: Database) -> list[int]:
    with db.read() as connection:
        rows = connection.execute(select(s.audit_chain).order_by(s.audit_chain.c.position)).all()
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    return [row.line_id for row in rows]


def test_an_empty_audit_has_the_head_of_nothing(db: Database) -> None:
    assert seal(db) == NOTHING
    with db.read() as connection:
        assert head(connection) == NOTHING


def test_lines_are_chained_in_their_order(db: Database) -> None:
    appended(db, "user.create", "login")
    first = seal(db)
    appended(db, "logout")
    second = seal(db)
    with db.read() as connection:
        third, two, one = audit.read(connection)
        assert head(connection) == second
    assert first == link(link(NOTHING, one), two)
    assert second == link(first, third)
    assert sealed_ids(db) == [one.id, two.id, third.id]


def test_lines_that_nobody_can_read_are_sealed_with_the_others(db: Database, tmp_path: Path) -> None:
    appended(db, "login")
    with db.write() as connection:
        for text_ in (*FORGED.values(), "5", "null"):
            line = {"actor": "eve", "action": "login", "subject": "", "result": "done"}
            connection.execute(insert(s.audit).values(**line, detail=stored(db, text_)))
    appended(db, "logout")
    assert seal(db).count == 7
    found = verify(db)
    assert (found.first, found.checked) == (None, 7)
    backup_write.create(db, tmp_path / "all.zip")
    # Which text it was is sealed too.
    with unguarded(db) as connection:
        forged = stored(db, FORGED["digits"].replace("11", "12"))
        connection.execute(update(s.audit).where(s.audit.c.id == sealed_ids(db)[1]).values(detail=forged))
    assert verify(db).first == Broken(fault=Fault.UNREADABLE, line=sealed_ids(db)[1], position=2)


def test_what_is_sealed_is_not_sealed_again(db: Database) -> None:
    appended(db, "login")
    once = seal(db)
    assert seal(db) == once
    assert seal(db, settled=AT_ONCE) == once
    assert len(sealed_ids(db)) == 1


def test_many_lines_are_sealed_a_batch_at_a_time(db: Database) -> None:
    appended(db, *"abcde")
    assert [seal(db, 2).count for _ in range(4)] == [2, 4, 5, 5]
    assert sealed_ids(db) == sorted(sealed_ids(db))


def test_nothing_is_written_where_nothing_is_to_be_sealed(db: Database) -> None:
    appended(db, "login")
    end = seal(db)
    # On SQLite only one may write: who sealed would wait for this transaction.
    with db.write():
        assert seal(db) == end


def test_who_comes_while_another_one_seals_leaves_it_to_that_one(postgres_db: Database) -> None:
    appended(postgres_db, "login")
    with postgres_db.write() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SEALING_LOCK})
        assert seal(postgres_db) == NOTHING
    assert seal(postgres_db).count == 1


def test_a_line_that_is_committed_after_higher_ones_is_sealed_too(postgres_db: Database) -> None:
    appended(postgres_db, "before")
    with postgres_db.write() as slow:
        audit.append(slow, "alice", "slow")
        appended(postgres_db, "fast")
        assert seal(postgres_db).count == 2
    assert seal(postgres_db).count == 3
    low, middle, high = sorted(sealed_ids(postgres_db))
    assert sealed_ids(postgres_db) == [low, high, middle]


def test_a_number_below_what_is_long_sealed_gets_no_place(db: Database) -> None:
    with db.write() as connection:
        connection.execute(insert(s.audit).values(id=10, actor="alice", action="login"))
    end = seal(db)
    with db.write() as connection:
        connection.execute(insert(s.audit).values(id=5, actor="mallory", action="login"))
    assert seal(db, settled=AT_ONCE) == end
    with db.read() as connection:
        assert count_unsealed(connection) == 1  # it may still come: the mark is older than what was sealed
    assert seal(db).count == 2


def test_what_a_transaction_undid_was_never_there(postgres_db: Database) -> None:
    appended(postgres_db, "one")
    with rolled_back(postgres_db) as connection:
        audit.append(connection, "alice", "undone")
    appended(postgres_db, "two")
    assert seal(postgres_db).count == 2


def test_the_same_line_has_the_same_hash_on_both_databases(
    sqlite_db: Database, postgres_db: Database
) -> None:
    detail = {"z": 1.0, "a": [1e2, 0.1, None, True], "ü": "Şükrü \N{GRINNING FACE}", "n": 1e20}
    heads: set[Head] = set()
    for each in (sqlite_db, postgres_db):
        with each.write() as connection:
            row = {"id": 1, "at": MOMENT, "actor": "a", "action": "b", "detail": detail}
            connection.execute(insert(s.audit).values(row))
        heads.add(seal(each))
    assert len(heads) == 1


def test_near_the_end_a_line_that_came_late_is_found_and_further_back_it_waits(db: Database) -> None:
    with db.write() as connection:
        numbers = [number for number in range(2, 12) if number not in {4, 9}]
        rows = [{"id": number, "actor": "alice", "action": "login"} for number in numbers]
        connection.execute(insert(s.audit), rows)
    seal(db)
    with db.write() as connection:
        connection.execute(insert(s.audit), [{"id": i, "actor": "alice", "action": "late"} for i in (4, 9)])
    assert seal(db, near=4).count == 9
    assert sealed_ids(db)[-1] == 9
    assert seal(db).count == 10
    assert sealed_ids(db)[-1] == 4


def test_what_is_settled_is_not_looked_behind_however_near_it_is(db: Database) -> None:
    with db.write() as connection:
        connection.execute(insert(s.audit).values(id=10, actor="alice", action="login"))
    end = seal(db)
    let_settle(db)
    with db.write() as connection:
        connection.execute(insert(s.audit).values(id=5, actor="mallory", action="login"))
    assert seal(db, near=1000) == end
