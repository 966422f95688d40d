"""The audit's page in a browser: by axe, on every width, and found by what is typed; a file of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from practicus_mfa.storage import audit
from tests.support.browser import check_for_everybody, heading, log_in

if TYPE_CHECKING:
    from tests.browser.conftest import Open
    from tests.support.login_people import LoginPeople

AUDIT = "/admin/audit"


def test_lines_are_found_and_downloaded(open_window: Open, people: LoginPeople) -> None:
    root, person = people.add(is_superuser=True), people.add()
    with people.db.write() as connection:
        for number in range(60):
            detail = {"address": "2001:db8:85a3:1319:8a2e:370:7344:abcd", "long": "x" * number}
            audit.append(connection, root.username, "mfa.remove", subject=person.username, detail=detail)
    page = open_window()
    log_in(page, root, path=AUDIT)
    page.goto(AUDIT)
    assert heading(page) == "Audit"
    check_for_everybody(page, "everything")
    page.locator("details summary").click()
    check_for_everybody(page, "with the head")
    page.locator("#whom").fill(person.username)
    page.locator("#what").select_option("mfa.remove")
    page.locator("#from").fill("2020-01-01")
    with page.expect_navigation():
        page.locator(".audit-filter button").click()
    assert page.locator("tbody tr").count() == 50
    with page.expect_navigation():
        page.locator("a[rel=next]").click()
    assert page.locator("tbody tr").count() == 10
    assert page.locator("#whom").input_value() == person.username
    check_for_everybody(page, "found")
    with page.expect_download() as download:
        page.locator("a[href^='/admin/audit.jsonl']").click()
    lines = [json.loads(line) for line in download.value.path().read_text("utf-8").splitlines()]
    assert {line["subject"] for line in lines} == {person.username}
    assert len(lines) == 60
    page.goto(f"{AUDIT}?who=nobody")
    check_for_everybody(page, "nothing found")
    page.goto(f"{AUDIT}?from=yesterday")
    check_for_everybody(page, "no day")
