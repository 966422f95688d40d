"""The ways to the administrators' pages about users.

They use no words of the pages, so that they lead there in every language. The site's rotation must be held up
(:mod:`tests.support.held_up_rotation`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from sqlalchemy import update

from practicus_mfa.clock import utc_now
from practicus_mfa.core.login.rights import Action
from practicus_mfa.storage import bulk_run_rows, bulk_runs, schema
from practicus_mfa.storage.user_list import Wanted
from tests.support import browser
from tests.support.admin_browser import USERS, a_while_later, go_to_list
from tests.support.office import BROKEN, LONGEST, MOVING, STAFF, Office, office

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Page

    from tests.support.login_people import LoginPeople, Person

    Way = Callable[[Page, LoginPeople], None]


_LOGGED_IN: Final[WeakKeyDictionary[BrowserContext, str]] = WeakKeyDictionary()
"""Who is logged in in which browser, with a code that is new enough to act by."""


def log_in(page: Page, people: LoginPeople, person: Person) -> None:
    """Log in, where it is not this one who is."""
    if _LOGGED_IN.get(page.context) == person.username:
        return
    page.context.clear_cookies()
    people.forget_codes(person)
    browser.log_in(page, person)
    _LOGGED_IN[page.context] = person.username


def some_time_later(people: LoginPeople) -> None:
    """Have the superuser's last code be too long ago to act by."""
    a_while_later(people, office(people).root)
    _LOGGED_IN.clear()


def enter(page: Page, people: LoginPeople) -> Office:
    """Log in as the superuser."""
    there = office(people)
    log_in(page, people, there.root)
    return there


def press(page: Page, button: str) -> None:
    """Press a button, and wait for the page that it leads to."""
    with page.expect_navigation():
        page.locator(button).first.click()


def send(page: Page) -> None:
    """Press the last button of the page's forms."""
    with page.expect_navigation():
        page.locator("main form button[type=submit]").last.click()


def at(path: str) -> Way:
    """The superuser's way to an address."""

    def reach(page: Page, people: LoginPeople) -> None:
        enter(page, people)
        page.goto(path)

    return reach


def user(name: str, part: str = "") -> Way:
    """The superuser's way to a page of a user."""

    def reach(page: Page, people: LoginPeople) -> None:
        page.goto(f"{USERS}/{enter(page, people).ids[name]}{part}")

    return reach


def later(way: Way) -> Way:
    """The same, where a code is asked for."""

    def reach(page: Page, people: LoginPeople) -> None:
        way(page, people)
        some_time_later(people)
        page.reload()

    return reach


# --- users ---------------------------------------------------------------------------------------


def choose(page: Page, people: LoginPeople, action: Action, *names: str) -> None:
    ids = office(people).ids
    for name in names:
        page.locator(f"#u{ids[name]}").check()
    page.locator("#action-top").select_option(str(action))
    press(page, "button[name=go]")


def nothing_chosen(page: Page, people: LoginPeople) -> None:
    enter(page, people)
    go_to_list(page, search="hamilton")
    choose(page, people, Action.REMOVE_MFA)


def confirm(page: Page, people: LoginPeople) -> None:
    enter(page, people)
    go_to_list(page, search="hamilton")
    choose(page, people, Action.REMOVE_MFA, MOVING, BROKEN, STAFF)


def confirm_by_code(page: Page, people: LoginPeople) -> None:
    there = enter(page, people)
    go_to_list(page, search="hamilton")
    some_time_later(people)
    choose(page, people, Action.DISABLE, MOVING, BROKEN, STAFF)
    page.locator("#proof").fill(there.root.wrong_code())
    press(page, "main form button[type=submit]")


def confirm_as_staff(page: Page, people: LoginPeople) -> None:
    there = office(people)
    log_in(page, people, there.staff)
    go_to_list(page, search="hamilton")
    choose(page, people, Action.UNLOCK, MOVING, BROKEN, STAFF)


def result(page: Page, people: LoginPeople) -> None:
    enter(page, people)
    go_to_list(page, search="lovelace")
    page.locator("#action-top").select_option(str(Action.UNLOCK))
    page.locator("#which-top").select_option("page")
    press(page, "button[name=go]")
    press(page, "main form button[type=submit]")


def result_to_look_at(page: Page, people: LoginPeople) -> None:
    enter(page, people)
    go_to_list(page, search="barbara.hamilton")
    choose(page, people, Action.MIGRATE_KEY, BROKEN)
    press(page, "main form button[type=submit]")


def under_way(page: Page, people: LoginPeople) -> None:
    """A run that another replica is at, and that stays as it is."""
    there = enter(page, people)
    with people.db.write() as connection:
        run = bulk_runs.create(
            connection,
            bulk_run_rows.NewRun(
                action=Action.MIGRATE_KEY,
                actor_id=people.id_of(there.root),
                actor=there.root.username,
                address="203.0.113.20",
                session_id=None,
                selection=bulk_runs.fitting(connection, Wanted()),
            ),
            worker="another replica",
        )
        rows = schema.bulk_runs
        half = {
            "total": 3000,
            "counts": {"migrated": 1188, "already active": 12},
            "worker_until": utc_now() + timedelta(days=1),
        }
        connection.execute(update(rows).where(rows.c.id == run.id).values(half))
    page.goto(f"{USERS}/runs/{run.id}?still=1")


def edit_conflict(page: Page, people: LoginPeople) -> None:
    user(LONGEST, "/edit")(page, people)
    with people.db.write() as connection:
        rows = schema.users
        changed = update(rows).where(rows.c.username == LONGEST)
        connection.execute(
            changed.values(name="Somebody Else", must_change_password=~rows.c.must_change_password)
        )
    page.locator("#email").fill("shorter@example.org")
    send(page)


def new_wrong(page: Page, people: LoginPeople) -> None:
    at(f"{USERS}/new")(page, people)
    page.locator("#username").fill("root")
    page.locator("#name").fill("Niklaus Wirth")
    page.locator("#by-password").check()
    page.locator("#new_password").fill("password1234")
    page.locator("#repeated").fill("password1234")
    send(page)


def setup_link(page: Page, people: LoginPeople) -> None:
    user(MOVING, "/setup-link")(page, people)
    send(page)


def as_staff(page: Page, people: LoginPeople) -> None:
    there = office(people)
    log_in(page, people, there.staff)
    page.goto(f"{USERS}/{there.ids[STAFF]}")


def not_for_staff(page: Page, people: LoginPeople) -> None:
    log_in(page, people, office(people).staff)
    page.goto("/admin/groups")
