"""The audit's page in Chromium: lines found by who, what, whom and day, its end, and a file of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from practicus_mfa.clock import utc_now
from practicus_mfa.storage import audit
from tests.support.admin_browser import main_text
from tests.support.browser import press

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.login_people import LoginPeople

AUDIT = "/admin/audit"


def column(page: Page, name: str) -> list[str]:
    return page.locator(f"td[data-label='{name}']").all_inner_texts()


def test_lines_are_found_walked_and_downloaded(window: Page, people: LoginPeople) -> None:
    with people.db.write() as connection:
        for number in range(120):
            action = "user.unlock" if number % 2 else "user.disable"
            detail = {"address": "203.0.113.7"}
            audit.append(connection, "auditor", action, subject=f"whom{number:03}", detail=detail)
    window.goto(AUDIT)
    window.get_by_label("Who", exact=True).fill("auditor")
    window.get_by_label("What", exact=True).select_option(label="User unlocked")
    window.get_by_label("From (UTC)").fill(utc_now().date().isoformat())
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
