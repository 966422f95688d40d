"""Users and factors as the database keeps them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, update

from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.login.enrol import open_factor
from practicus_mfa.storage import factors, schema, users
from practicus_mfa.storage.user_list import KeyHint, UserPage, Wanted, every, page
from practicus_mfa.storage.users import NewUser, NoSuchUserError, UserExistsError
from tests.support.people import NEW, OLD, SECRET, People, let_write
from tests.support.stores import add_factor

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database


def names(found: UserPage) -> list[str]:
    return [listed.user.username for listed in found.users]


def listed(db: Database, wanted: Wanted) -> list[str]:
    return [one.user.username for one in every(db, wanted)]


def test_a_user_is_found_by_any_spelling_of_the_name(db: Database) -> None:
    created = People(db).add("Straße", email="s@example.org", is_staff=True)
    with db.read() as connection:
        found = users.get(connection, "STRASSE")
    assert found == created
    assert (found.username, found.email, found.is_active, found.is_administrator) == (
        "Straße",
        "s@example.org",
        True,
        True,
    )


def test_a_name_that_is_taken_is_refused_and_the_transaction_goes_on(db: Database) -> None:
    with db.write() as connection:
        users.create(connection, NewUser(username="anna"))
        with pytest.raises(UserExistsError) as refused:
            users.create(connection, NewUser(username="ANNA"))
        users.create(connection, NewUser(username="bob"))
    assert (
        refused.value.message == "There is a user 'ANNA' already (names are compared without regard to case)."
    )
    assert listed(db, Wanted()) == ["anna", "bob"]


def test_a_user_that_is_not_there_is_named(db: Database) -> None:
    with db.read() as connection:
        assert users.find(connection, "nobody") is None
        with pytest.raises(NoSuchUserError, match=r"^There is no user 'nobody'\.$"):
            users.get(connection, "nobody")


def test_thousands_of_names_are_looked_up_in_parts(db: Database) -> None:
    new = [NewUser(username=f"user{number}") for number in range(2_500)]
    with db.write() as connection:
        ids = users.create_many(connection, new)
        again = users.create_many(connection, new[:10])
    with db.read() as connection:
        taken = set(users.taken(connection, [f"user{number}" for number in range(2_490, 4_900)]))
    assert (len(ids), again) == (2_500, {})
    assert taken == {f"user{number}" for number in range(2_490, 2_500)}


def test_the_list_goes_page_by_page(db: Database) -> None:
    for name in ("d", "B", "a", "C", "e"):
        People(db).add(name)
    with db.read() as connection:
        first = page(connection, Wanted(), size=2)
        second = page(connection, Wanted(), cursor=first.next, size=2)
        third = page(connection, Wanted(), cursor=second.next, size=2)
        whole = page(connection, Wanted(), size=5)
    assert (names(first), names(second), names(third)) == (["a", "B"], ["C", "d"], ["e"])
    assert (first.previous, third.next, whole.next) == (None, None, None)


@pytest.fixture
def mixed(db: Database) -> Database:
    """A database after a promotion, with a user in every state."""
    people = People(db)
    let_write(db, OLD)
    people.add("rolling", key=OLD, is_staff=True, email="R@example.org")
    let_write(db, NEW)
    people.add("active", key=NEW, name="Ada Lovelace", is_superuser=True)
    people.add("both", key=NEW)
    people.add("none", is_active=False)
    untried, unknown, cleared = (people.add(name) for name in ("untried", "unknown", "cleared"))
    with db.write() as connection:
        add_factor(connection, untried.id)
        add_factor(connection, unknown.id, fault="unknown")
        add_factor(connection, cleared.id, token="")
        add_factor(connection, cleared.id, token=None)
        add_factor(connection, people.get("both").id, key=OLD.id)
    return db


def test_each_user_is_listed_with_what_is_known_of_its_mfa(mixed: Database) -> None:
    found = {one.user.username: (one.mfa, one.key) for one in every(mixed, Wanted())}
    assert found == {
        "active": (True, KeyHint.ACTIVE),
        "both": (True, KeyHint.ROLLING),
        "cleared": (False, KeyHint.NONE),
        "none": (False, KeyHint.NONE),
        "rolling": (True, KeyHint.ROLLING),
        "unknown": (True, KeyHint.UNDECRYPTABLE),
        "untried": (True, KeyHint.ROLLING),
    }


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(on_rolling_key=True), ["both", "rolling", "untried"]),
        (Wanted(without_mfa=True), ["cleared", "none"]),
        (Wanted(administrators=True), ["active", "rolling"]),
        (Wanted(inactive=True), ["none"]),
        (Wanted(undecryptable=True), ["unknown"]),
        (Wanted(administrators=True, on_rolling_key=True), ["rolling"]),
        (Wanted(search="LOVE"), ["active"]),
        (Wanted(search="r@EXAMPLE"), ["rolling"]),
        (Wanted(search="Un"), ["unknown", "untried"]),
    ],
)
def test_conditions_are_met_together(mixed: Database, wanted: Wanted, expected: list[str]) -> None:
    assert listed(mixed, wanted) == expected


def test_without_a_write_key_every_factor_is_on_another(db: Database) -> None:
    user = People(db).add("anna")
    with db.write() as connection:
        add_factor(connection, user.id)
    assert listed(db, Wanted(on_rolling_key=True)) == ["anna"]


def test_disabling_tells_whether_it_changed_anything(db: Database) -> None:
    user = People(db).add("anna")
    with db.write() as connection:
        changes = [
            users.set_active(connection, user.id, active=active) for active in (True, False, False, True)
        ]
    assert changes == [False, True, False, True]


def test_a_factor_comes_back_as_it_was_written(db: Database) -> None:
    let_write(db, OLD)
    user = People(db).add("anna", key=OLD)
    with db.read() as connection:
        (factor,) = factors.of_user(connection, user.id)
    assert (factor.key_id, factor.fault, factor.totp) == (OLD.id, None, factors.USUAL)
    assert open_factor(factor, HeldKeys([NEW, OLD])).secret == SECRET
    assert factor.token not in repr(factor)


def test_removing_opens_nothing_and_spares_others(db: Database) -> None:
    let_write(db, OLD)
    people = People(db)
    anna, bob = people.add("anna", key=OLD), people.add("bob", key=OLD)
    with db.write() as connection:
        connection.execute(update(schema.factors).values(token="no token at all"))
        connection.execute(insert(schema.factors).values(user_id=anna.id, token=""))
        removed = factors.remove_all(connection, anna.id)
        assert factors.of_user(connection, anna.id) == ()
        assert len(factors.of_user(connection, bob.id)) == 1
    assert removed == 1


def test_a_step_is_used_once_and_none_before_it_after(db: Database) -> None:
    user = People(db).add("anna")
    with db.write() as connection:
        factor = add_factor(connection, user.id)
        used = [factors.advance(connection, factor, step) for step in (0, 5, 5, 4, 6)]
    assert used == [True, True, False, False, True]


def test_of_many_who_use_a_step_at_once_one_does(db: Database) -> None:
    user = People(db).add("anna")
    with db.write() as connection:
        factor = add_factor(connection, user.id)
    used: list[bool] = []
    together = threading.Barrier(8)

    def use() -> None:
        together.wait()
        with db.write() as connection:
            used.append(factors.advance(connection, factor, 7))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(used) == [False] * 7 + [True]
