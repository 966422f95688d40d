"""The Users and Groups pages in a browser: by axe, on every width, in both lights, by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from practicus_mfa.storage import groups
from practicus_mfa.storage.users import NewUser, create_many
from tests.support.browser import (
    check_for_everybody,
    heading,
    log_in,
    path_of,
    press_key,
    submit,
    tab_to,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.login_people import LoginPeople, Person

USERS: Final = "/admin/users"
OPS: Final = "/admin/groups/ops"

GUESTS: Final = 120
"""Users beside those of the tests: more than two pages."""


@dataclass
class Office:
    """Who is there: an administrator, in whose window the pages are, and a user.

    Attributes:
        people: All users of the service.
        admin: A superuser who has just logged in.
        person: A user.
        guest: What the other users are found by.
    """

    people: LoginPeople
    admin: Person
    person: Person
    guest: str = "guest"

    def of(self, path: str) -> str:
        """The address of a page of the user."""
        return f"{USERS}/{self.people.id_of(self.person)}{path}"


Reach: TypeAlias = "Callable[[Page, Office], None]"
"""Gets the administrator's window somewhere."""


@pytest.fixture
def office(people: LoginPeople) -> Office:
    with people.db.write() as connection:
        new = [NewUser(username=f"guest{number:03}", email="guest@example.com") for number in range(GUESTS)]
        create_many(connection, new)
        if "ops" not in groups.all_groups(connection):
            groups.create(connection, "ops")
    office = Office(people, people.add(is_superuser=True), people.add())
    with people.db.write() as connection:
        groups.add(connection, "ops", [people.id_of(office.admin), people.id_of(office.person)])
    agent = "Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0"
    people.add_session(office.person, user_agent=agent, address="2001:db8:85a3:1319:8a2e:370:7344:abcd")
    return office


def at(path: str) -> Reach:
    return lambda page, office: _go(page, path)


def of_user(path: str = "") -> Reach:
    return lambda page, office: _go(page, office.of(path))


def _go(page: Page, path: str) -> None:
    page.goto(path)


def choose(page: Page, *, which: str = "ticked") -> None:
    page.goto(f"{USERS}?search=guest")
    for box in page.locator(".tick input").all()[:3]:
        box.check()
    page.locator("#action-bottom").select_option("unlock")
    page.locator("#which-bottom").select_option(which)
    with page.expect_navigation():
        page.locator("button[name=go][value=bottom]").click()


def nothing_chosen(page: Page, office: Office) -> None:
    page.goto(USERS)
    with page.expect_navigation():
        page.locator("button[name=go][value=top]").click()


def confirmation(page: Page, office: Office) -> None:
    choose(page)


def wrong_code(page: Page, office: Office) -> None:
    office.people.pass_time(office.admin, "mfa_sessions", "second_factor_at", span=timedelta(minutes=16))
    choose(page)
    page.locator("#proof").fill("000000")
    submit(page)


def result(page: Page, office: Office) -> None:
    choose(page)
    submit(page)


def running(page: Page, office: Office) -> None:
    choose(page, which="all")
    submit(page)
    page.goto(f"{path_of(page)}&still=1")


def refused_edit(page: Page, office: Office) -> None:
    page.goto(office.of("/edit"))
    page.evaluate("document.querySelector('#name').maxLength = 300")
    page.locator("#name").fill("x" * 255)
    submit(page)


def refused_user(page: Page, office: Office) -> None:
    page.goto(f"{USERS}/new")
    page.locator("#username").fill("a,b")
    page.locator("#by-password").check()
    page.locator("#new_password").fill("short")
    submit(page)


def link(page: Page, office: Office) -> None:
    page.goto(office.of("/setup-link"))
    submit(page)


STOPS: Final[dict[str, tuple[str, Reach]]] = {
    "users": ("users.html", at(USERS)),
    "found": ("users.html", at(f"{USERS}?search=ex&show=without-mfa&sort=last_login&descending=1")),
    "nobody-found": ("users.html", at(f"{USERS}?search=nobody")),
    "nothing-chosen": ("users.html", nothing_chosen),
    "confirmation": ("confirm.html", confirmation),
    "wrong-code": ("confirm.html", wrong_code),
    "result": ("run.html", result),
    "running": ("run.html", running),
    "user": ("user.html", of_user()),
    "edit": ("user_edit.html", of_user("/edit")),
    "edit-refused": ("user_edit.html", refused_edit),
    "new": ("user_new.html", at(f"{USERS}/new")),
    "new-refused": ("user_new.html", refused_user),
    "link-asked-for": ("sure.html", of_user("/setup-link")),
    "link": ("setup_link.html", link),
    "groups": ("groups.html", at("/admin/groups")),
    "group": ("group.html", at(OPS)),
    "group-to-be-deleted": ("sure.html", at(f"{OPS}/delete")),
}


def test_no_page_is_left_out() -> None:
    templates = (files("practicus_mfa.web") / "templates" / "admin").iterdir()
    others = ("base", "settings", "audit")
    pages = {each.name for each in templates if each.read_text("utf-8").startswith("{% extends")}
    assert {template for template, _ in STOPS.values()} == {
        name for name in pages if not name.startswith(others)
    }


@pytest.mark.parametrize(("template", "reach"), STOPS.values(), ids=STOPS)
def test_axe_finds_nothing_in_any_light_at_any_width(
    page: Page, office: Office, template: str, reach: Reach
) -> None:
    log_in(page, office.admin)
    reach(page, office)
    check_for_everybody(page, template)


def test_many_are_chosen_and_confirmed_without_a_mouse(page: Page, office: Office) -> None:
    log_in(page, office.admin)
    page.goto(USERS)
    tab_to(page, "#search")
    page.keyboard.type("guest00")
    press_key(page, "Enter")
    tab_to(page, "#action-top")
    page.keyboard.press("U")
    tab_to(page, ".tick input")
    page.keyboard.press("Space")
    tab_to(page, "button[name=go][value=bottom]")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("U")
    tab_to(page, "button[name=go][value=bottom]")
    press_key(page, "Enter")
    assert heading(page) == "Unlock"
    assert page.get_by_text("Unlock for 1 user?").is_visible()
    tab_to(page, "main button[type=submit]")
    press_key(page, "Enter")
    assert page.get_by_text("Done, for 1 user.").is_visible()
    tab_to(page, "main a.button")
    press_key(page, "Enter")
    assert path_of(page) == f"{USERS}?search=guest00"
    tab_to(page, "th[aria-sort] a")
    press_key(page, "Enter")
    assert page.locator("th[aria-sort=descending]").is_visible()
