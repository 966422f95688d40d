"""Logging in: codes, recovery codes, Back, forms that were open for too long, and what policies ask."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import delete

from practicus_mfa.storage import schema
from tests.support.browser import (
    give_code,
    give_password,
    heading,
    log_in,
    path_of,
    press,
    press_key,
    shown_codes,
    shown_secret,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Open
    from tests.support.login_people import LoginPeople

WRONG_CODE: Final = "That code is wrong, or was used already. Wait for the next one."


def alert(page: Page) -> str:
    return page.get_by_role("alert").inner_text()


def test_a_wrong_password_is_told_and_the_name_is_kept(page: Page, people: LoginPeople) -> None:
    person = people.add()
    give_password(page, person, password="not the password")
    assert alert(page) == "The user name or the password is wrong."
    assert page.get_by_label("User name").input_value() == person.username
    assert page.get_by_label("Password").input_value() == ""
    page.get_by_label("Password").fill(person.password)
    press_key(page, "Enter")
    assert path_of(page) == "/login/totp"


def test_three_wrong_codes_and_then_the_right_one(page: Page, people: LoginPeople) -> None:
    person = people.add()
    give_password(page, person)
    for _ in range(3):
        give_code(page, person.wrong_code())
        assert alert(page) == WRONG_CODE
    give_code(page, person.code())
    assert path_of(page) == "/account"


def test_failures_since_the_last_log_in_are_told_at_the_next(open_window: Open, people: LoginPeople) -> None:
    person, page = people.add(), open_window()
    log_in(open_window(), person)
    people.forget_codes(person)
    for _ in range(3):
        give_password(page, person, password="not the password")
    log_in(page, person)
    assert heading(page) == "Since your last log-in"
    assert "3 log-ins failed" in page.locator("main").inner_text()
    # Another language would be another page, without the news.
    assert page.locator("header, footer").get_by_role("link").all_inner_texts() == [
        person.username,
        "Log out",
    ]
    press(page, "Continue")
    assert path_of(page) == "/account"


def test_a_code_opens_one_door(open_window: Open, people: LoginPeople) -> None:
    person, first, second = people.add(), open_window(), open_window()
    code = person.code()
    give_password(first, person)
    give_password(second, person)
    give_code(first, code)
    assert path_of(first) == "/account"
    give_code(second, code)
    assert alert(second) == WRONG_CODE
    second.goto("/account")
    assert heading(second) == "Log in"


def test_codes_may_be_typed_with_a_gap(page: Page, people: LoginPeople) -> None:
    person = people.add()
    give_password(page, person)
    code = person.code()
    give_code(page, f"{code[:3]} {code[3:]}")
    assert path_of(page) == "/account"


def test_after_too_many_wrong_codes_it_says_how_long_to_wait(page: Page, people: LoginPeople) -> None:
    person = people.add()
    give_password(page, person)
    for _ in range(5):
        give_code(page, person.wrong_code())
    people.pass_time(person, "mfa_attempts", "stopped_until", span=-timedelta(hours=1))
    give_code(page, person.code())
    assert "Too many tries. Wait" in alert(page)
    with people.db.write() as connection:
        connection.execute(delete(schema.attempts))
    give_code(page, person.code())
    assert path_of(page) == "/account"


def test_a_recovery_code_works_once_and_the_next_log_in_tells_of_it(
    open_window: Open, people: LoginPeople
) -> None:
    person, page = people.add(), open_window()
    log_in(page, person)
    press(page, "New recovery codes")
    press(page, "Make new codes")
    codes = shown_codes(page)
    lost, late = open_window(), open_window()
    for window in (lost, late):
        give_password(window, person)
        press(window, "Use a recovery code")
    # As people write them down.
    give_code(lost, codes[0].lower().replace("-", " "))
    assert heading(lost) == "Since your last log-in"
    assert "New recovery codes were made" in lost.locator("main").inner_text()
    assert "was used" not in lost.locator("main").inner_text()
    press(lost, "Continue")
    assert "9 recovery codes are left." in lost.locator("main").inner_text()
    give_code(late, codes[0])
    assert alert(late) == "That code is wrong, or was used already. Type another one of your codes."
    give_code(late, codes[1])
    assert "1 recovery code was used" in late.locator("main").inner_text()
    press(late, "Continue")
    assert "8 recovery codes are left." in late.locator("main").inner_text()


def test_back_shows_neither_the_account_after_log_out_nor_the_form_after_log_in(
    page: Page, people: LoginPeople
) -> None:
    log_in(page, people.add())
    assert path_of(page) == "/account"
    page.go_back()
    assert path_of(page) == "/account"
    page.goto("/login")
    assert path_of(page) == "/account"
    press(page, "Log out", within="header")
    press(page, "Log out")
    assert page.get_by_role("status").inner_text() == "You are logged out."
    page.go_back()
    assert "Where you are logged in" not in page.content()
    page.goto("/account")
    assert heading(page) == "Log in"


def test_a_log_in_leads_where_the_user_wanted_to_go(page: Page, people: LoginPeople) -> None:
    log_in(page, people.add(), path="/account?done=session")
    assert path_of(page) == "/account?done=session"


def test_a_form_that_was_open_for_too_long_is_shown_again(page: Page, people: LoginPeople) -> None:
    person = people.add()
    page.goto("/login")
    page.context.clear_cookies()
    page.get_by_label("User name").fill(person.username)
    page.get_by_label("Password").fill(person.password)
    press(page, "Log in")
    assert "Allow cookies for this site" in page.get_by_role("status").inner_text()
    assert page.get_by_label("User name").input_value() == person.username
    page.get_by_label("Password").fill(person.password)
    press(page, "Log in")
    assert path_of(page) == "/login/totp"


def test_a_form_from_before_another_log_in_is_shown_again(page: Page, people: LoginPeople) -> None:
    person, other = people.add(), page.context.new_page()
    page.goto("/login")
    log_in(other, person)
    page.get_by_label("User name").fill(person.username)
    page.get_by_label("Password").fill(person.password)
    press(page, "Log in")
    assert "a log-in came in between" in page.get_by_role("status").inner_text()


def test_a_half_log_in_ends_after_ten_minutes(page: Page, people: LoginPeople) -> None:
    person = people.add()
    give_password(page, person)
    people.pass_time(person, "mfa_half_logins", "created_at", "expires_at", span=timedelta(minutes=10))
    give_code(page, person.code())
    assert page.get_by_role("status").inner_text() == "Your log-in was not finished in time. Begin again."
    log_in(page, person)
    assert path_of(page) == "/account"


def test_administrators_alone_must_have_mfa_where_the_policy_says_so(
    open_window: Open, people: LoginPeople
) -> None:
    people.policy(mfa={"mandatoryForSysAdmins": True})
    for flags in ({"is_staff": True}, {"is_superuser": True}, {}):
        page, person = open_window(), people.add(enrolled=False, **flags)
        log_in(page, person)
        assert path_of(page) == ("/enroll" if flags else "/account")


def test_a_policy_that_becomes_mandatory_acts_on_who_is_logged_in(page: Page, people: LoginPeople) -> None:
    person = people.add(enrolled=False)
    log_in(page, person)
    assert "Not set up" in page.locator("main").inner_text()
    people.policy(mfa={"mandatory": True})
    page.goto("/account")
    assert path_of(page) == "/enroll"
    person.secret = shown_secret(page)
    give_code(page, person.code())
    press(page, "I have saved them")
    assert path_of(page) == "/account"


@pytest.mark.policy(mfa={"mandatory": True, "gracePeriodDays": 7})
def test_a_grace_period_lets_in_until_it_is_over(open_window: Open, people: LoginPeople) -> None:
    person, page = people.add(enrolled=False), open_window()
    log_in(page, person)
    assert path_of(page) == "/account"
    assert "Your organisation wants you to set it up by" in page.locator("main").inner_text()
    people.pass_time(person, "mfa_users", "enrol_by", span=timedelta(days=7, minutes=1))
    page.reload()
    assert path_of(page) == "/enroll"
    other = open_window()
    give_password(other, person)
    assert path_of(other) == "/enroll"


@pytest.mark.policy(mfa={"enabled": False})
def test_mfa_switched_off_asks_for_no_code_and_loses_nothing(page: Page, people: LoginPeople) -> None:
    person = people.add()
    give_password(page, person)
    press(page, "No, only for now")
    assert path_of(page) == "/account"
    assert "MFA is switched off for everybody." in page.locator("main").inner_text()
    page.goto("/enroll")
    assert heading(page) == "MFA is switched off"
    people.policy()
    # This session never gave a code.
    page.goto("/account")
    assert heading(page) == "Log in"
    log_in(page, person)
    assert path_of(page) == "/account"


REMEMBERED: Final[list[tuple[dict[str, Any], dict[str, bool], bool]]] = [
    ({}, {"is_staff": True}, True),
    ({"enabled": False}, {}, False),
    ({"disabledForSysAdmins": True}, {}, True),
    ({"disabledForSysAdmins": True}, {"is_staff": True}, False),
]


@pytest.mark.parametrize(("rules", "values", "offered"), REMEMBERED)
def test_staying_logged_in_is_offered_to_whom_the_policy_allows_it(
    page: Page,
    people: LoginPeople,
    rules: dict[str, Any],
    values: dict[str, bool],
    offered: bool,
) -> None:
    people.policy(rememberMe=rules)
    give_password(page, people.add(**values))
    assert page.get_by_label("Stay logged in").is_visible() == offered
