"""Break-glass: in again with the password alone, and a backup of what was."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from practicus_mfa.errors import UnreachableError, UsageError
from practicus_mfa.login.recover import NothingToClear, Recovered, recover
from practicus_mfa.storage import factors, schema
from practicus_mfa.storage.backup_read import verify
from practicus_mfa.storage.users import NoSuchUserError
from tests.support.people import OLD, People, audited, let_write

if TYPE_CHECKING:
    from pathlib import Path

    from practicus_mfa.storage.engine import Database


def test_a_user_whose_key_is_lost_gets_in_again(db: Database, tmp_path: Path) -> None:
    let_write(db, OLD)
    people = People(db)
    anna, bob = people.add("anna", key=OLD), people.add("bob", key=OLD)
    with db.write() as connection:
        connection.execute(update(schema.factors).values(token="of a key that is lost"))
    backup = tmp_path / "before.zip"
    done = recover(db, "Anna", backup=backup, actor="root")
    assert done == Recovered(user=anna, factors=1, backup=backup)
    with db.read() as connection:
        assert factors.of_user(connection, anna.id) == ()
        assert len(factors.of_user(connection, bob.id)) == 1
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert verify(backup).rows(schema.factors) == 2
    assert audited(db)[-1] == ("root", "mfa.recover", "anna", "done")


def test_where_there_is_no_mfa_nothing_is_done(db: Database, tmp_path: Path) -> None:
    anna = People(db).add("anna")
    assert recover(db, "anna", backup=tmp_path / "before.zip", actor="root") == NothingToClear(user=anna)
    assert (audited(db), list(tmp_path.glob("*.zip"))) == ([], [])


def test_without_a_backup_nothing_is_cleared(db: Database, tmp_path: Path) -> None:
    let_write(db, OLD)
    anna = People(db).add("anna", key=OLD)
    taken = tmp_path / "taken.zip"
    taken.write_text("mine")
    with pytest.raises(UsageError) as refused:
        recover(db, "anna", backup=taken, actor="root")
    assert refused.value.message == f"There is a file {taken} already."
    with pytest.raises(UnreachableError) as unwritable:
        recover(db, "anna", backup=tmp_path / "no" / "folder.zip", actor="root")
    assert unwritable.value.message.endswith("can't be written: No such file or directory.")
    with db.read() as connection:
        assert len(factors.of_user(connection, anna.id)) == 1


def test_a_name_that_is_not_there_is_told_before_anything_is_done(db: Database, tmp_path: Path) -> None:
    with pytest.raises(NoSuchUserError):
        recover(db, "nobody", backup=tmp_path / "before.zip", actor="root")
    assert list(tmp_path.glob("*.zip")) == []
