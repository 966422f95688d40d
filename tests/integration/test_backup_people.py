"""What comes back of users, factors and recovery codes where there are users now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, insert, select, update

from practicus_mfa.storage import factors, group_members, groups, recovery_codes, schema
from practicus_mfa.storage.backup import write as backup_write
from practicus_mfa.storage.backup.compare import NAMED, Counted, Raised, compare
from practicus_mfa.storage.backup.read import DamagedBackupError
from practicus_mfa.storage.backup.restore import restore
from practicus_mfa.storage.backup.rows import encode_row
from practicus_mfa.storage.backup.write import create
from practicus_mfa.storage.engine import database_now
from tests.support.people import OLD, People, let_write
from tests.support.stores import add_factor, ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.storage.engine import Database


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    """A database without users."""
    with ready(f"sqlite:///{tmp_path / 'empty.db'}") as database:
        yield database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "backup.zip"


def change(db: Database, name: str, /, **values: object) -> None:
    with db.write() as connection:
        connection.execute(update(schema.users).where(schema.users.c.username_key == name).values(**values))


def rights(db: Database, username: str) -> tuple[bool, bool, bool]:
    user = People(db).get(username)
    return user.is_active, user.is_staff, user.is_superuser


def codes(db: Database) -> list[bytes]:
    query = select(schema.recovery_codes.c.code_hash).order_by(schema.recovery_codes.c.code_hash)
    with db.read() as connection:
        return list(connection.execute(query).scalars())


def last_steps(db: Database) -> dict[int, int]:
    with db.read() as connection:
        rows = connection.execute(select(schema.factors.c.id, schema.factors.c.last_step))
        return {row.id: row.last_step for row in rows}


def test_rights_that_were_taken_away_stay_away_unless_that_is_asked_for(db: Database, file: Path) -> None:
    people = People(db)
    people.add("boss", is_staff=True, is_superuser=True)
    people.add("former", is_staff=True, is_superuser=True)
    people.add("disabled")
    people.add("promoted")
    create(db, file)
    change(db, "former", is_superuser=False, username="renamed", username_key="renamed")
    change(db, "disabled", is_active=False)
    change(db, "promoted", is_staff=True)
    told = compare(db, file)
    assert told.raised_users == (Raised("former", ("is_superuser",)), Raised("disabled", ("is_active",)))
    assert (told.raised, told.users) == (2, Counted(both=4, backup=0, database=0))
    done = restore(db, file, actor="root", replace=True)
    assert (done.lowered, done.superusers) == (2, 1)
    assert rights(db, "boss") == (True, True, True)
    assert rights(db, "former") == (True, True, False)
    assert rights(db, "disabled") == (False, False, False)
    assert rights(db, "promoted") == (True, False, False)
    done = restore(db, file, actor="root", replace=True, raise_rights=True)
    assert (done.lowered, done.superusers) == (0, 2)
    assert rights(db, "former") == (True, True, True)
    assert rights(db, "disabled") == (True, False, False)


def members(db: Database, group: str) -> set[str]:
    with db.read() as connection:
        found = group_members.members(connection, group, size=50)
    return {one.username for one in found.shown} if found else set()


def test_a_group_that_was_taken_away_stays_away_unless_that_is_asked_for(db: Database, file: Path) -> None:
    people = People(db)
    ada, bob, gone = (people.add(name).id for name in ("ada", "bob", "gone"))
    with db.write() as connection:
        for group in ("ops", "dev", "old"):
            groups.create(connection, group)
        groups.add(connection, "ops", [ada, bob, gone])
        groups.add(connection, "dev", [ada, bob])
        groups.add(connection, "old", [bob])
    create(db, file)
    with db.write() as connection:
        groups.take_out(connection, "ops", [ada])
        connection.execute(delete(schema.users).where(schema.users.c.id == gone))
        # One of this name is another one by now, and it is the name that counts.
        groups.remove(connection, "dev")
        groups.create(connection, "dev")
        groups.add(connection, "dev", [bob])
        groups.remove(connection, "old")
    told = compare(db, file).raised_users
    expected = (("ada", ("dev", "ops")), ("bob", ("old",)), ("gone", ("ops",)))
    assert told == tuple(Raised(name, (), more) for name, more in expected)
    done = restore(db, file, actor="root", replace=True)
    assert done.lowered == 3
    assert [members(db, group) for group in ("ops", "dev", "old")] == [{"bob"}, {"bob"}, set()]
    done = restore(db, file, actor="root", replace=True, raise_rights=True)
    assert done.lowered == 0
    assert [members(db, group) for group in ("ops", "dev", "old")] == [
        {"ada", "bob", "gone"},
        {"ada", "bob"},
        {"bob"},
    ]


def test_who_was_removed_comes_back_without_a_role(db: Database, file: Path) -> None:
    people = People(db)
    people.add("boss", is_superuser=True)
    people.add("gone", is_staff=True, is_superuser=True)
    people.add("plain")
    create(db, file)
    with db.write() as connection:
        connection.execute(delete(schema.users).where(schema.users.c.username.in_(["gone", "plain"])))
    assert compare(db, file).raised_users == (Raised("gone", ("is_staff", "is_superuser")),)
    restore(db, file, actor="root", replace=True)
    assert rights(db, "gone") == (True, False, False)
    assert rights(db, "plain") == (True, False, False)


def test_another_databases_user_of_the_same_id_lends_no_role(
    db: Database, empty: Database, file: Path
) -> None:
    People(db).add("stranger", is_superuser=True)
    create(db, file)
    People(empty).add("admin", is_superuser=True)
    change(empty, "admin", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    told = compare(empty, file)
    assert told.users == Counted(both=0, backup=1, database=1)
    assert told.raised_users == (Raised("stranger", ("is_superuser",)),)
    restore(empty, file, actor="root", replace=True)
    assert rights(empty, "stranger") == (True, False, False)


def test_into_an_empty_database_all_rights_and_codes_come_back(
    db: Database, empty: Database, file: Path
) -> None:
    user = People(db).add("boss", is_staff=True, is_superuser=True)
    with db.write() as connection:
        recovery_codes.replace(connection, add_factor(connection, user.id), [bytes(32)])
    create(db, file)
    told = compare(empty, file)
    assert (told.raised, told.raised_users, told.codes_gone) == (0, (), 0)
    assert told.factors == Counted(both=0, backup=1, database=0)
    assert restore(empty, file, actor="root").lowered == 0
    assert rights(empty, "boss") == (True, True, True)
    assert codes(empty) == [bytes(32)]


def test_of_many_users_the_first_are_named(db: Database, file: Path) -> None:
    for number in range(NAMED + 2):
        People(db).add(f"user{number}", is_staff=True)
    create(db, file)
    with db.write() as connection:
        connection.execute(update(schema.users).values(is_staff=False))
    told = compare(db, file)
    assert (told.raised, len(told.raised_users)) == (NAMED + 2, NAMED)


def test_recovery_codes_that_were_used_stay_used(db: Database, file: Path) -> None:
    anna, bob = People(db).add("anna").id, People(db).add("bob").id
    first, second, third = (bytes([number]) * 32 for number in range(3))
    with db.write() as connection:
        annas, bobs = add_factor(connection, anna), add_factor(connection, bob)
        recovery_codes.replace(connection, annas, [first, second])
        recovery_codes.replace(connection, bobs, [third])
    create(db, file)
    with db.write() as connection:
        assert recovery_codes.use(connection, anna, first)
        factors.remove_all(connection, bob)
    assert compare(db, file).codes_gone == 1
    assert restore(db, file, actor="root", replace=True).codes_gone == 1
    # Bob's factor was removed, which is not using its codes up.
    assert codes(db) == [second, third]


@pytest.mark.parametrize("period", [30, 60])
def test_no_code_that_was_shown_before_works_after_a_restore(
    db: Database, empty: Database, file: Path, period: int
) -> None:
    let_write(db, OLD)
    user = People(db).add("anna", key=OLD)
    with db.write() as connection:
        step = int(database_now(connection).timestamp()) // period
        connection.execute(update(schema.factors).values(period=period))
        ahead = {"user_id": user.id, "token": "t", "period": period, "drift": 4}
        connection.execute(insert(schema.factors).values(ahead))
    create(db, file)
    with db.write() as connection:
        # A clock that was set back since: what was accepted under it is known.
        connection.execute(
            update(schema.factors).where(schema.factors.c.drift == 0).values(last_step=step + 1000)
        )
    restore(empty, file, actor="root")
    for present, drift in zip(last_steps(empty).values(), (0, 4), strict=True):
        assert step + drift <= present <= step + drift + 2
    restore(db, file, actor="root", replace=True)
    before, ahead_of_us = last_steps(db)
    assert last_steps(db)[before] == step + 1000
    with db.write() as connection:
        assert not factors.advance(connection, ahead_of_us, step + 4)


def test_another_databases_factor_of_the_same_id_says_nothing_of_codes(
    db: Database, empty: Database, file: Path
) -> None:
    anna, admin = People(db).add("anna").id, People(empty).add("admin").id
    with db.write() as connection:
        recovery_codes.replace(connection, add_factor(connection, anna), [bytes(32)])
    create(db, file)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with empty.write() as connection:
        add_factor(connection, admin)
        connection.execute(update(schema.factors).values(last_step=1 << 40, created_at=long_ago))
    restore(empty, file, actor="root", replace=True)
    (step,) = last_steps(empty).values()
    assert step < 1 << 40
    assert codes(empty) == [bytes(32)]


def test_a_part_whose_rows_are_not_in_order_is_refused(
    db: Database, empty: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("anna", "bob"):
        People(db).add(name)

    def backwards(row: dict[str, Any]) -> bytes:
        return encode_row({**row, "id": 100 - row["id"]} if "username" in row else row)

    # The file's checksums are right.
    monkeypatch.setattr(backup_write, "encode_row", backwards)
    create(db, file)
    with pytest.raises(DamagedBackupError, match=r"mfa_users\.jsonl: its rows are not in order"):
        restore(empty, file, actor="root")
