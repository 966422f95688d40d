"""One user's page in Chromium: each of its buttons, adding, editing, handing out links, groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from practicus_mfa.storage import users
from tests.support.admin_browser import (
    USERS,
    confirm,
    counts,
    go_to_list,
    listed,
    main_text,
    said,
)
from tests.support.browser import (
    give_code,
    give_password,
    heading,
    log_in,
    path_of,
    press,
)
from tests.support.crew import BARE, BROKEN, MOVING, THERE, crew, keys
from tests.support.login_people import Person

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from practicus_mfa.storage.users import User
    from tests.browser.conftest import Open
    from tests.support.login_people import LoginPeople

CHOSEN: Final = "four unrelated words here"
HANDED_OUT: Final = "a word that others know"


def stored(people: LoginPeople, username: str) -> User:
    with people.db.read() as connection:
        return users.get(connection, username)


def choose_password(page: Page, password: str) -> None:
    page.locator("#new_password").fill(password)
    page.locator("#repeated").fill(password)
    with page.expect_navigation():
        page.locator("main button[type=submit]").first.click()


def open_user(page: Page, username: str) -> None:
    go_to_list(page, search=username)
    press(page, username)


def buttons(page: Page) -> set[str]:
    return set(page.locator(".acts button").all_inner_texts())


def test_the_page_offers_what_there_is_to_do_and_each_button_does_it(
    window: Page, people: LoginPeople
) -> None:
    crewed = crew(people, "alone")
    rolling, active = keys(people)
    offered = {
        BARE: {"Disable"},
        MOVING: {"Remove MFA setup", "Migrate MFA fernet key to active", "Disable"},
        THERE: {"Remove MFA setup", "Unlock", "Disable", "End sessions"},
        BROKEN: {"Remove MFA setup", "Enable"},
    }
    for sort, wanted in offered.items():
        open_user(window, crewed.one(sort))
        assert buttons(window) == wanted, sort
    for sort, action, outcome in (
        (MOVING, "Migrate MFA fernet key to active", "migrated to the active key"),
        (THERE, "Unlock", "unlocked"),
        (THERE, "End sessions", "sessions ended"),
        (THERE, "Disable", "disabled"),
        (THERE, "Enable", "enabled"),
        (BROKEN, "Remove MFA setup", "MFA removed"),
        (BROKEN, "Enable", "enabled"),
    ):
        open_user(window, crewed.one(sort))
        press(window, action)
        assert f"{action} for 1 user?" in main_text(window)
        confirm(window, action)
        assert counts(window) == {outcome: "1"}
        press(window, "Back")
        assert heading(window) == crewed.one(sort)
        assert action not in buttons(window)
    assert crewed.active() == set(crewed.names)
    assert crewed.under(active) == {crewed.one(MOVING), crewed.one(THERE)}
    assert (crewed.under(rolling), crewed.stopped(), crewed.sessions()) == (set(), 0, 0)
    # The acts stand in the page's own part of the audit.
    open_user(window, crewed.one(THERE))
    told = window.locator("section[aria-labelledby=audit] td[data-label=What]").all_inner_texts()
    assert told[:4] == ["User enabled", "User disabled", "All sessions ended", "User unlocked"]


def test_one_session_is_ended_and_known_browsers_are_forgotten(
    window: Page, open_window: Open, people: LoginPeople
) -> None:
    person, there = people.add(username="sitting"), open_window()
    log_in(there, person, remember=True)
    people.add_session(person, user_agent="", address="203.0.113.9")
    open_user(window, person.username)
    assert window.locator(".sessions li").count() == 2
    of_browser = window.locator(".sessions li").filter(has_not_text="203.0.113.9")
    with window.expect_navigation():
        of_browser.get_by_role("button").click()
    assert said(window) == "The session was ended."
    there.reload()
    assert heading(there) == "Log in"
    assert "1 browser is known" in main_text(window)
    press(window, "Forget known browsers")
    assert said(window) == "The known browsers were forgotten."
    assert "No browser of this user is known." in main_text(window)


def test_a_new_user_follows_the_link_and_is_in(window: Page, open_window: Open, people: LoginPeople) -> None:
    go_to_list(window)
    press(window, "Add user")
    window.get_by_label("User name").fill("newcomer")
    window.get_by_label("Name", exact=True).fill("Ayşe Öztürk")
    window.get_by_label("E-mail address").fill("ayse@example.org")
    press(window, "Add user")
    assert heading(window) == "Set-up link for newcomer"
    link = window.locator("#setup-link").inner_text()
    press(window, "Done")
    assert "good until" in main_text(window)
    there = open_window()
    there.goto(link)
    choose_password(there, CHOSEN)
    if path_of(there) == "/login/remember":
        press(there, "No, only for now")
    assert path_of(there) == "/account"
    window.reload()
    assert "good until" not in main_text(window)
    assert stored(people, "newcomer").name == "Ayşe Öztürk"
    # Once.
    late = open_window()
    late.goto(link)
    assert heading(late) == "This link does not work any more"


def test_who_is_given_a_password_must_choose_another_one(window: Page, open_window: Open) -> None:
    window.goto(f"{USERS}/new")
    window.get_by_label("User name").fill("begins")
    window.get_by_label("By a password that you choose").check()
    window.locator("#new_password").fill(HANDED_OUT)
    window.locator("#repeated").fill("something else")
    press(window, "Add user")
    assert "The two passwords are not the same." in window.get_by_role("alert").inner_text()
    assert window.get_by_label("User name").input_value() == "begins"
    assert window.get_by_label("By a password that you choose").is_checked()
    window.locator("#new_password").fill(HANDED_OUT)
    window.locator("#repeated").fill(HANDED_OUT)
    assert window.get_by_label("Must change the password").is_checked()
    press(window, "Add user")
    assert said(window) == "The user was added."
    person, there = Person("begins", HANDED_OUT), open_window()
    log_in(there, person)
    assert path_of(there) == "/account/password"
    there.goto("/account")
    assert path_of(there) == "/account/password"
    choose_password(there, HANDED_OUT)
    assert "somebody else chose" in there.get_by_role("alert").inner_text()
    choose_password(there, CHOSEN)
    there.goto("/account")
    assert heading(there) == "Your account"


def test_a_user_is_edited_and_a_role_ends_the_sessions(
    window: Page, open_window: Open, people: LoginPeople
) -> None:
    person, there = people.add(username="edited", email="old@example.org"), open_window()
    log_in(there, person)
    open_user(window, "edited")
    press(window, "Edit")
    window.get_by_label("E-mail address").fill("new@example.org")
    window.get_by_label("Staff").check()
    press(window, "Save")
    assert said(window) == "Saved."
    assert (stored(people, "edited").email, stored(people, "edited").is_staff) == ("new@example.org", True)
    there.reload()
    assert heading(there) == "Log in"
    people.forget_codes(person)
    log_in(there, person)
    press(there, "Administration", within="header")
    assert heading(there) == "Users"


def test_a_link_for_a_user_replaces_the_password_but_not_the_code(
    window: Page, open_window: Open, people: LoginPeople
) -> None:
    person, there = people.add(username="forgetful"), open_window()
    open_user(window, person.username)
    press(window, "Set-up link")
    press(window, "Make a set-up link")
    there.goto(window.locator("#setup-link").inner_text())
    choose_password(there, CHOSEN)
    give_code(there, person.code())
    assert path_of(there) == "/account"
    late = open_window()
    give_password(late, person)
    assert late.get_by_role("alert").inner_text() == "The user name or the password is wrong."


@pytest.mark.parametrize("by_form", ["group", "user"])
def test_a_group_is_made_filled_emptied_and_deleted(window: Page, people: LoginPeople, by_form: str) -> None:
    person = people.add(username=f"member-{by_form}")
    press(window, "Groups", within=".sections")
    window.get_by_label("Name", exact=True).fill(f"team-{by_form}")
    press(window, "Make the group")
    assert said(window) == "The group was made."
    if by_form == "group":
        press(window, "team-group")
        window.get_by_label("User name").fill("nobody at all")
        press(window, "Add")
        assert window.get_by_role("alert").inner_text() == "There is no user of that name."
        window.get_by_label("User name").fill(person.username)
        press(window, "Add")
        assert said(window) == "The user is a member now."
    else:
        open_user(window, person.username)
        press(window, "Edit")
        window.get_by_label("team-user").check()
        press(window, "Save")
        press(window, "Groups", within=".sections")
        press(window, "team-user")
    assert listed(window) == [person.username]
    press(window, f"Remove {person.username} from the group")
    assert "Nobody is in this group." in main_text(window)
    press(window, "Delete the group")
    press(window, "Delete the group")
    assert said(window) == "The group was deleted."
    assert f"team-{by_form}" not in main_text(window)
