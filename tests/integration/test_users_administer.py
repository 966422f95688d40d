"""What an administrator does to users, with the audit beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from practicus_mfa.core.observed import OWN_TABLE
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.password_policy import PasswordRefusedError
from practicus_mfa.crypto.passwords import verify_password
from practicus_mfa.crypto.tokens import UnknownKeyError
from practicus_mfa.errors import UsageError
from practicus_mfa.login.administer import create_user, remove_mfa, set_active, set_password
from practicus_mfa.login.enrol import AlreadyEnrolledError, WriteKeyNotHeldError, enrol, open_factor
from practicus_mfa.login.migrate_key import Migrated, MigratedUser, migrate_key
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.storage import factors, schema
from practicus_mfa.storage.factors import TotpParameters
from practicus_mfa.storage.users import NewUser, NoSuchUserError, UserExistsError
from practicus_mfa.storage.writer import NoWriteKeyError
from tests.support.people import NEW, OLD, OTHER, PASSWORD, SECRET, People, audited, let_write, noon
from tests.support.stores import add_factor

if TYPE_CHECKING:
    from practicus_mfa.core.keyring import KeyId
    from practicus_mfa.storage.engine import Database
    from practicus_mfa.storage.relations.cells import Cells, Treat, Treated

BOTH = HeldKeys([OLD, NEW])


def migrate(db: Database, *names: str, keys: HeldKeys = BOTH) -> dict[str, Migrated]:
    done = migrate_key(db, names, keys=keys, treatment=treatment, actor="root")
    return {one.username: one.outcome for one in done}


def test_a_created_user_logs_in_with_the_password(db: Database) -> None:
    new = NewUser(username="ﬁona", name=" Fiona ", is_superuser=True)
    created = create_user(db, new, password=PASSWORD, actor="root")
    stored = People(db).get("Fiona")
    assert stored == created
    assert (stored.username, stored.name) == ("fiona", "Fiona")
    assert verify_password(PASSWORD, stored.password_hash)
    assert audited(db) == [("root", "user.create", "fiona", "done")]


def test_a_user_created_without_a_password_has_none(db: Database) -> None:
    assert create_user(db, NewUser(username="anna"), password=None, actor="root").password_hash == ""


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (NewUser(username="a,b"), "The user can't be created: the user name 'a,b' has a comma."),
        (
            NewUser(username="CLI:root"),
            "The user can't be created: user names that begin with cli: are the command line's in the audit.",
        ),
        (
            NewUser(username="anna", email="a\nb"),
            "The user can't be created: the e-mail address has a control character (U+000A).",
        ),
        (
            NewUser(username="anna", email="bad"),
            "The user can't be created: the e-mail address is not of the form NAME@DOMAIN.",
        ),
        (
            NewUser(username="anna", name="a\0"),
            "The user can't be created: the name has a control character (U+0000).",
        ),
    ],
)
def test_texts_that_cannot_be_used_are_refused(db: Database, new: NewUser, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        create_user(db, new, password=None, actor="root")
    assert refused.value.message == message


def test_nothing_is_left_of_a_refused_user(db: Database) -> None:
    People(db).add("anna")
    with pytest.raises(UserExistsError):
        create_user(db, NewUser(username="Anna"), password=None, actor="root")
    with pytest.raises(PasswordRefusedError):
        create_user(db, NewUser(username="bob"), password="short", actor="root")
    with pytest.raises(NoSuchUserError):
        People(db).get("bob")
    assert audited(db) == []


def test_a_password_is_replaced(db: Database) -> None:
    People(db).add("anna")
    set_password(db, "ANNA", PASSWORD, actor="root")
    assert verify_password(PASSWORD, People(db).get("anna").password_hash)
    assert audited(db) == [("root", "user.set-password", "anna", "done")]


def test_disabling_and_enabling_are_audited_where_they_change_something(db: Database) -> None:
    People(db).add("anna")
    changes = [set_active(db, "anna", active=active, actor="root") for active in (False, False, True, True)]
    assert changes == [True, False, True, False]
    assert audited(db) == [("root", "user.disable", "anna", "done"), ("root", "user.enable", "anna", "done")]


def test_removing_mfa_needs_no_key(db: Database) -> None:
    let_write(db, OLD)
    user = People(db).add("anna", key=OLD)
    with db.write() as connection:
        connection.execute(update(schema.factors).values(token="broken"))
    assert remove_mfa(db, "anna", actor="root") == 1
    assert remove_mfa(db, "anna", actor="root") == 0
    with db.read() as connection:
        assert factors.of_user(connection, user.id) == ()
    assert audited(db)[1:] == [("root", "mfa.remove", "anna", "done")]


def test_a_factor_is_sealed_under_the_key_that_writes_at_that_moment(db: Database) -> None:
    let_write(db, OLD)
    let_write(db, NEW)
    user = People(db).add("anna")
    totp = TotpParameters(algorithm="SHA256", digits=8, period=60, drift=1, last_step=99)
    enrol(db, "ANNA", SECRET, keys=BOTH, clock=noon, actor="anna", totp=totp)
    with db.read() as connection:
        (factor,) = factors.of_user(connection, user.id)
    assert (factor.key_id, factor.totp) == (NEW.id, totp)
    assert open_factor(factor, HeldKeys([NEW])).secret == SECRET
    with pytest.raises(UnknownKeyError):
        open_factor(factor, HeldKeys([OTHER]))
    assert audited(db) == [("anna", "mfa.enrol", "anna", "done")]


def test_mfa_that_cannot_be_read_is_not_overwritten(db: Database) -> None:
    let_write(db, OLD)
    user = People(db).add("anna")
    with db.write() as connection:
        add_factor(connection, user.id, fault="unknown")
    with pytest.raises(AlreadyEnrolledError, match=r"^The user 'anna' has MFA already\.$"):
        enrol(db, "anna", SECRET, keys=BOTH, clock=noon, actor="anna")


def test_a_factor_that_was_cleared_by_hand_makes_room(db: Database) -> None:
    let_write(db, OLD)
    user = People(db).add("anna", key=OLD)
    with db.write() as connection:
        connection.execute(update(schema.factors).values(token=None))
    enrol(db, "anna", SECRET, keys=BOTH, clock=noon, actor="anna")
    with db.read() as connection:
        assert len(factors.ids_of(connection, [user.id])) == 1


def test_who_lacks_the_write_key_does_not_enrol(db: Database) -> None:
    let_write(db, NEW)
    user = People(db).add("anna")
    with pytest.raises(WriteKeyNotHeldError) as refused:
        enrol(db, "anna", SECRET, keys=HeldKeys([OLD]), clock=noon, actor="anna")
    assert refused.value.message == f"The key {NEW.id} writes now, and it is not in the keyring."
    with db.read() as connection:
        assert factors.of_user(connection, user.id) == ()


def test_nobody_enrols_before_a_key_writes(db: Database) -> None:
    People(db).add("anna")
    with pytest.raises(NoWriteKeyError):
        enrol(db, "anna", SECRET, keys=BOTH, clock=noon, actor="anna")


def test_named_users_are_migrated_and_each_outcome_is_told(db: Database) -> None:
    people = People(db)
    let_write(db, OLD)
    for name in ("rolling", "corrupt", "bystander"):
        people.add(name, key=OLD)
    let_write(db, OTHER)
    people.add("unknown", key=OTHER)
    let_write(db, NEW)
    people.add("active", key=NEW)
    people.add("none")
    with db.write() as connection:
        corrupt = people.get("corrupt").id
        connection.execute(
            update(schema.factors).where(schema.factors.c.user_id == corrupt).values(token="broken")
        )
    names = ("Rolling", "corrupt", "unknown", "active", "none", "rolling")
    assert migrate(db, *names) == {
        "rolling": Migrated.MIGRATED,
        "corrupt": Migrated.UNDECRYPTABLE,
        "unknown": Migrated.UNDECRYPTABLE,
        "active": Migrated.ACTIVE,
        "none": Migrated.NO_MFA,
    }
    with db.read() as connection:
        (factor,) = factors.of_user(connection, people.get("rolling").id)
        (spared,) = factors.of_user(connection, people.get("bystander").id)
    assert (factor.key_id, open_factor(factor, HeldKeys([NEW])).secret) == (NEW.id, SECRET)
    assert spared.key_id == OLD.id
    assert [line[2:] for line in audited(db) if line[1] == "mfa.migrate-key"] == [
        ("rolling", "migrated"),
        ("corrupt", "undecryptable"),
        ("unknown", "undecryptable"),
        ("active", "already active"),
        ("none", "no MFA"),
    ]


def test_one_unknown_name_and_nobody_is_migrated(db: Database) -> None:
    let_write(db, OLD)
    user = People(db).add("anna", key=OLD)
    let_write(db, NEW)
    with pytest.raises(NoSuchUserError):
        migrate(db, "anna", "nobody")
    with db.read() as connection:
        assert factors.of_user(connection, user.id)[0].key_id == OLD.id


def test_who_lacks_the_write_key_migrates_nobody(db: Database) -> None:
    let_write(db, OLD)
    People(db).add("anna", key=OLD)
    let_write(db, NEW)
    with pytest.raises(WriteKeyNotHeldError):
        migrate(db, "anna", keys=HeldKeys([OLD]))


def test_a_row_that_changes_meanwhile_is_left_alone(postgres_db: Database) -> None:
    db = postgres_db
    let_write(db, OLD)
    anna = People(db).add("anna", key=OLD)
    let_write(db, NEW)

    def overtaken(relation: str, keys: HeldKeys, key: KeyId) -> Treat:
        def treat(cells: Cells) -> Treated:
            with db.write() as connection:
                connection.execute(update(schema.factors).values(token="newer", key_id=None))
            return treatment(relation, keys, key)(cells)

        assert relation == OWN_TABLE
        return treat

    done = migrate_key(db, ["anna"], keys=BOTH, treatment=overtaken, actor="root")
    assert done == (MigratedUser("anna", Migrated.CHANGED),)
    with db.read() as connection:
        assert factors.of_user(connection, anna.id)[0].token == "newer"
