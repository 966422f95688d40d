"""CSV files into a database: all of a file or nothing of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.passwords import verify_password
from practicus_mfa.faults import InvalidConfiguration
from practicus_mfa.login import import_users as importing
from practicus_mfa.login.candidates import Candidate, LeftOut
from practicus_mfa.login.csv_users import read_csv
from practicus_mfa.login.enrol import WriteKeyNotHeldError, open_factor
from practicus_mfa.login.import_users import Imported, import_users
from practicus_mfa.storage import factors, schema
from practicus_mfa.storage.users import UserExistsError
from tests.support.people import NEW, OLD, PASSWORD, People, audited, let_write, noon

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

HEADING = "username,name,password,is_staff,totp_secret\n"


def no_keys() -> HeldKeys:
    pytest.fail("keys were asked for")


def run(db: Database, text: str, *, keys: HeldKeys | None = None, skip_existing: bool = False) -> Imported:
    return import_users(
        db,
        read_csv(io.BytesIO(text.encode())),
        source="users.csv",
        keys=no_keys if keys is None else lambda: keys,
        clock=noon,
        actor="root",
        skip_existing=skip_existing,
    )


def count(db: Database) -> tuple[int, int]:
    with db.read() as connection:
        return tuple(  # type: ignore[return-value]
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (schema.users, schema.factors)
        )


def test_users_come_in_with_passwords_roles_and_factors(db: Database) -> None:
    let_write(db, OLD)
    done = run(
        db, f"{HEADING}anna,Anna,{PASSWORD},true,JBSWY3DPEHPK3PXP\nBob,,,,\n", keys=HeldKeys([NEW, OLD])
    )
    assert done == Imported(created=2, enrolled=1, left_out=())
    anna, bob = People(db).get("ANNA"), People(db).get("bob")
    assert (anna.name, anna.is_staff, verify_password(PASSWORD, anna.password_hash)) == ("Anna", True, True)
    assert (bob.username, bob.password_hash) == ("Bob", "")
    with db.read() as connection:
        (factor,) = factors.of_user(connection, anna.id)
    opened = open_factor(factor, HeldKeys([OLD]))
    assert (opened.secret, factor.key_id) == (b"Hello!\xde\xad\xbe\xef", OLD.id)
    assert audited(db) == [("root", "user.import", "users.csv", "done")]


def test_users_without_factors_need_no_key(db: Database) -> None:
    assert run(db, "username\n" + "".join(f"user{number}\n" for number in range(2_345))).created == 2_345
    assert count(db) == (2_345, 0)


def test_faults_of_the_file_and_of_the_database_are_told_together(db: Database) -> None:
    People(db).add("Anna")
    with pytest.raises(InvalidConfiguration) as refused:
        run(db, f"{HEADING}bob,,,maybe,\nanna,,,,\ncarla,,,,\ncarla,,,,\n")
    assert refused.value.message.splitlines() == [
        "users.csv: 3 faults",
        "  line 2: is_staff is neither true nor false; write true or false",
        "  line 5: the user names 'carla' and 'carla' (line 4) are the same; keep one of them",
        (
            "  line 3: the user 'anna' exists already; "
            "take the line out, or skip such users with --skip-existing"
        ),
    ]
    assert refused.value.remedy == "correct users.csv and try again; nothing was changed"
    assert count(db) == (1, 0)


def test_users_that_exist_can_be_skipped(db: Database) -> None:
    anna = People(db).add("Anna")
    done = run(db, f"{HEADING}anna,Other,{PASSWORD},true,\nbob,,,,\n", skip_existing=True)
    assert done == Imported(created=1, enrolled=0, left_out=(LeftOut("anna", "the user exists already"),))
    assert People(db).get("anna") == anna


def test_nothing_is_half_imported(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    let_write(db, OLD)
    hashed = importing._hashed

    def and_somebody_is_faster(candidates: list[Candidate], progress: importing.Progress) -> list[Candidate]:
        People(db).add("bob")
        return hashed(candidates, progress)

    monkeypatch.setattr(importing, "_hashed", and_somebody_is_faster)
    monkeypatch.setattr(importing, "BATCH", 1)
    with pytest.raises(UserExistsError):
        run(db, f"{HEADING}anna,,,,JBSWY3DPEHPK3PXP\nbob,,,,\n", keys=HeldKeys([OLD]))
    assert count(db) == (1, 0)
    assert audited(db) == []


def test_who_lacks_the_write_key_imports_nothing(db: Database) -> None:
    let_write(db, NEW)
    with pytest.raises(WriteKeyNotHeldError):
        run(db, f"{HEADING}anna,,,,JBSWY3DPEHPK3PXP\n", keys=HeldKeys([OLD]))
    assert count(db) == (0, 0)


def test_hashing_is_told_of(sqlite_db: Database) -> None:
    told: list[tuple[int, int]] = []
    text = f"{HEADING}anna,,{PASSWORD},,\nbob,,,,\ncarla,,{PASSWORD},,\n"
    import_users(
        sqlite_db,
        read_csv(io.BytesIO(text.encode())),
        source="users.csv",
        keys=no_keys,
        clock=noon,
        actor="root",
        progress=lambda done, of: told.append((done, of)),
    )
    assert told == [(1, 2), (2, 2)]
