"""What is left of a log-in when the browser is opened again: one profile on the disk, started twice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.support.browser import heading, log_in, path_of, profile

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Playwright

    from tests.support.login_people import LoginPeople


def test_who_asked_for_it_stays_logged_in_until_its_end(
    playwright: Playwright, people: LoginPeople, tmp_path: Path
) -> None:
    person = people.add()
    with profile(playwright, people.site, tmp_path) as page:
        log_in(page, person, remember=True)
        assert path_of(page) == "/account"
    with profile(playwright, people.site, tmp_path) as page:
        page.goto("/account")
        assert heading(page) == "Your account"
        times = ("created_at", "expires_at", "last_used_at", "proved_at", "second_factor_at")
        people.pass_time(person, "mfa_sessions", *times, span=timedelta(days=29, hours=23))
        page.goto("/account")
        assert heading(page) == "Your account"
        people.pass_time(person, "mfa_sessions", *times, span=timedelta(hours=1, minutes=1))
        page.goto("/account")
        assert heading(page) == "Log in"
        # Both factors are asked again, although the browser is known.
        people.forget_codes(person)
        log_in(page, person)
        assert path_of(page) == "/account"


def test_who_did_not_is_logged_out_with_the_browser(
    playwright: Playwright, people: LoginPeople, tmp_path: Path
) -> None:
    person = people.add(enrolled=False)
    with profile(playwright, people.site, tmp_path) as page:
        log_in(page, person)
        assert path_of(page) == "/account"
    with profile(playwright, people.site, tmp_path) as page:
        page.goto("/account")
        assert heading(page) == "Log in"


def test_without_mfa_the_choice_is_asked_after_the_password(
    playwright: Playwright, people: LoginPeople, tmp_path: Path
) -> None:
    person = people.add(enrolled=False)
    with profile(playwright, people.site, tmp_path) as page:
        log_in(page, person, remember=True)
    with profile(playwright, people.site, tmp_path) as page:
        page.goto("/account")
        assert heading(page) == "Your account"
