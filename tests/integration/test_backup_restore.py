"""Backups of real databases, restored into databases of either kind."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, Table, delete, func, insert, select

from practicus_mfa.core.login.throttle import Counter, Kind
from practicus_mfa.core.observed import Mode
from practicus_mfa.errors import UnreachableError, UsageError
from practicus_mfa.storage import (
    attempts,
    audit,
    groups,
    pending_factors,
    recovery_codes,
    schema,
    users,
)
from practicus_mfa.storage.attempts import Key
from practicus_mfa.storage.backup import write as backup_write
from practicus_mfa.storage.backup.format import EMPTIED, TABLES
from practicus_mfa.storage.backup.manifest import Part
from practicus_mfa.storage.backup.read import DamagedBackupError, verify
from practicus_mfa.storage.backup.restore import restore
from practicus_mfa.storage.backup.rows import encode_row
from practicus_mfa.storage.backup.write import create
from practicus_mfa.storage.claims import guarded_write, read_generation, record_generation
from practicus_mfa.storage.counts import read_counts
from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.users import NewUser
from tests.support.people import NEW, OLD, People, audited, let_write, noon
from tests.support.stores import add_factor, claimed

if TYPE_CHECKING:
    from pathlib import Path
    from zipfile import ZipFile

    from practicus_mfa.storage.engine import Database


def fill(db: Database) -> None:
    """Put something into every table."""
    people = People(db)
    let_write(db, OLD)
    people.add("rolling", key=OLD, name='Line "1", ünïcode 李', password_hash="hash")
    let_write(db, NEW)
    people.add("Active", key=NEW, is_active=False, is_staff=True)
    gone = people.add("gone", key=NEW)
    other = people.add("other")
    with db.write() as connection:
        connection.execute(delete(schema.users).where(schema.users.c.id == gone.id))
        add_factor(connection, other.id, fault="unknown")
        add_factor(connection, other.id, token=None)
        rotation = connection.execute(
            insert(schema.rotations).values(to_key=NEW.id, from_key=OLD.id).returning(schema.rotations.c.id)
        ).scalar_one()
        connection.execute(
            insert(schema.shards).values(
                rotation_id=rotation,
                mode=Mode.MIGRATE,
                relation="mfa_factors",
                number=1,
                lower="5",
                migrated=3,
            )
        )
        groups.create(connection, "ops")
        groups.add(connection, "ops", [other.id])
        factor = connection.execute(select(schema.factors.c.id).limit(1)).scalar_one()
        recovery_codes.replace(connection, factor, [bytes(range(32)), bytes(range(32, 64))])
        archived = {"user_id": other.id, "actor": "root", "rows": {"mfa_factors": []}}
        connection.execute(insert(schema.recovery_archive).values(archived))
        audit.append(connection, "root", "test.line", detail={"nested": [1, None, "ü"]})
        line = connection.execute(select(func.max(schema.audit.c.id))).scalar_one()
        sealed = {"position": 8, "line_id": line, "hash": bytes(range(32))}
        connection.execute(insert(schema.audit_chain).values(sealed))
        pruned = {"position": 7, "hash": bytes(32), "before": noon(), "actor": "root"}
        connection.execute(insert(schema.audit_checkpoints).values(pruned))


def content(db: Database, *tables: Table) -> dict[str, list[dict[str, Any]]]:
    """Return every row of *tables*, of all that a backup keeps where none is named."""
    with db.read(snapshot=True) as connection:
        return {
            table.name: [
                dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()
            ]
            for table in tables or TABLES
        }


def without_steps(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Take out what no restore brings back: which code was used last."""
    for row in rows["mfa_factors"]:
        del row["last_step"]


def test_every_table_is_kept_or_left_out_on_purpose() -> None:
    left_out = {"mfa_claim", "mfa_readers", "mfa_policy", "mfa_factor_deltas", "mfa_table_counts"}
    kept_or_emptied = {table.name for table in (*TABLES, *EMPTIED)}
    assert len(kept_or_emptied) == len(TABLES) + len(EMPTIED)
    assert kept_or_emptied | left_out == {table.name for table in schema.metadata.sorted_tables}


def test_a_backup_fits_either_database(db: Database, target: Database, tmp_path: Path) -> None:
    fill(db)
    path = tmp_path / "backup.zip"
    manifest = create(db, path)
    assert manifest.keys == tuple(sorted((OLD.id, NEW.id)))
    assert verify(path) == manifest
    before = content(db)
    assert restore(target, path, actor="root").manifest == manifest
    after = content(target)
    without_steps(before)
    without_steps(after)
    restored = after["mfa_audit"].pop()
    assert after == before
    assert all(len(rows) for rows in before.values())
    assert (restored["actor"], restored["action"], restored["subject"]) == (
        "root",
        "backup.restore",
        "backup.zip",
    )
    assert restored["detail"]["rows"]["mfa_users"] == 3


def test_ids_go_on_and_counts_are_right_after_a_restore(
    db: Database, target: Database, tmp_path: Path
) -> None:
    fill(db)
    create(db, tmp_path / "backup.zip")
    restore(target, tmp_path / "backup.zip", actor="root")
    highest = max(row["id"] for row in content(db)["mfa_users"])
    assert People(target).add("next", key=NEW).id > highest
    with target.read() as connection:
        counts = read_counts(connection)
    assert (counts.by_key, counts.unknown) == ({OLD.id: 1, NEW.id: 2}, 1)


def test_the_file_is_its_owners_alone_and_nothing_else_is_left(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    create(db, folder / "backup.zip")
    assert [entry.name for entry in folder.iterdir()] == ["backup.zip"]
    assert stat.S_IMODE((folder / "backup.zip").stat().st_mode) == 0o600


def test_a_backup_that_fails_leaves_no_file(
    sqlite_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_row: object) -> bytes:
        raise OSError(28, "No space left on device")

    fill(sqlite_db)
    folder = tmp_path / "backups"
    folder.mkdir()
    monkeypatch.setattr(backup_write, "encode_row", full)
    with pytest.raises(UnreachableError) as refused:
        create(sqlite_db, folder / "backup.zip")
    assert (
        refused.value.message
        == f"The backup {folder / 'backup.zip'} can't be written: No space left on device."
    )
    assert list(folder.iterdir()) == []


def test_all_of_a_backup_is_of_one_moment(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db)
    before = content(db)
    write_part = backup_write._write_part

    def and_somebody_enrols(connection: Connection, archive: ZipFile, table: Table, at: datetime) -> Part:
        part = write_part(connection, archive, table, at)
        if part.table == "mfa_users":
            People(db).add("late", key=NEW)
        return part

    monkeypatch.setattr(backup_write, "_write_part", and_somebody_enrols)
    manifest = create(db, tmp_path / "backup.zip")
    assert {part.table: part.rows for part in manifest.parts} == {
        name: len(rows) for name, rows in before.items()
    }
    assert len(content(db)["mfa_users"]) == len(before["mfa_users"]) + 1


def test_users_that_are_there_are_removed_only_when_that_is_asked_for(db: Database, tmp_path: Path) -> None:
    fill(db)
    create(db, tmp_path / "backup.zip")
    before = content(db)
    People(db).add("later", key=NEW)
    with pytest.raises(UsageError) as refused:
        restore(db, tmp_path / "backup.zip", actor="root")
    assert refused.value.message == f"The database {db.shown} has 4 users already."
    highest = max(row["id"] for row in content(db)["mfa_users"])
    restore(db, tmp_path / "backup.zip", actor="root", replace=True)
    after = content(db)
    without_steps(before)
    without_steps(after)
    assert {name: rows for name, rows in after.items() if name != "mfa_audit"} == {
        name: rows for name, rows in before.items() if name != "mfa_audit"
    }
    assert People(db).add("new").id > highest


def test_who_was_logged_in_before_a_restore_is_not_after_it(db: Database, tmp_path: Path) -> None:
    fill(db)
    create(db, tmp_path / "before.zip")
    user, token, until = People(db).add("Anna").id, bytes(32), datetime(2100, 1, 1, tzinfo=UTC)
    with db.write() as connection:
        for table in (schema.sessions, schema.half_logins, schema.setup_links, schema.devices):
            values = {"user_id": user, "token_hash": token, "expires_at": until}
            values |= {"remembered": True, "proved_at": until} if table is schema.sessions else {}
            values |= {"created_by": "root"} if table is schema.setup_links else {}
            connection.execute(insert(table).values(values))
        pending_factors.save(connection, user, "token", expires_at=until)
        key = Key(counter="c", subject="0" * 64, kind=Kind.CODE)
        attempts.save(connection, key, Counter(failures=100, forever=True), expires_at=None)
        attempts.failing_name(connection, "192.0.2.1", "n", span=timedelta(hours=1))
        connection.execute(insert(schema.unknown_names).values({"address": "192.0.2.1"}))
        run = {"action": "disable", "actor_id": user, "actor": "Anna", "selection": {"ids": []}, "total": 0}
        connection.execute(insert(schema.bulk_runs).values(run))
        request = {"author_id": user, "author": "Anna", "changes": {}}
        connection.execute(insert(schema.policy_requests).values(request))
    assert all(content(db, *EMPTIED).values())
    create(db, tmp_path / "after.zip")
    for name in ("before.zip", "after.zip"):
        restore(db, tmp_path / name, actor="root", replace=True)
        assert not any(content(db, *EMPTIED).values())


def test_the_audit_only_grows(db: Database, target: Database, tmp_path: Path) -> None:
    fill(db)
    create(db, tmp_path / "backup.zip")
    with target.write() as connection:
        audit.append(connection, "operator", "rotation.start")
    own = audited(target)
    restore(target, tmp_path / "backup.zip", actor="root")
    both = audited(target)
    assert sorted(both) == sorted([*own, *audited(db), ("root", "backup.restore", "backup.zip", "done")])
    assert both[0] == own[0]
    restore(db, tmp_path / "backup.zip", actor="root", replace=True)
    assert [line[1] for line in audited(db)].count("test.line") == 1


def test_what_belongs_to_the_place_stays(db: Database, target: Database, tmp_path: Path) -> None:
    fill(db)
    create(db, tmp_path / "backup.zip")
    claimed(target)
    with target.write() as connection:
        connection.execute(insert(schema.policy).values(id=1, generation=3, effective={"mfa": True}))
        lease = {"instance": "login-1", "key_ids": [OLD.id], "expires_at": noon()}
        connection.execute(insert(schema.readers).values(lease))
    place = (schema.claim, schema.readers, schema.policy)
    before = content(target, *place)
    restore(target, tmp_path / "backup.zip", actor="root")
    assert content(target, *place) == before


def test_a_keyring_is_ahead_of_a_restored_database(db: Database, target: Database, tmp_path: Path) -> None:
    fill(db)
    create(db, tmp_path / "backup.zip")
    with guarded_write(target, claimed(target)) as connection:
        record_generation(connection, 7)
    restore(target, tmp_path / "backup.zip", actor="root")
    with target.read() as connection:
        assert read_generation(connection) == 0


def test_writers_that_are_at_work_are_waited_for(
    postgres_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(postgres_db)
    create(postgres_db, tmp_path / "backup.zip")
    before = content(postgres_db)
    monkeypatch.setattr("practicus_mfa.storage.backup.restore.LOCK_TIMEOUT", timedelta(milliseconds=50))
    with postgres_db.write() as connection:
        users.create(connection, NewUser(username="at-work"))
        with pytest.raises(UnreachableError, match="holds a lock"):
            restore(postgres_db, tmp_path / "backup.zip", actor="root", replace=True)
        connection.rollback()
    assert content(postgres_db) == before


def test_a_database_that_is_not_set_up_is_told(sqlite_url: str, tmp_path: Path) -> None:
    db = connect(sqlite_url, create=True)
    with pytest.raises(UsageError, match="is not set up for this program"):
        create(db, tmp_path / "backup.zip")
    db.close()


def test_rows_that_contradict_each_other_change_nothing(
    db: Database, target: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db)

    def forged(row: dict[str, Any]) -> bytes:
        return encode_row({**row, "user_id": 999} if "user_id" in row else row)

    # The file's checksums are right.
    monkeypatch.setattr(backup_write, "encode_row", forged)
    create(db, tmp_path / "backup.zip")
    with pytest.raises(DamagedBackupError) as refused:
        restore(target, tmp_path / "backup.zip", actor="root")
    assert refused.value.message == (
        f"The backup {tmp_path / 'backup.zip'} was edited in its part mfa_factors.jsonl: "
        "its rows do not fit those of other parts."
    )
    assert not any(content(target).values())
