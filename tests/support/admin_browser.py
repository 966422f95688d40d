"""What administrators do in Chromium: find users, choose what to do to them, read what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from tests.support.browser import press
from tests.support.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.login_people import LoginPeople, Person

USERS: Final = "/admin/users"

TICKED: Final = "the ticked users"


def go_to_list(page: Page, **place: str) -> None:
    """Go to a place in the list by its address."""
    page.goto(f"{USERS}?{urlencode(place)}" if place else USERS)


def look_for(page: Page, words: str) -> None:
    """Search in the list."""
    page.get_by_label("Search", exact=True).fill(words)
    press(page, "Search")


def listed(page: Page) -> list[str]:
    """The user names of the page's rows, in order."""
    return page.locator("tbody th a").all_inner_texts()


def found(page: Page) -> str:
    """How many there are, as the list says it."""
    return page.locator("caption").inner_text()


def cells(page: Page, username: str) -> dict[str, str]:
    """A row of the list, by the names of its columns."""
    row = page.locator("tbody tr").filter(has=page.get_by_role("link", name=username, exact=True))
    texts = row.locator("td[data-label]")
    names = [str(each.get_attribute("data-label")) for each in texts.all()]
    return dict(zip(names, texts.all_inner_texts(), strict=True))


def tick(page: Page, *usernames: str) -> None:
    """Tick users in the list."""
    for username in usernames:
        page.get_by_role("checkbox", name=f"Select {username}", exact=True).check()


def ticked(page: Page) -> list[str]:
    """Who is ticked."""
    rows = page.locator("tbody tr").filter(has=page.locator(".tick input:checked"))
    return rows.locator("th a").all_inner_texts()


def choose(page: Page, action: str, *, whom: str = TICKED, bar: str = "top") -> None:
    """Choose an action and whom it is for in the menu above (``top``) or below (``bottom``) the list."""
    page.locator(f"#action-{bar}").select_option(label=action)
    page.locator(f"#which-{bar}").select_option(label=whom)
    with page.expect_navigation():
        page.locator(f"button[name=go][value={bar}]").click()


def named(page: Page) -> list[str]:
    """Whom the confirmation page, or the result, names."""
    return page.locator("ul.who li").all_inner_texts()


def counts(page: Page) -> dict[str, str]:
    """How many users there are of each outcome, as the result says it."""
    rows = [row.locator("td").all_inner_texts() for row in page.locator("main tbody tr").all()]
    return dict(rows)


def said(page: Page) -> str:
    """What the page says happened."""
    return page.get_by_role("status").inner_text()


def await_end(page: Page) -> None:
    """Wait until the page of a run has come to the end by itself."""
    until(lambda: said(page).startswith("Done"), "the run to be over")


def confirm(page: Page, action: str) -> None:
    """Press the confirmation's button, and wait for the end."""
    press(page, action)
    await_end(page)


def prove(page: Page, proof: str) -> None:
    """Type a code, or a password, into a form that asks for one."""
    page.locator("#proof").fill(proof)


def a_while_later(people: LoginPeople, person: Person) -> None:
    """The person's last code or password is too long ago to act by; the last code is good again."""
    people.pass_time(person, "mfa_sessions", "proved_at", "second_factor_at", span=timedelta(minutes=16))
    if person.secret:
        people.forget_codes(person)


def main_text(page: Page) -> str:
    """All that the page's main part says."""
    return page.locator("main").inner_text()
