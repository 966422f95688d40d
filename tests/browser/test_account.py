"""The account page: sessions, password, recovery codes, MFA, each behind a fresh proof; and set-up links."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tests.support.browser import (
    give_code,
    give_password,
    heading,
    log_in,
    path_of,
    press,
    shown_codes,
    shown_secret,
    submit,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Open
    from tests.support.login_people import LoginPeople

NEW_PASSWORD: Final = "four unrelated words here"


def status(page: Page) -> str:
    return page.get_by_role("status").inner_text()


def choose_password(page: Page, password: str) -> None:
    page.locator("#new_password").fill(password)
    page.locator("#repeated").fill(password)
    submit(page)


def test_another_browser_is_logged_out_at_once(open_window: Open, people: LoginPeople) -> None:
    person, here, there = people.add(), open_window(), open_window()
    log_in(there, person)
    people.forget_codes(person)
    log_in(here, person)
    here.get_by_role("button", name="End the session of").click()
    assert status(here) == "The session was ended."
    there.reload()
    assert heading(there) == "Log in"
    assert here.get_by_role("button", name="End").count() == 0


def test_logging_out_everywhere_logs_out_everywhere(open_window: Open, people: LoginPeople) -> None:
    person, here, there = people.add(), open_window(), open_window()
    log_in(there, person)
    people.forget_codes(person)
    log_in(here, person)
    press(here, "Log out", within="header")
    press(here, "Log out everywhere")
    for window in (here, there):
        window.goto("/account")
        assert heading(window) == "Log in"


def test_a_changed_password_ends_other_sessions_and_replaces_the_old_one(
    open_window: Open, people: LoginPeople
) -> None:
    person, here, there = people.add(enrolled=False), open_window(), open_window()
    log_in(there, person)
    log_in(here, person)
    press(here, "Change password")
    choose_password(here, "password1234")
    assert "Many people have that password." in here.get_by_role("alert").inner_text()
    here.locator("#new_password").fill(NEW_PASSWORD)
    here.locator("#repeated").fill("another one")
    submit(here)
    assert here.get_by_role("alert").inner_text() == "The two passwords are not the same. Type them again."
    choose_password(here, NEW_PASSWORD)
    assert status(here) == "Your password was changed, and all your other sessions were ended."
    there.reload()
    assert heading(there) == "Log in"
    give_password(there, person)
    assert there.get_by_role("alert").inner_text() == "The user name or the password is wrong."
    person.password = NEW_PASSWORD
    log_in(there, person)
    assert "Your password was changed" in there.locator("main").inner_text()


def test_an_old_proof_is_asked_for_again_with_both_factors(page: Page, people: LoginPeople) -> None:
    person = people.add()
    log_in(page, person)
    people.pass_time(person, "mfa_sessions", "proved_at", span=timedelta(minutes=5, seconds=1))
    press(page, "New recovery codes")
    assert heading(page) == "Is it you?"
    people.forget_codes(person)
    for password, code, answer in (
        ("not the password", person.code(), "The password is wrong."),
        (person.password, person.wrong_code(), "That code is wrong, or was used already."),
    ):
        page.locator("#password").fill(password)
        give_code(page, code)
        assert answer in page.get_by_role("alert").inner_text()
    page.locator("#password").fill(person.password)
    give_code(page, person.code())
    assert heading(page) == "New recovery codes"
    press(page, "Make new codes")
    assert len(shown_codes(page)) == 10


def test_a_new_app_takes_the_place_of_the_old_one(open_window: Open, people: LoginPeople) -> None:
    person, page, other = people.add(), open_window(), open_window()
    log_in(page, person)
    press(page, "New authenticator app")
    old, person.secret = person.secret, shown_secret(page)
    assert old != person.secret
    give_code(page, person.code())
    assert len(shown_codes(page)) == 10
    people.forget_codes(person)
    give_password(other, person)
    give_code(other, person.code())
    assert "An authenticator app was set up" in other.locator("main").inner_text()


def test_mfa_is_removed_where_the_policy_lets_it_go(page: Page, people: LoginPeople) -> None:
    person = people.add()
    log_in(page, person)
    press(page, "Remove MFA")
    press(page, "Remove MFA")
    assert status(page) == "MFA was removed, and all your other sessions were ended."
    assert "your password is all that protects this account" in page.locator("main").inner_text()
    people.policy(mfa={"mandatory": True})
    page.goto("/account")
    assert path_of(page) == "/enroll"


def test_a_set_up_link_gives_a_password_once(open_window: Open, people: LoginPeople) -> None:
    person, page, late = people.add(), open_window(), open_window()
    path = people.setup_path(person)
    for window in (page, late):
        window.goto(path)
        assert heading(window) == "Choose your password"
    choose_password(page, NEW_PASSWORD)
    # It stands in for the password, not for the code.
    assert path_of(page) == "/login/totp"
    give_code(page, person.code())
    assert path_of(page) == "/account"
    choose_password(late, "somebody else's password")
    assert heading(late) == "This link does not work any more"
