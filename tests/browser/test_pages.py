"""Every page, for everybody: by screen reader and keyboard, light and dark, wide and narrow, translated."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.admin_tour import ADMIN_TOUR
from tests.support.browser import (
    NARROWEST,
    check_for_everybody,
    give_password,
    heading,
    overflow,
    path_of,
    press_key,
    shown_codes,
    shown_secret,
    tab_to,
    unfold,
)
from tests.support.login_tour import TOUR, Stop

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Open
    from tests.support.login_people import LoginPeople

every_page = pytest.mark.parametrize(
    "stop", [pytest.param(stop, id=stop.name, marks=pytest.mark.policy(**stop.policy)) for stop in TOUR]
)


def test_the_tours_leave_no_page_out() -> None:
    folder = Path(str(files("practicus_mfa.web") / "templates"))
    pages = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.html")
        if path.read_text("utf-8").startswith("{% extends") and path.name != "base.html"
    }
    assert {stop.template for stop in (*TOUR, *ADMIN_TOUR)} == pages


@every_page
def test_axe_finds_nothing_in_any_light_at_any_width(page: Page, people: LoginPeople, stop: Stop) -> None:
    stop.reach(page, people)
    check_for_everybody(page)


@every_page
def test_longer_words_need_no_sideways_scrolling_on_the_narrowest_screen(
    open_window: Open, people: LoginPeople, stop: Stop
) -> None:
    page = open_window(size=NARROWEST, locale="tr-TR")
    stop.reach(page, people)
    unfold(page)
    assert page.locator("html").get_attribute("lang") == "tr"
    assert overflow(page) <= 0


def test_a_browser_that_asks_for_turkish_gets_it_and_may_choose_english(open_window: Open) -> None:
    page = open_window(locale="tr-TR")
    page.goto("/login")
    assert page.locator("html").get_attribute("lang") == "tr"
    assert heading(page) != "Log in"
    with page.expect_navigation():
        page.get_by_role("link", name="English").click()
    assert heading(page) == "Log in"
    page.goto("/login")
    assert heading(page) == "Log in"


@pytest.mark.policy(mfa={"mandatory": True})
def test_recovery_codes_are_printed_black_on_white_and_without_buttons(
    open_window: Open, people: LoginPeople
) -> None:
    page = open_window(color_scheme="dark")
    next(stop for stop in TOUR if stop.name == "codes").reach(page, people)
    page.emulate_media(media="print")
    code = page.locator("#recovery-codes code").first
    assert code.is_visible()
    assert code.evaluate("shown => getComputedStyle(shown).color") == "rgb(0, 0, 0)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert [each.is_visible() for each in page.locator("a").all()] == [False] * page.locator("a").count()
    name = page.locator("header a").first.text_content()
    printed = page.locator("body").inner_text().split("\n")
    assert [line for line in printed if line] == [heading(page), f"Practicus AI: {name}", *shown_codes(page)]


def test_logging_in_takes_no_mouse(page: Page, people: LoginPeople) -> None:
    person = people.add()
    page.goto("/login")
    page.locator("#username:focus").wait_for()
    page.keyboard.type(person.username)
    tab_to(page, "#password")
    page.keyboard.type(person.password)
    press_key(page, "Enter")
    page.locator("#code:focus").wait_for()
    page.keyboard.type(person.code())
    tab_to(page, "#remember")
    page.keyboard.press("Space")
    tab_to(page, "button[type=submit]")
    press_key(page, "Enter")
    assert path_of(page) == "/account"
    # The first Tab leads past the header.
    tab_to(page, "a.skip")
    page.keyboard.press("Enter")
    tab_to(page, "main a, main button")
    tab_to(page, "a[href='/account/password']")
    press_key(page, "Enter")
    assert heading(page) == "Change password"


@pytest.mark.policy(mfa={"mandatory": True})
def test_enrolling_takes_no_mouse(page: Page, people: LoginPeople) -> None:
    person = people.add(enrolled=False)
    give_password(page, person)
    tab_to(page, "summary")
    page.keyboard.press("Enter")
    assert page.locator("#secret").is_visible()
    person.secret = shown_secret(page)
    tab_to(page, "#code")
    page.keyboard.type(person.code())
    press_key(page, "Enter")
    assert heading(page) == "Save your recovery codes"
    tab_to(page, "a[download]")
    with page.expect_download():
        page.keyboard.press("Enter")
    tab_to(page, "main a.button:not([download])")
    press_key(page, "Enter")
    assert path_of(page) == "/account"
