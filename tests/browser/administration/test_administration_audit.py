"""The audit's page in Chromium: lines found by who, what, whom and day, its end, and a file of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.clock import utc_now
from practicus_mfa.storage import audit
from tests.support.admin_browser import main_text
from tests.support.browser import overflow, press

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.support.login_people import LoginPeople

AUDIT = "/admin/audit"


def column(page: Page, name: str) -> list[str]:
    return page.locator(f"td[data-label='{name}']").all_inner_texts()


def lines_of(cell: Locator) -> int:
    """In how many lines a cell's text stands."""
    script = """cell => {
        const text = document.createRange();
        text.selectNodeContents(cell);
        return new Set([...text.getClientRects()].map(part => part.top)).size;
    }"""
    return cell.evaluate(script)  # type: ignore[no-any-return]


def test_lines_are_found_walked_and_downloaded(window: Page, people: LoginPeople) -> None:
    today = utc_now().date()
    with people.db.write() as connection:
        for number in range(120):
            action = "user.unlock" if number % 2 else "user.disable"
            detail = {"address": "203.0.113.7"}
            audit.append(connection, "auditor", action, subject=f"whom{number:03}", detail=detail)
    window.goto(AUDIT)
    window.get_by_label("Who", exact=True).fill("auditor")
    window.get_by_label("What", exact=True).select_option(label="User unlocked")
    window.get_by_label("From (UTC)").fill(today.isoformat())
    press(window, "Show")
    assert set(column(window, "What")) == {"User unlocked"}
    first = column(window, "To whom or what")
    assert first[:2] == ["whom119", "whom117"]
    press(window, "Older")
    assert column(window, "To whom or what")[-1] == "whom001"
    assert window.get_by_label("Who", exact=True).input_value() == "auditor"
    with window.expect_download() as started:
        window.get_by_role("link", name="Download as JSON lines").click()
    lines = [json.loads(line) for line in Path(started.value.path()).read_text("utf-8").splitlines()]
    assert [line["subject"] for line in lines] == [f"whom{number:03}" for number in range(1, 120, 2)]
    press(window, "Newest")
    assert column(window, "To whom or what") == first
    window.get_by_label("To whom or what").fill("whom117")
    press(window, "Show")
    assert column(window, "To whom or what") == ["whom117"]
    assert column(window, "Address") == ["203.0.113.7"]
    window.get_by_label("To whom or what").fill("nobody")
    press(window, "Show")
    assert "No line fits." in main_text(window)
    press(window, "Show all lines")
    assert "auditor" in column(window, "Who")


@pytest.mark.parametrize("width", [1_100, 1_280])
def test_an_address_of_ipv4_stands_in_one_line_wherever_lines_are_shown(
    window: Page, people: LoginPeople, width: int
) -> None:
    person = people.add()
    addresses = ["255.255.255.255", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"]
    with people.db.write() as connection:
        for address in addresses:
            detail = {"address": address, "why": "a text that takes all the room there is " * 3}
            audit.append(connection, "keeper", "user.unlock", subject=person.username, detail=detail)
    window.set_viewport_size({"width": width, "height": 800})
    for path in (f"{AUDIT}?whom={person.username}", f"/admin/users/{people.id_of(person)}"):
        window.goto(path)
        cells = window.locator("td.address")
        assert set(addresses) <= set(cells.all_inner_texts())
        assert lines_of(cells.filter(has_text=addresses[0])) == 1
        assert overflow(window) <= 0
