"""The audit after a restore: no line is lost, and the chain of hashes still proves what it proved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, insert, select

from practicus_mfa.storage import audit, schema
from practicus_mfa.storage.audit_chain import head, seal
from practicus_mfa.storage.audit_verify import verify
from practicus_mfa.storage.backup.manifest import CONTAINS
from practicus_mfa.storage.backup.read import opened
from practicus_mfa.storage.backup.restore import restore
from practicus_mfa.storage.backup.write import create
from tests.support.people import People, audited

if TYPE_CHECKING:
    from pathlib import Path

    from practicus_mfa.core.audit_chain import Head
    from practicus_mfa.storage.engine import Database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "backup.zip"


def say(db: Database, *actions: str) -> None:
    with db.write() as connection:
        for action in actions:
            audit.append(connection, "root", action, detail={"number": 1.0, "text": "ü"})


def head_of(db: Database) -> Head:
    with db.read() as connection:
        return head(connection)


def actions(db: Database) -> list[str]:
    return [action for _, action, _, _ in audited(db)]


def restored_detail(db: Database) -> dict[str, Any]:
    with db.read() as connection:
        return dict(audit.read(connection, action="backup.restore", limit=1)[0].detail)


def number_of(db: Database, action: str) -> int:
    with db.read() as connection:
        return audit.read(connection, action=action)[0].id


def test_the_manifest_names_the_head_and_what_is_in_the_file(db: Database, file: Path) -> None:
    say(db, "one", "two")
    sealed = seal(db)
    say(db, "not.sealed")
    manifest = create(db, file)
    assert manifest.audit_head == sealed
    with opened(file) as backup:
        assert backup.manifest == manifest
        assert CONTAINS.encode() in backup.archive.read("manifest.json")


def test_a_head_from_before_holds_in_an_empty_database(db: Database, target: Database, file: Path) -> None:
    say(db, "one", "two", "three")
    sealed = seal(db)
    say(db, "tail")
    create(db, file)
    done = restore(target, file, actor="root").audit
    assert (done.chain, done.added, done.lines) == (True, 4, None)
    assert head_of(target) == sealed
    assert number_of(target, "two") == number_of(db, "two")
    assert "lines" not in restored_detail(target)
    assert actions(target) == ["one", "two", "three", "tail", "backup.restore"]
    found = verify(target, sealed)
    assert (found.broken, found.compared, found.checked) == (0, True, 3)
    assert seal(target).count == 5
    assert verify(target, sealed).broken == 0


def test_a_pruned_chain_comes_back_with_its_checkpoint(db: Database, target: Database, file: Path) -> None:
    say(db, "old", "new")
    seal(db)
    with db.write() as connection:
        first = select(schema.audit_chain.c.hash).where(schema.audit_chain.c.position == 1)
        checkpoint = {"position": 1, "hash": connection.execute(first).scalar_one(), "actor": "root"}
        checkpoint["before"] = audit.read(connection)[0].at
        connection.execute(insert(schema.audit_checkpoints).values(checkpoint))
        connection.execute(delete(schema.audit).where(schema.audit.c.action == "old"))
        connection.execute(delete(schema.audit_chain).where(schema.audit_chain.c.position == 1))
    create(db, file)
    restore(target, file, actor="root")
    found = verify(target, head_of(db))
    assert (found.broken, found.compared, found.start.count) == (0, True, 1)


def test_a_chain_that_is_there_stays_and_missing_lines_come_behind_it(
    db: Database, target: Database, file: Path
) -> None:
    say(db, "one", "two", "three")
    seal(db)
    create(db, file)
    say(target, "own.one", "own.two")
    own = seal(target)
    done = restore(target, file, actor="root").audit
    assert (done.chain, done.added) == (False, 3)
    assert actions(target) == ["own.one", "own.two", "one", "two", "three", "backup.restore"]
    assert head_of(target) == own
    lines = (number_of(target, "one"), number_of(target, "three"))
    assert done.lines == lines
    assert restored_detail(target)["lines"] == list(lines)
    assert verify(target, own).broken == 0
    sealed = seal(target)
    assert (sealed.count, verify(target, own).broken) == (6, 0)


def test_a_second_restore_adds_no_line_twice(db: Database, target: Database, file: Path) -> None:
    say(db, "one", "two")
    create(db, file)
    say(target, "own.one")
    seal(target)
    restore(target, file, actor="root")
    done = restore(target, file, actor="root").audit
    assert (done.added, done.lines) == (0, None)
    assert actions(target) == ["own.one", "one", "two", "backup.restore", "backup.restore"]


def test_a_restore_in_place_leaves_audit_and_chain_alone(db: Database, file: Path) -> None:
    People(db).add("anna")
    say(db, "one")
    seal(db)
    create(db, file)
    say(db, "two")
    sealed = seal(db)
    done = restore(db, file, actor="root", replace=True).audit
    assert (done.added, done.lines, done.chain) == (0, None, False)
    assert actions(db) == ["one", "two", "backup.restore"]
    assert head_of(db) == sealed
    assert verify(db, sealed).broken == 0


def test_where_other_lines_have_the_numbers_the_chain_is_made_anew(
    db: Database, target: Database, file: Path
) -> None:
    say(db, "one", "two")
    sealed = seal(db)
    create(db, file)
    say(target, "not.sealed")
    done = restore(target, file, actor="root").audit
    assert (done.chain, done.added) == (False, 2)
    assert actions(target) == ["not.sealed", "one", "two", "backup.restore"]
    assert seal(target).count == 4
    assert verify(target).broken == 0
    assert verify(target, sealed).broken == 1
