"""Who may do what: staff, others, a code asked for again; and two administrators at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from practicus_mfa.storage import users
from practicus_mfa.storage.user_changes import set_roles
from tests.support.admin_browser import (
    a_while_later,
    choose,
    counts,
    go_to_list,
    main_text,
    named,
    prove,
    said,
    tick,
)
from tests.support.browser import heading, log_in, path_of, press
from tests.support.crew import MOVING, THERE, crew

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from practicus_mfa.storage.users import User
    from tests.browser.conftest import Open
    from tests.support.login_people import LoginPeople, Person


def stored(people: LoginPeople, username: str) -> User:
    with people.db.read() as connection:
        return users.get(connection, username)


def administrator(
    open_window: Open,
    people: LoginPeople,
    **values: Any,  # noqa: ANN401 - as LoginPeople.add
) -> tuple[Person, Page]:
    """Somebody who has just logged in."""
    person, page = people.add(**values), open_window()
    log_in(page, person)
    return person, page


def test_a_wrong_code_keeps_what_was_ticked_and_a_right_one_does_it(
    open_window: Open, people: LoginPeople
) -> None:
    users_ = crew(people, "proof")
    person, page = administrator(open_window, people, is_superuser=True)
    go_to_list(page, search="proof")
    tick(page, users_.one(MOVING), users_.one(THERE))
    a_while_later(people, person)
    choose(page, "Disable")
    assert named(page) == [users_.one(MOVING), users_.one(THERE)]
    prove(page, person.wrong_code())
    press(page, "Disable")
    assert "That code is wrong" in page.get_by_role("alert").inner_text()
    assert named(page) == [users_.one(MOVING), users_.one(THERE)]
    assert len(users_.active()) == 3
    prove(page, person.code())
    press(page, "Disable")
    assert counts(page) == {"disabled": "2"}
    # For the next 15 minutes nobody is asked.
    press(page, "Back")
    tick(page, users_.one(MOVING))
    choose(page, "Enable")
    assert page.locator("#proof").count() == 0
    press(page, "Enable")
    assert counts(page) == {"enabled": "1"}


def test_who_has_no_app_gives_the_password_and_a_form_keeps_what_was_typed(
    open_window: Open, people: LoginPeople
) -> None:
    person, page = administrator(open_window, people, is_superuser=True, enrolled=False)
    crew(people, "typed")
    go_to_list(page, search="typed")
    press(page, "typed-there-0001")
    press(page, "Edit")
    a_while_later(people, person)
    page.get_by_label("Name", exact=True).fill("Typed once")
    press(page, "Save")
    assert "Give your password" in page.get_by_role("alert").inner_text()
    prove(page, "not the password")
    press(page, "Save")
    assert page.get_by_role("alert").inner_text() == "The password is wrong."
    assert page.get_by_label("Name", exact=True).input_value() == "Typed once"
    prove(page, person.password)
    press(page, "Save")
    assert said(page) == "Saved."
    assert stored(people, "typed-there-0001").name == "Typed once"


def test_staff_see_and_do_what_staff_may(open_window: Open, people: LoginPeople) -> None:
    users_ = crew(people, "staffed")
    boss = people.add(username="staffed-boss", is_superuser=True)
    _, page = administrator(open_window, people, is_staff=True)
    page.goto("/admin/users")
    assert page.locator(".sections a").all_inner_texts() == ["Users"]
    go_to_list(page, search="staffed")
    tick(page, users_.one(THERE), boss.username)
    choose(page, "Disable")
    assert "1 of them is an administrator, who stays untouched" in main_text(page)
    press(page, "Disable")
    assert counts(page) == {"disabled": "1", "refused: only superusers do that": "1"}
    assert stored(people, boss.username).is_active
    press(page, boss.username)
    assert "Only superusers act on administrators." in main_text(page)
    assert page.locator("main button").count() == 0
    go_to_list(page)
    press(page, "Add user")
    assert page.get_by_label("Superuser").count() == 0
    for path in ("/admin/groups", "/admin/settings", "/admin/audit"):
        answer = page.goto(path)
        assert answer is not None
        assert (answer.status, heading(page)) == (403, "That is not for you")


@pytest.mark.parametrize("path", ["/admin/users", "/admin/users.csv", "/admin/groups", "/admin/settings"])
def test_others_do_not_get_there(open_window: Open, people: LoginPeople, path: str) -> None:
    _, page = administrator(open_window, people)
    assert page.get_by_role("link", name="Administration").count() == 0
    answer = page.goto(path)
    assert answer is not None
    assert (answer.status, heading(page)) == (403, "That is not for you")


def test_who_loses_the_right_in_the_middle_of_it_stops_there(open_window: Open, people: LoginPeople) -> None:
    users_ = crew(people, "middle")
    person, page = administrator(open_window, people, is_staff=True)
    go_to_list(page, search="middle")
    choose(page, "Disable", whom="all 4 users on this page")
    with people.db.write() as connection:
        set_roles(connection, people.id_of(person), staff=False, superuser=False)
    press(page, "Disable")
    assert heading(page) == "That is not for you"
    assert len(users_.active()) == 3


def test_of_two_who_edit_a_user_the_later_one_is_told_and_takes_nothing_back(
    window: Page, open_window: Open, people: LoginPeople
) -> None:
    person = people.add(username="contested", name="Before")
    _, other = administrator(open_window, people, is_superuser=True)
    path = f"/admin/users/{people.id_of(person)}/edit"
    window.goto(path)
    other.goto(path)
    window.get_by_label("Name", exact=True).fill("First")
    press(window, "Save")
    other.get_by_label("E-mail address").fill("second@example.org")
    press(other, "Save")
    assert "Somebody else changed this user meanwhile" in other.get_by_role("alert").inner_text()
    assert named(other) == ["Name: was Before, is First now"]
    assert other.get_by_label("E-mail address").input_value() == "second@example.org"
    press(other, "Save")
    assert said(other) == "Saved."
    now = stored(people, "contested")
    assert (now.name, now.email) == ("First", "second@example.org")


def test_of_two_who_remove_the_same_mfa_the_later_one_is_told_that_there_is_none(
    window: Page, open_window: Open, people: LoginPeople
) -> None:
    users_ = crew(people, "twice")
    _, other = administrator(open_window, people, is_superuser=True)
    for page in (window, other):
        go_to_list(page, search="twice")
        tick(page, users_.one(THERE))
        choose(page, "Remove MFA setup")
    press(window, "Remove MFA setup")
    press(other, "Remove MFA setup")
    assert counts(window) == {"MFA removed": "1"}
    assert counts(other) == {"has no MFA": "1"}


def test_an_administrator_who_removes_the_own_mfa_goes_on(open_window: Open, people: LoginPeople) -> None:
    person, page = administrator(open_window, people, username="selfless", is_superuser=True)
    go_to_list(page, search="selfless")
    tick(page, "selfless")
    choose(page, "Remove MFA setup")
    assert "Your own account is among them: your MFA is removed, too." in main_text(page)
    press(page, "Remove MFA setup")
    assert counts(page) == {"MFA removed": "1"}
    press(page, "Back")
    assert path_of(page) == "/admin/users?search=selfless"
    # From now on the password is what is asked for.
    a_while_later(people, person)
    tick(page, "selfless")
    choose(page, "Unlock")
    assert page.get_by_label("Your password").is_visible()
