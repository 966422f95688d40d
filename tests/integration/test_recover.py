"""Break-glass: in again with the password alone, and what was cleared is kept."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from sqlalchemy import func, insert, select, text, update

from practicus_mfa.core.login.throttle import Kind
from practicus_mfa.errors import UnreachableError, UsageError
from practicus_mfa.login import administer, throttling
from practicus_mfa.login.recover import KeysLost, NothingToClear, Recovered, recover
from practicus_mfa.login.recovery_file import from_text, write_new
from practicus_mfa.storage import attempts, audit, factors, schema, versions
from practicus_mfa.storage.attempts import Key
from practicus_mfa.storage.engine import connect, database_now
from practicus_mfa.storage.lost_keys import KeyStillReadError
from practicus_mfa.storage.readers import withdraw
from practicus_mfa.storage.recovery_archive import newest
from practicus_mfa.storage.rotations import start_rotation, under_way
from practicus_mfa.storage.users import NoSuchUserError
from practicus_mfa.storage.writer import read_write_key
from tests.support.logging_in import Desk
from tests.support.people import NEW, OLD, PASSWORD, People, audited, let_write
from tests.support.stores import lagging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alembic.config import Config

    from practicus_mfa.storage.engine import Database


def factors_of(db: Database, user_id: int) -> int:
    with db.read() as connection:
        return len(factors.of_user(connection, user_id))


def rows_of(db: Database, table: str) -> int:
    with db.read() as connection:
        of_table = schema.metadata.tables[f"{schema.SCHEMA}.{table}"]
        return connection.execute(select(func.count()).select_from(of_table)).scalar_one()


def give_codes(db: Database, user_id: int, *hashes: bytes) -> None:
    with db.write() as connection:
        (factor,) = factors.of_user(connection, user_id)
        rows = [{"factor_id": factor.id, "code_hash": hashed} for hashed in hashes]
        connection.execute(insert(schema.recovery_codes), rows)


def test_a_user_whose_key_is_lost_gets_in_again(db: Database) -> None:
    let_write(db, OLD)
    people = People(db)
    anna, bob = people.add("anna", key=OLD), people.add("bob", key=OLD)
    with db.write() as connection:
        connection.execute(update(schema.factors).values(token="of a key that is lost"))
    done = recover(db, "Anna", actor="root")
    assert isinstance(done, Recovered)
    assert (done.user.id, done.user.username, done.factors, done.archived) == (anna.id, "anna", 1, True)
    assert (factors_of(db, anna.id), factors_of(db, bob.id)) == (0, 1)
    assert audited(db)[-1] == ("root", "mfa.recover", "anna", "done")


def test_what_is_cleared_is_kept_as_it_was(db: Database) -> None:
    let_write(db, OLD)
    anna = People(db).add("anna", key=OLD)
    give_codes(db, anna.id, b"a" * 32, b"b" * 32)
    with db.read() as connection:
        (before,) = factors.of_user(connection, anna.id)
    texts: list[str] = []
    recover(db, "anna", actor="root", backup=texts.append)
    with db.read() as connection:
        kept = newest(connection, anna.id)
        line = audit.read(connection, action="mfa.recover")[0]
    assert kept is not None
    (row,) = kept.of(schema.factors)
    assert (row["id"], row["token"], row["key_id"]) == (before.id, before.token, OLD.id)
    assert {one["code_hash"] for one in kept.of(schema.recovery_codes)} == {b"a" * 32, b"b" * 32}
    given = from_text(texts[0], source="it")
    assert (given.username, given.kept) == ("anna", kept)
    assert before.token not in json.dumps(line.detail)
    assert line.detail["recovery_codes"] == 2


def test_whoever_was_in_or_stopped_begins_anew(db: Database) -> None:
    desk = Desk(db)
    desk.enrolled("ada")
    desk.enrolled("bob")
    for name in ("ada", "bob"):
        _set_password(db, name)
        desk.log_in(name)
        desk.half(name)
    with db.write() as connection:
        ada = desk.people.get("ada")
        subject = throttling.subject_of("ada")
        now = database_now(connection)
        for kind in Kind:
            key = Key(counter=kind.value, kind=kind, subject=subject)
            throttling.count(connection, attempts.lock(connection, [key]), now)
        token = {"user_id": ada.id, "token": "offered", "expires_at": now + timedelta(minutes=9)}
        connection.execute(insert(schema.pending_factors).values(token))
    recover(db, "ada", actor="root")
    with db.read() as connection:
        for table in (schema.sessions, schema.half_logins):
            (whose,) = connection.execute(select(table.c.user_id)).scalars()
            assert whose == desk.people.get("bob").id
    assert (rows_of(db, "mfa_pending_factors"), rows_of(db, "mfa_attempts")) == (0, 0)


def _set_password(db: Database, name: str) -> None:
    administer.set_password(db, name, PASSWORD, actor="test")


def test_where_there_is_no_mfa_nothing_is_done(db: Database) -> None:
    People(db).add("anna")
    texts: list[str] = []
    done = recover(db, "anna", actor="root", backup=texts.append)
    assert isinstance(done, NothingToClear)
    assert (done.user.username, done.user.has_password, done.user.is_active) == ("anna", False, True)
    assert (audited(db), texts, rows_of(db, "mfa_recovery_archive")) == ([], [], 0)


def test_a_name_that_is_not_there_is_told_before_anything_is_done(db: Database) -> None:
    texts: list[str] = []
    with pytest.raises(NoSuchUserError):
        recover(db, "nobody", actor="root", backup=texts.append)
    assert texts == []


# --- the file -----------------------------------------------------------------------------------------


def test_the_file_is_new_and_for_its_owner_alone(db: Database, tmp_path: Path) -> None:
    let_write(db, OLD)
    anna = People(db).add("anna", key=OLD)
    file = tmp_path / "anna.json"
    recover(db, "anna", actor="root", backup=partial(write_new, file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert from_text(file.read_text(), source="it").kept.user_id == anna.id


def test_without_its_file_nothing_is_cleared(db: Database, tmp_path: Path) -> None:
    let_write(db, OLD)
    anna = People(db).add("anna", key=OLD)
    taken = tmp_path / "taken.json"
    taken.write_text("mine")
    with pytest.raises(UsageError) as refused:
        recover(db, "anna", actor="root", backup=partial(write_new, taken))
    assert refused.value.message == f"There is a file {taken} already."
    assert taken.read_text() == "mine"
    with pytest.raises(UnreachableError) as unwritable:
        recover(db, "anna", actor="root", backup=partial(write_new, tmp_path / "no" / "folder.json"))
    assert "can't be written: No such file or directory." in unwritable.value.message
    assert factors_of(db, anna.id) == 1
    assert (rows_of(db, "mfa_recovery_archive"), audited(db)[-1][1]) == (0, "mfa.enrol")


# --- databases of other releases ----------------------------------------------------------------------


@pytest.fixture(params=["0001", "0002"])
def earlier(
    database_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """A database that an earlier release made, with a user who has MFA."""
    db = connect(database_url, create=True)

    def to_step(config: Config, _: str) -> None:
        upgrade(config, request.param)

    upgrade = command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", to_step)
        versions.upgrade(db)
    assert versions.current(db) == request.param
    prefix = "" if db.is_sqlite else f"{schema.SCHEMA}."
    with db.write() as connection:
        for statement in (
            f"INSERT INTO {prefix}mfa_users (username, username_key) VALUES ('Anna', 'anna')",
            f"INSERT INTO {prefix}mfa_factors (user_id, token) SELECT id, 'sealed' FROM {prefix}mfa_users",
        ):
            connection.execute(text(statement))
    yield db
    db.close()


def _counts(db: Database, *tables: str) -> list[Any]:
    prefix = "" if db.is_sqlite else f"{schema.SCHEMA}."
    with db.read() as connection:
        return [
            connection.execute(text(f"SELECT count(*) FROM {prefix}{table}")).scalar_one() for table in tables
        ]


def test_an_earlier_release_has_no_archive_so_a_file_is_asked_for(earlier: Database) -> None:
    with pytest.raises(UsageError) as refused:
        recover(earlier, "anna", actor="root")
    assert (
        refused.value.remedy == "Name a new file with --backup FILE, or run `practicus-mfa db upgrade` first."
    )
    assert _counts(earlier, "mfa_factors", "mfa_audit") == [1, 0]


def test_a_user_of_an_earlier_release_gets_in_too(earlier: Database) -> None:
    texts: list[str] = []
    done = recover(earlier, "anna", actor="root", backup=texts.append)
    assert isinstance(done, Recovered)
    assert (done.user.username, done.factors, done.archived) == ("Anna", 1, False)
    assert _counts(earlier, "mfa_factors", "mfa_audit") == [0, 1]
    (row,) = from_text(texts[0], source="it").kept.of(schema.factors)
    assert row["token"] == "sealed"


@pytest.mark.parametrize("earlier", ["0002"], indirect=True)
def test_what_the_second_step_made_ends_there_too(earlier: Database) -> None:
    prefix = "" if earlier.is_sqlite else f"{schema.SCHEMA}."
    now = "CURRENT_TIMESTAMP"
    with earlier.write() as connection:
        subject = throttling.subject_of("anna")
        for statement in (
            (
                f"INSERT INTO {prefix}mfa_recovery_codes (factor_id, code_hash)"
                f" SELECT id, :hash FROM {prefix}mfa_factors"
            ),
            (
                f"INSERT INTO {prefix}mfa_sessions (user_id, token_hash, remembered, expires_at, proved_at)"
                f" SELECT id, :hash, false, {now}, {now} FROM {prefix}mfa_users"
            ),
            (
                f"INSERT INTO {prefix}mfa_attempts (counter, kind, subject, failures, forever)"
                f" SELECT 'c', 'code', '{subject}', 100, true WHERE length(:hash) = 32"
            ),
        ):
            connection.execute(text(statement), {"hash": b"h" * 32})
    texts: list[str] = []
    recover(earlier, "anna", actor="root", backup=texts.append)
    tables = ("mfa_recovery_codes", "mfa_sessions", "mfa_attempts")
    assert _counts(earlier, *tables) == [0, 0, 0]
    (row,) = from_text(texts[0], source="it").kept.of(schema.recovery_codes)
    assert row["code_hash"] == b"h" * 32


def test_in_an_earlier_release_lost_keys_can_be_forgotten(earlier: Database) -> None:
    recover(earlier, "anna", actor="root", backup=lambda _: None, keys_lost=KeysLost())
    assert _counts(earlier, "mfa_factors", "mfa_write_key") == [0, 0]


def test_a_database_of_a_newer_release_is_left_alone(db: Database) -> None:
    let_write(db, OLD)
    anna = People(db).add("anna", key=OLD)
    table = "alembic_version" if db.is_sqlite else f"{schema.SCHEMA}.alembic_version"
    with db.write() as connection:
        connection.execute(text(f"UPDATE {table} SET version_num = '9999'"))
    with pytest.raises(UsageError) as refused:
        recover(db, "anna", actor="root")
    assert "at step 9999, which is newer than this program" in refused.value.message
    assert factors_of(db, anna.id) == 1


def test_a_database_without_tables_is_told(database_url: str) -> None:
    empty = connect(database_url, create=True)
    with pytest.raises(UsageError) as refused:
        recover(empty, "anna", actor="root")
    assert refused.value.message == f"The database {empty.shown} is not set up for this program."
    empty.close()


# --- lost keys ----------------------------------------------------------------------------------------


def test_a_lost_key_writes_no_more_and_rows_keep_its_name(db: Database) -> None:
    let_write(db, OLD)
    people = People(db)
    people.add("anna", key=OLD)
    bob = people.add("bob", key=OLD)
    with db.write() as connection:
        start_rotation(connection, NEW.id)
    done = recover(db, "anna", actor="root", keys_lost=KeysLost())
    assert isinstance(done, Recovered)
    assert done.lost_key == OLD.id
    with db.read() as connection:
        assert (read_write_key(connection), under_way(connection)) == (None, None)
        (factor,) = factors.of_user(connection, bob.id)
    assert factor.key_id == OLD.id
    assert [line[1:3] for line in audited(db)[-2:]] == [("keys.forget", OLD.id), ("mfa.recover", "anna")]


def test_a_key_that_a_reader_or_the_keyring_has_is_not_lost(db: Database) -> None:
    let_write(db, OLD)
    anna = People(db).add("anna", key=OLD)
    lagging(db, "replica-1", OLD.id)
    with pytest.raises(KeyStillReadError) as read:
        recover(db, "anna", actor="root", keys_lost=KeysLost())
    assert read.value.message == f"The key {OLD.id} is not lost: replica-1 reads with it at this moment."
    withdraw(db, "replica-1")
    with pytest.raises(UsageError) as held:
        recover(db, "anna", actor="root", keys_lost=KeysLost(held=[OLD.id]))
    assert held.value.message == f"The key {OLD.id} is not lost: the keyring holds it. Nothing was changed."
    with db.read() as connection:
        assert read_write_key(connection) == OLD.id
    assert factors_of(db, anna.id) == 1


def test_who_has_no_mfa_can_have_lost_keys_forgotten(db: Database) -> None:
    let_write(db, OLD)
    People(db).add("anna")
    done = recover(db, "anna", actor="root", keys_lost=KeysLost())
    assert isinstance(done, NothingToClear)
    assert done.lost_key == OLD.id
