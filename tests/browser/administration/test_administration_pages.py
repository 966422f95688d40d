"""Every page of the administrators, for everybody: by axe, light and dark, wide and narrow, translated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import browser
from tests.support.admin_tour import ADMIN_TOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.login_people import LoginPeople
    from tests.support.login_tour import Stop

every_page = pytest.mark.parametrize("stop", [pytest.param(stop, id=stop.name) for stop in ADMIN_TOUR])


@pytest.fixture(scope="module")
def english(chromium: Browser, running: LoginPeople) -> Iterator[Page]:
    """A window for all stops."""
    with browser.window(chromium, running.site) as page:
        yield page


@pytest.fixture(scope="module")
def turkish(chromium: Browser, running: LoginPeople) -> Iterator[Page]:
    """The narrowest window for all stops, in the language of longer words."""
    with browser.window(chromium, running.site, size=browser.NARROWEST, locale="tr-TR") as page:
        yield page


@every_page
def test_axe_finds_nothing_in_any_light_at_any_width(english: Page, people: LoginPeople, stop: Stop) -> None:
    stop.reach(english, people)
    browser.check_for_everybody(english)


@every_page
def test_longer_words_need_no_sideways_scrolling_on_the_narrowest_screen(
    turkish: Page, people: LoginPeople, stop: Stop
) -> None:
    stop.reach(turkish, people)
    browser.unfold(turkish)
    assert turkish.locator("html").get_attribute("lang") == "tr"
    assert browser.overflow(turkish) <= 0
