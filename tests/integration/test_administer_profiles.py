"""Editing and creating users on the pages."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.core.login.session import MustChangePassword, Valid
from practicus_mfa.crypto.password_policy import PasswordRefusedError
from practicus_mfa.errors import UsageError
from practicus_mfa.login import memberships, setup_link
from practicus_mfa.login.account import SamePasswordError, change_password, current
from practicus_mfa.login.acts import one
from practicus_mfa.login.acts.by import Author, By, Outcome
from practicus_mfa.login.acts.create import create_user
from practicus_mfa.login.acts.profile import Profile, edit, profile
from practicus_mfa.login.administer import set_password
from practicus_mfa.login.session_start import Expired
from practicus_mfa.storage import groups, sessions
from practicus_mfa.storage.groups import NoSuchGroupError
from practicus_mfa.storage.users import NewUser, NoSuchUserError, User, UserExistsError
from tests.support.logging_in import HOME, Desk
from tests.support.people import PASSWORD, People, audited
from tests.support.waiting import until

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

WITH_GROUPS = ("payroll", "wiki")


@pytest.fixture
def desk(db: Database) -> Desk:
    """A log-in service with two groups and a superuser."""
    made = Desk(db)
    with db.write() as connection:
        for group in WITH_GROUPS:
            groups.create(connection, group)
    made.people.add("root", is_superuser=True)
    return made


@pytest.fixture
def root(desk: Desk) -> By:
    """The superuser at the pages."""
    return who(desk, "root")


def who(desk: Desk, name: str) -> By:
    """An administrator at the pages."""
    return By(account_id=desk.people.get(name).id, username=name)


def stored(db: Database, user: User) -> Profile:
    """What is stored of a user."""
    with db.read() as connection:
        found = profile(connection, user.id)
    assert found is not None
    return found


def save(db: Database, who: By, user: User, seen: Profile, **wanted: object) -> Outcome:
    """Edit a user."""
    with db.write() as connection:
        return edit(connection, who, user.id, seen=seen, wanted=replace(seen, **wanted))  # type: ignore[arg-type]


def test_a_user_is_edited_and_each_part_is_told(desk: Desk, root: By) -> None:
    kim = desk.people.add("kim", email="kim@example.org")
    with desk.db.write() as connection:
        groups.add(connection, "wiki", [kim.id])
    seen = stored(desk.db, kim)
    wanted = Profile(
        email="k@example.org",
        name=" Kim\u00a0Ø ",
        must_change_password=True,
        is_staff=True,
        groups=("payroll",),
    )
    with desk.db.write() as connection:
        assert edit(connection, root, kim.id, seen=seen, wanted=wanted) is Outcome.SAVED
    assert stored(desk.db, kim) == replace(wanted, name="Kim\u00a0Ø")
    assert audited(desk.db)[-4:] == [
        ("root", "user.edit", "kim", "done"),
        ("root", "user.set-roles", "kim", "done"),
        ("root", "group.add", "kim", "done"),
        ("root", "group.remove", "kim", "done"),
    ]


def test_nothing_is_told_where_nothing_was_changed(desk: Desk, root: By) -> None:
    kim = desk.people.add("kim", name="Kim")
    before = audited(desk.db)
    assert save(desk.db, root, kim, stored(desk.db, kim), name="Kim ") is Outcome.UNCHANGED
    assert audited(desk.db) == before


def test_the_later_of_two_who_edit_at_once_is_told(desk: Desk, root: By) -> None:
    kim = desk.people.add("kim")
    seen = stored(desk.db, kim)
    assert save(desk.db, root, kim, seen, name="Kim") is Outcome.SAVED
    assert save(desk.db, root, kim, seen, email="kim@example.org") is Outcome.CHANGED
    assert stored(desk.db, kim) == replace(seen, name="Kim")
    assert save(desk.db, root, kim, stored(desk.db, kim), email="kim@example.org") is Outcome.SAVED


def test_saying_that_a_role_was_seen_gives_it_to_nobody(desk: Desk) -> None:
    desk.people.add("stan", is_staff=True)
    kim = desk.people.add("kim")
    forged = replace(stored(desk.db, kim), is_superuser=True)
    assert save(desk.db, who(desk, "stan"), kim, forged, name="Kim") is Outcome.CHANGED
    assert stored(desk.db, kim) == Profile()


@pytest.mark.parametrize("wanted", [{"is_staff": True}, {"is_superuser": True}, {"groups": ("wiki",)}])
def test_staff_change_texts_alone(desk: Desk, wanted: dict[str, object]) -> None:
    desk.people.add("stan", is_staff=True)
    kim = desk.people.add("kim")
    stan, seen = who(desk, "stan"), stored(desk.db, kim)
    assert save(desk.db, stan, kim, seen, name="Kim", **wanted) is Outcome.SUPERUSERS_ONLY
    assert stored(desk.db, kim) == Profile()
    assert save(desk.db, stan, kim, seen, name="Kim") is Outcome.SAVED


def test_another_role_ends_the_sessions_and_another_name_does_not(desk: Desk, root: By) -> None:
    kim = desk.enrolled("kim")
    set_password(desk.db, "kim", PASSWORD, actor="test")
    desk.log_in("kim")
    save(desk.db, root, kim, stored(desk.db, kim), name="Kim")
    with desk.db.read() as connection:
        assert len(sessions.of_user(connection, kim.id)) == 1
    save(desk.db, root, kim, stored(desk.db, kim), is_staff=True)
    with desk.db.read() as connection:
        assert sessions.of_user(connection, kim.id) == ()


def test_a_link_that_staff_made_for_a_plain_user_sets_no_administrator_s_password(
    desk: Desk, root: By
) -> None:
    desk.people.add("stan", is_staff=True)
    kim = desk.people.add("kim")

    def link() -> str:
        with desk.db.write() as connection:
            issued = one.setup_link(connection, who(desk, "stan"), kim.id)
        assert isinstance(issued, setup_link.Issued)
        return issued.token

    for role in ("is_staff", "is_superuser"):
        token = link()
        save(desk.db, root, kim, stored(desk.db, kim), name=role)
        assert setup_link.look(desk.ctx, token) is not None
        save(desk.db, root, kim, stored(desk.db, kim), **{role: True})
        assert setup_link.use(desk.ctx, token, password=PASSWORD, client=HOME) == Expired()
        save(desk.db, root, kim, stored(desk.db, kim), **{role: False})
    assert desk.people.get("kim").password_hash == ""


def test_who_must_change_the_password_is_led_to_it(desk: Desk, root: By) -> None:
    kim = desk.enrolled("kim")
    set_password(desk.db, "kim", PASSWORD, actor="test")
    logged_in = desk.log_in("kim")
    save(desk.db, root, kim, stored(desk.db, kim), must_change_password=True)
    assert isinstance(desk.current(logged_in).verdict, MustChangePassword)


def test_who_must_change_the_password_takes_another_one(desk: Desk, root: By) -> None:
    kim = desk.enrolled("kim")
    set_password(desk.db, "kim", PASSWORD, actor="test")
    logged_in = desk.log_in("kim")
    save(desk.db, root, kim, stored(desk.db, kim), must_change_password=True)
    with pytest.raises(SamePasswordError):
        change_password(desk.ctx, desk.current(logged_in).acting, new=PASSWORD)
    tokens = change_password(desk.ctx, desk.current(logged_in).acting, new=f"not {PASSWORD}")
    # Who chose it may choose it again.
    found = current(desk.ctx, tokens.session)
    assert found is not None
    assert isinstance(found.verdict, Valid)
    change_password(desk.ctx, found.acting, new=f"not {PASSWORD}")


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"email": "a\nb"}, UsageError),
        ({"email": "bad"}, UsageError),
        ({"groups": ("nobody",)}, NoSuchGroupError),
    ],
)
def test_nothing_is_saved_where_a_part_cannot_be(
    desk: Desk, root: By, wanted: dict[str, object], error: type[UsageError]
) -> None:
    kim = desk.people.add("kim")
    before = audited(desk.db)
    with pytest.raises(error):
        save(desk.db, root, kim, stored(desk.db, kim), name="Kim", is_staff=True, **wanted)
    assert (stored(desk.db, kim), audited(desk.db)) == (Profile(), before)


def test_texts_that_were_taken_once_do_not_keep_the_rest_from_being_saved(desk: Desk, root: By) -> None:
    kim = desk.people.add("kim", email="bad", name="K\u200bim")
    assert save(desk.db, root, kim, stored(desk.db, kim), must_change_password=True) is Outcome.SAVED
    with pytest.raises(UsageError):
        save(desk.db, root, kim, stored(desk.db, kim), email="worse")
    assert save(desk.db, root, kim, stored(desk.db, kim), email="kim@example.org") is Outcome.SAVED


def test_an_administrator_creates_a_user(desk: Desk, root: By) -> None:
    new = NewUser(username="Kim", name=" Kim Ø ", is_staff=True)
    user = create_user(desk.ctx, root, new, password=PASSWORD, must_change=True, groups=("wiki",))
    assert isinstance(user, User)
    assert stored(desk.db, user) == Profile(
        name="Kim Ø", must_change_password=True, is_staff=True, groups=("wiki",)
    )
    assert [line[1:3] for line in audited(desk.db)[-2:]] == [("user.create", "Kim"), ("group.add", "Kim")]
    logged_in = desk.log_in("kim")
    assert isinstance(desk.current(logged_in).verdict, MustChangePassword)


@pytest.mark.parametrize(
    ("new", "chosen"),
    [
        (NewUser(username="kim", is_staff=True), ()),
        (NewUser(username="kim", is_superuser=True), ()),
        (NewUser(username="kim"), ("wiki",)),
    ],
)
def test_staff_create_plain_users_alone(desk: Desk, new: NewUser, chosen: tuple[str, ...]) -> None:
    desk.people.add("stan", is_staff=True)
    stan = who(desk, "stan")
    assert create_user(desk.ctx, stan, new, groups=chosen) is Outcome.SUPERUSERS_ONLY
    with pytest.raises(NoSuchUserError):
        desk.people.get("kim")
    assert isinstance(create_user(desk.ctx, stan, NewUser(username="kim")), User)


def test_who_is_no_administrator_any_more_creates_nobody(desk: Desk) -> None:
    desk.people.add("kim")
    new = NewUser(username="lee")
    assert create_user(desk.ctx, who(desk, "kim"), new) is Outcome.NO_ADMINISTRATOR
    assert create_user(desk.ctx, By(account_id=999, username="x"), new) is Outcome.NO_ADMINISTRATOR


def test_nothing_is_left_of_a_user_who_cannot_be_created(desk: Desk, root: By) -> None:
    before = audited(desk.db)
    with pytest.raises(UserExistsError):
        create_user(desk.ctx, root, NewUser(username="ROOT"))
    with pytest.raises(PasswordRefusedError):
        create_user(desk.ctx, root, NewUser(username="kim"), password="short")
    with pytest.raises(NoSuchGroupError):
        create_user(desk.ctx, root, NewUser(username="kim"), groups=("nobody",))
    with pytest.raises(NoSuchUserError):
        People(desk.db).get("kim")
    assert audited(desk.db) == before


def test_who_change_the_groups_of_the_same_users_do_not_wait_in_a_ring(postgres_db: Database) -> None:
    db = postgres_db
    ada, ben = (People(db).add(name) for name in ("ada", "ben"))
    author = Author(username="test")
    with db.write() as connection:
        groups.create(connection, "wiki")

    def add_both() -> None:
        with db.write() as connection:
            memberships.add(connection, author, "wiki", [ben, ada])

    with db.write() as connection:
        memberships.add(connection, author, "wiki", [ada])
        thread = threading.Thread(target=add_both)
        thread.start()
        until(lambda: _waits(db), "somebody waits for a lock")
        memberships.add(connection, author, "wiki", [ben])
    thread.join()
    with db.read() as connection:
        assert groups.all_groups(connection) == {"wiki": 2}


def _waits(db: Database) -> bool:
    with db.read() as connection:
        waiting = "SELECT count(*) FROM pg_stat_activity"
        waiting += " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(connection.exec_driver_sql(waiting).scalar_one())
