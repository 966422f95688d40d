"""Setting up an authenticator app, as a person does it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyotp
import pytest

from practicus_mfa.clock import utc_now
from tests.support.browser import (
    PHONE,
    give_code,
    give_password,
    heading,
    log_in,
    path_of,
    press,
    scan,
    shown_codes,
    shown_secret,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Open
    from tests.support.login_people import LoginPeople, Person

MANDATORY: Final = pytest.mark.policy(mfa={"mandatory": True})
pytestmark = MANDATORY

CODES: Final = "Save your recovery codes"


def enrol(page: Page, person: Person) -> list[str]:
    """Set up an app from the page that shows the secret; return the recovery codes."""
    person.secret = shown_secret(page)
    give_code(page, person.code())
    assert heading(page) == CODES
    return shown_codes(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_who_must_have_mfa_scans_the_code_from_the_screen_and_is_in(
    open_window: Open, people: LoginPeople, scheme: str
) -> None:
    person, page = people.add(enrolled=False), open_window(size=PHONE, color_scheme=scheme)
    give_password(page, person)
    assert path_of(page) == "/enroll"
    page.locator(".qr").scroll_into_view_if_needed()
    app = pyotp.parse_uri(scan(page))
    assert isinstance(app, pyotp.TOTP)
    assert (app.name, app.issuer, app.digits, app.interval) == (person.username, "Practicus AI", 6, 30)
    give_code(page, app.now())
    assert heading(page) == CODES
    assert len(shown_codes(page)) == 10
    assert page.locator("header").get_by_role("link").all_inner_texts() == [person.username, "Log out"]
    press(page, "I have saved them")
    assert path_of(page) == "/account"
    # The same app logs in from then on.
    person.secret = app.secret
    people.forget_codes(person)
    other = open_window()
    log_in(other, person)
    assert heading(other) != "Enter your code"
    assert page.context is not other.context


def test_until_it_is_done_every_way_leads_back_to_it(page: Page, people: LoginPeople) -> None:
    give_password(page, people.add(enrolled=False))
    for path in ("/account", "/account/password", "/"):
        page.goto(path)
        assert path_of(page).startswith("/login")
    page.goto("/login/totp")
    assert path_of(page) == "/enroll"


def test_tabs_reloads_and_wrong_codes_keep_the_secret(page: Page, people: LoginPeople) -> None:
    person = people.add(enrolled=False)
    give_password(page, person)
    person.secret = shown_secret(page)
    page.reload()
    assert shown_secret(page) == person.secret
    other = page.context.new_page()
    other.goto("/enroll")
    assert shown_secret(other) == person.secret
    for _ in range(3):
        give_code(page, person.wrong_code())
        assert "That is not the code of this app entry." in page.get_by_role("alert").inner_text()
        assert shown_secret(page) == person.secret
    assert pyotp.parse_uri(scan(page)).secret == person.secret
    give_code(page, person.code())
    assert heading(page) == CODES
    # The other tab's form is of a half-login that is over.
    give_code(other, person.code())
    assert path_of(other) in {"/account", "/enroll"}
    assert heading(other) != CODES


def test_a_device_whose_clock_is_wrong_is_told_so(page: Page, people: LoginPeople) -> None:
    person = people.add(enrolled=False)
    give_password(page, person)
    app = pyotp.TOTP(shown_secret(page))
    give_code(page, app.at(utc_now(), counter_offset=5))
    assert "the clock of your device is wrong" in page.get_by_role("alert").inner_text()


def test_recovery_codes_are_downloaded_under_the_policy_on_content(page: Page, people: LoginPeople) -> None:
    give_password(page, person := people.add(enrolled=False))
    codes = enrol(page, person)
    with page.expect_download() as started:
        page.get_by_role("link", name="Download").click()
    assert started.value.suggested_filename == "recovery-codes.txt"
    assert Path(started.value.path()).read_text("ascii").split() == codes


def test_recovery_codes_are_shown_once(page: Page, people: LoginPeople) -> None:
    give_password(page, person := people.add(enrolled=False))
    enrol(page, person)
    page.reload()  # posts once more
    assert shown_codes(page) == []
    assert path_of(page) == "/account"
    page.go_back()
    assert shown_codes(page) == []
    page.goto("/account")
    assert "10 recovery codes are left." in page.locator("main").inner_text()


def test_a_picture_that_was_shown_for_too_long_is_replaced(page: Page, people: LoginPeople) -> None:
    give_password(page, person := people.add(enrolled=False))
    person.secret = shown_secret(page)
    people.pass_time(person, "mfa_pending_factors", "expires_at", span=timedelta(minutes=11))
    give_code(page, person.code())
    assert "That picture had been shown for too long." in page.get_by_role("status").inner_text()
    assert shown_secret(page) != person.secret
    enrol(page, person)
