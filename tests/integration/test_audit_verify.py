"""Whoever changes the audit behind its guards is found out; what is pruned is not taken for missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, Executable, delete, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from practicus_mfa.core.audit_chain import NOTHING, Head
from practicus_mfa.storage import audit, audit_places, audit_prune
from practicus_mfa.storage import schema as s
from practicus_mfa.storage.audit_chain import count_unsealed, head, hold, seal
from practicus_mfa.storage.audit_places import last_checkpoint
from practicus_mfa.storage.audit_verify import Broken, Fault, verify
from tests.support.audit_tampering import let_settle, unguarded

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

OLD = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)


def lines(db: Database, count: int, *, at: datetime = OLD, first: int = 1) -> None:
    with db.write() as connection:
        rows = [
            {"id": number, "at": at, "actor": "ada", "action": f"act {number}", "detail": {"address": "::1"}}
            for number in range(first, first + count)
        ]
        connection.execute(insert(s.audit), rows)
        if not db.is_sqlite:
            # On, as if the database had given the numbers.
            numbers = "pg_get_serial_sequence('practicus_mfa.mfa_audit', 'id')"
            connection.execute(
                text(f"SELECT setval({numbers}, (SELECT max(id) FROM practicus_mfa.mfa_audit))")
            )


@pytest.fixture
def sealed(db: Database) -> Database:
    """Ten lines, sealed a while ago."""
    lines(db, 10)
    seal(db)
    let_settle(db)
    return db


def ids(db: Database) -> list[int]:
    with db.read() as connection:
        return list(connection.execute(select(s.audit.c.id).order_by(s.audit.c.id)).scalars())


def test_what_nobody_touched_is_whole(sealed: Database) -> None:
    found = verify(sealed)
    assert (found.first, found.checked, found.unsealed, found.head.count) == (None, 10, 0, 10)


def test_an_empty_audit_is_whole(db: Database) -> None:
    assert verify(db).first is None
    assert verify(db, NOTHING).compared


def test_the_last_checkpoint_is_read_once(sealed: Database) -> None:
    prune(sealed)
    sent: list[str] = []

    def keep(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", keep)
    try:
        assert verify(sealed).first is None
    finally:
        event.remove(Engine, "before_cursor_execute", keep)
    assert len([statement for statement in sent if "mfa_audit_checkpoints" in statement]) == 1


def test_the_places_are_read_in_pages(sealed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 3, 5, 10):
        monkeypatch.setattr(audit_places, "PAGE", size)
        assert verify(sealed).checked == 10


@pytest.mark.parametrize(
    "values",
    [
        {"actor": "mallory"},
        {"action": "x"},
        {"subject": "x"},
        {"result": "x"},
        {"detail": {"address": "::2"}},
        {"at": OLD + timedelta(microseconds=1)},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_line_that_was_changed_is_named(sealed: Database, values: dict[str, object]) -> None:
    with unguarded(sealed) as connection:
        connection.execute(update(s.audit).where(s.audit.c.id == 4).values(values))
    found = verify(sealed)
    assert found.first == Broken(fault=Fault.CHANGED, line=4, position=4)
    assert found.broken == 1


def test_a_line_that_was_removed_is_named(sealed: Database) -> None:
    with unguarded(sealed) as connection:
        connection.execute(delete(s.audit).where(s.audit.c.id.in_([4, 7])))
    found = verify(sealed)
    assert found.first == Broken(fault=Fault.REMOVED, line=4, position=4)
    assert found.broken == 2


def test_a_line_that_was_removed_with_its_place_leaves_a_gap(sealed: Database) -> None:
    with unguarded(sealed) as connection:
        connection.execute(delete(s.audit).where(s.audit.c.id == 4))
        connection.execute(delete(s.audit_chain).where(s.audit_chain.c.line_id == 4))
    assert verify(sealed).first == Broken(fault=Fault.NO_PLACE, position=4)


def test_a_line_that_was_put_in_is_named(db: Database) -> None:
    lines(db, 5)
    lines(db, 5, first=20)
    seal(db)
    let_settle(db)
    lines(db, 1, first=10)
    assert verify(db).first == Broken(fault=Fault.INSERTED, line=10)
    seal(db)
    assert verify(db).first == Broken(fault=Fault.INSERTED, line=10)


def test_a_line_that_came_a_moment_later_is_still_waited_for(db: Database) -> None:
    lines(db, 1, first=20)
    seal(db)
    lines(db, 1, first=10)
    found = verify(db)
    assert (found.first, found.unsealed) == (None, 1)


def test_a_hash_that_was_changed_is_found(sealed: Database) -> None:
    with unguarded(sealed) as connection:
        changed = update(s.audit_chain).where(s.audit_chain.c.position == 10)
        connection.execute(changed.values(hash=b"\0" * 32))
    assert verify(sealed).first == Broken(fault=Fault.CHANGED, line=10, position=10)


def test_a_head_kept_elsewhere_shows_that_the_end_was_cut_off(sealed: Database) -> None:
    with sealed.read() as connection:
        kept = head(connection)
    assert verify(sealed, kept).compared
    with unguarded(sealed) as connection:
        connection.execute(delete(s.audit).where(s.audit.c.id > 8))
        connection.execute(delete(s.audit_chain).where(s.audit_chain.c.line_id > 8))
    assert verify(sealed).first is None
    assert verify(sealed, kept).first == Broken(fault=Fault.CUT_OFF, position=9)


def test_a_head_kept_elsewhere_shows_that_the_chain_was_computed_anew(sealed: Database) -> None:
    with sealed.read() as connection:
        kept = head(connection)
    with unguarded(sealed) as connection:
        connection.execute(update(s.audit).where(s.audit.c.id == 4).values(actor="mallory"))
        connection.execute(delete(s.audit_chain))
    seal(sealed)
    assert verify(sealed).first is None
    assert verify(sealed, kept).first == Broken(fault=Fault.OTHER_HEAD, position=10)


def test_an_older_head_is_on_the_chain_too(sealed: Database) -> None:
    with sealed.read() as connection:
        hashed = connection.execute(
            select(s.audit_chain.c.hash).where(s.audit_chain.c.position == 3)
        ).scalar_one()
    found = verify(sealed, Head(3, hashed))
    assert (found.first, found.compared) == (None, True)
    assert verify(sealed, Head(3, b"\1" * 32)).first == Broken(fault=Fault.OTHER_HEAD, position=3)


def test_text_that_is_no_line_is_named(sqlite_db: Database) -> None:
    lines(sqlite_db, 5)
    seal(sqlite_db)
    for number, (column, value) in enumerate([("detail", "not JSON"), ("at", "yesterday")], start=2):
        with unguarded(sqlite_db) as connection:
            connection.execute(text(f"UPDATE mfa_audit SET {column} = '{value}' WHERE id = {number}"))
    found = verify(sqlite_db)
    assert found.first == Broken(fault=Fault.UNREADABLE, line=2, position=2)
    assert (found.broken, found.checked) == (2, 5)


# --- restores -----------------------------------------------------------------------------------------


def restored(db: Database, *, told: object) -> None:
    """A restore that took so long that its lines were passed by."""
    lines(db, 1, first=50)
    with db.write() as connection:
        audit.append(connection, "cli:ada", "backup.restore", detail={"lines": told})
    seal(db)
    let_settle(db)
    lines(db, 3, first=20)


def test_lines_that_a_restore_tells_of_are_accepted(db: Database) -> None:
    restored(db, told=[20, 22])
    found = verify(db)
    assert (found.first, found.unsealed) == (None, 3)


@pytest.mark.parametrize("told", [[20, 21], None, "20-22", [], ["20", "22"]])
def test_no_other_lines_are_accepted(db: Database, told: object) -> None:
    restored(db, told=told)
    assert verify(db).first == Broken(fault=Fault.INSERTED, line=22 if told == [20, 21] else 20)


def test_nobody_seals_while_a_restore_holds_the_chain(postgres_db: Database) -> None:
    with postgres_db.write() as connection:
        hold(connection)
        lines(postgres_db, 1)
        assert seal(postgres_db) == NOTHING
    assert seal(postgres_db).count == 1


# --- pruning ------------------------------------------------------------------------------------------


def prune(db: Database, before: datetime = LATER) -> int:
    with db.write() as connection:
        what = audit_prune.prunable(connection, before)
        if what is not None:
            audit_prune.write_checkpoint(connection, what, before=before, actor="cli:ada")
    return audit_prune.delete_pruned(db)


def test_old_lines_go_and_the_chain_goes_on(sealed: Database) -> None:
    with sealed.read() as connection:
        kept = head(connection)
    lines(sealed, 5, at=LATER, first=11)
    seal(sealed)
    let_settle(sealed)
    assert prune(sealed) == 10
    assert ids(sealed) == [11, 12, 13, 14, 15, 16]
    seal(sealed)
    found = verify(sealed, kept)
    assert (found.first, found.start.count, found.checked, found.compared) == (None, 10, 6, True)
    with sealed.read() as connection:
        newest = audit.read(connection, limit=1)[0]
    assert (newest.actor, newest.action) == ("cli:ada", "audit.prune")
    assert newest.detail == {"before": "2026-02-01T00:00:00.000000Z", "lines": 10, "head": str(kept)}


def test_a_head_before_the_checkpoint_can_not_be_compared(sealed: Database) -> None:
    lines(sealed, 5, at=LATER, first=11)
    seal(sealed)
    let_settle(sealed)
    prune(sealed)
    found = verify(sealed, Head(9, b"\1" * 32))
    assert (found.first, found.compared) == (None, False)


def test_after_pruning_a_change_is_still_found(sealed: Database) -> None:
    lines(sealed, 5, at=LATER, first=11)
    seal(sealed)
    let_settle(sealed)
    prune(sealed)
    with unguarded(sealed) as connection:
        connection.execute(update(s.audit).where(s.audit.c.id == 11).values(actor="mallory"))
    assert verify(sealed).first == Broken(fault=Fault.CHANGED, line=11, position=11)


def test_the_newest_settled_line_stays_so_that_lines_put_in_are_found_afterwards(sealed: Database) -> None:
    assert prune(sealed) == 9
    lines(sealed, 1, first=5)
    seal(sealed)
    assert verify(sealed).first == Broken(fault=Fault.INSERTED, line=5)


def test_a_young_line_keeps_all_behind_it(sealed: Database) -> None:
    lines(sealed, 1, at=LATER, first=11)
    lines(sealed, 2, first=12)
    seal(sealed)
    let_settle(sealed)
    assert prune(sealed) == 10
    assert prune(sealed) == 0


def test_what_was_sealed_just_now_stays(db: Database) -> None:
    lines(db, 3)
    seal(db)
    assert prune(db) == 0


def test_a_pruning_that_was_cut_short_is_completed_by_the_next(
    sealed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sealed.write() as connection:
        what = audit_prune.prunable(connection, LATER)
        assert what is not None
        audit_prune.write_checkpoint(connection, what, before=LATER, actor="cli:ada")
    assert verify(sealed).first is None
    monkeypatch.setattr(audit_prune, "AT_ONCE", 4)
    assert audit_prune.delete_pruned(sealed) == 9
    assert verify(sealed).first is None


def put_beside_the_chain(db: Database, position: int, line: int) -> None:
    """Do what a role that may only seal can do: give a line a place that nobody looks at."""
    with db.write() as connection:
        row = {"position": position, "line_id": line, "hash": b"x" * 32}
        connection.execute(insert(s.audit_chain), row)


@pytest.mark.parametrize("position", [0, -1, -(2**62)])
def test_a_line_with_a_place_before_the_first_one_is_named_and_never_pruned(
    sealed: Database, position: int
) -> None:
    lines(sealed, 2, at=LATER, first=11)
    put_beside_the_chain(sealed, position, 12)
    put_beside_the_chain(sealed, position - 1, 13)
    seal(sealed)
    lines(sealed, 1, at=LATER, first=13)
    seal(sealed)
    let_settle(sealed)
    found = verify(sealed)
    assert found.first == Broken(fault=Fault.BESIDE, line=13, position=position - 1)
    assert found.broken == 2
    assert prune(sealed) == 10
    assert {12, 13} <= set(ids(sealed)), "a young line does not go with the old ones"
    assert verify(sealed).broken == 2


def test_a_line_with_a_place_that_was_pruned_is_named_and_never_pruned(sealed: Database) -> None:
    assert prune(sealed) == 9
    lines(sealed, 1, at=LATER, first=12)
    put_beside_the_chain(sealed, 3, 12)
    seal(sealed)
    assert verify(sealed).first == Broken(fault=Fault.BESIDE, line=12, position=3)
    assert audit_prune.delete_pruned(sealed) == 0
    assert 12 in ids(sealed)


def test_a_checkpoint_is_never_changed_or_deleted(sealed: Database) -> None:
    prune(sealed)
    attempts: list[Executable] = [
        update(s.audit_checkpoints).values(position=10),
        delete(s.audit_checkpoints),
        update(s.audit_chain).values(hash=b"\0" * 32),
        delete(s.audit_chain),
        delete(s.audit),
    ]
    for attempt in attempts:
        with pytest.raises(IntegrityError, match="the audit is append-only"), sealed.write() as connection:
            connection.execute(attempt)
    with sealed.read() as connection:
        assert last_checkpoint(connection).head.count == 9
        assert count_unsealed(connection) == 1
    assert replace(verify(sealed), head=NOTHING).first is None
