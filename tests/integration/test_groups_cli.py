"""``practicus-mfa groups`` as a person types it, and what the store makes of it on both databases."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.cli import groups as command
from practicus_mfa.cli import person
from practicus_mfa.cli.main import run
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.errors import EXIT_USAGE, UsageError
from practicus_mfa.storage import accounts, groups
from tests.support.people import People, audited
from tests.support.stores import add_user, ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from practicus_mfa.storage.engine import Database

    Shell = Callable[..., tuple[list[str], list[str]]]


@pytest.fixture
def store(folder: DataFolder) -> Iterator[Database]:
    """Its database, with two users."""
    with ready(f"sqlite:///{folder.sqlite}") as db:
        People(db).add("Anna")
        People(db).add("bob")
        yield db


@pytest.fixture
def shell(folder: DataFolder, store: Database, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command line on that folder."""

    def typed(*words: str, code: int = 0) -> tuple[list[str], list[str]]:
        capsys.readouterr()
        assert run(["groups", *words, "--data-dir", str(folder.root)]) == code
        out, err = capsys.readouterr()
        return out.splitlines(), err.splitlines()

    return typed


def _groups_of(db: Database, username: str) -> tuple[str, ...]:
    user = People(db).get(username)
    with db.read() as connection:
        found = accounts.account(connection, user.id)
    assert found is not None
    return found.groups


def test_groups_are_made_filled_listed_and_removed(shell: Shell, store: Database) -> None:
    assert shell("list") == ([], ["There is no group."])
    assert shell("create", "ops") == (["The group ops was made."], [])
    shell("create", "dev.team")
    # Named as they are stored, however they were typed.
    assert shell("add", "ops", "anna", "BOB") == (["Members of ops now: Anna, bob."], [])
    shell("add", "ops", "anna")
    shell("add", "ops", "bob", "bob")
    shell("add", "dev.team", "anna", "ANNA")
    assert _groups_of(store, "anna") == ("dev.team", "ops")
    assert shell("list") == (["GROUP     MEMBERS", "dev.team        1", "ops             2"], [])
    as_json, _ = shell("list", "-o", "json")
    expected = [{"group": "dev.team", "members": 1}, {"group": "ops", "members": 2}]
    assert json.loads("\n".join(as_json)) == expected
    assert shell("list", "-o", "yaml")[0][0] == "- group: dev.team"
    for _ in range(2):
        assert shell("remove", "ops", "ANNA") == (["No members of ops any more: Anna."], [])
    assert _groups_of(store, "anna") == ("dev.team",)
    assert shell("delete", "ops") == (["The group ops was removed."], [])
    assert _groups_of(store, "bob") == ()
    me = person.actor()
    # Who was a member already, or none, is no line of the audit.
    assert audited(store)[-7:] == [
        (me, "group.create", "ops", "done"),
        (me, "group.create", "dev.team", "done"),
        (me, "group.add", "Anna", "done"),
        (me, "group.add", "bob", "done"),
        (me, "group.add", "Anna", "done"),
        (me, "group.remove", "Anna", "done"),
        (me, "group.delete", "ops", "done"),
    ]


def test_the_members_of_a_group_are_listed(
    shell: Shell, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("create", "ops")
    assert shell("members", "ops") == ([], ["Nobody is in the group ops."])
    People(store).add("carl")
    shell("add", "ops", "bob", "anna", "carl")
    # Page by page, however many there are.
    monkeypatch.setattr(command, "_AT_ONCE", 2)
    assert [line.split()[0] for line in shell("members", "ops")[0]] == ["USER", "Anna", "bob", "carl"]
    as_json, _ = shell("members", "ops", "-o", "json")
    assert json.loads("\n".join(as_json))[0] == {"username": "Anna", "name": ""}


def test_who_is_added_with_somebody_unknown_is_not_added(shell: Shell, store: Database) -> None:
    shell("create", "ops")
    _, err = shell("add", "ops", "anna", "nobody", code=EXIT_USAGE)
    assert "There is no user 'nobody'." in err[0]
    assert _groups_of(store, "anna") == ()


@pytest.mark.parametrize(
    "words", [("add", "ops", "anna"), ("remove", "ops", "anna"), ("delete", "ops"), ("members", "ops")]
)
def test_a_group_that_is_not_there_is_named(shell: Shell, words: tuple[str, ...]) -> None:
    _, err = shell(*words, code=EXIT_USAGE)
    assert "There is no group 'ops'." in err[0]


def test_a_group_is_made_once(db: Database) -> None:
    together, refused = threading.Barrier(8), []

    def create() -> None:
        together.wait()
        try:
            with db.write() as connection:
                groups.create(connection, "ops")
        except UsageError as error:
            refused.append(error.message)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["There is a group 'ops' already."] * 7


@pytest.mark.parametrize("name", ["", "a b", "a,b", "ü", "x" * 65, "a\n", "a/b", ".", ".."])
def test_a_name_that_applications_would_misread_is_refused(db: Database, name: str) -> None:
    with db.write() as connection:
        with pytest.raises(UsageError):
            groups.create(connection, name)
        assert groups.all_groups(connection) == {}


def test_groups_are_told_apart_by_case_and_kept_by_their_members(db: Database) -> None:
    with db.write() as connection:
        first, second = add_user(connection), add_user(connection)
        for name in ("ops", "Ops", "A-1_b.c", "x" * 64):
            groups.create(connection, name)
        groups.add(connection, "ops", [first, second])
        groups.add(connection, "Ops", [first, first])
        groups.take_out(connection, "ops", [second, 4711])
        assert groups.all_groups(connection) == {"ops": 1, "Ops": 1, "A-1_b.c": 0, "x" * 64: 0}
        groups.remove(connection, "ops")
        account = accounts.account(connection, first)
        assert account is not None
        assert account.groups == ("Ops",)
