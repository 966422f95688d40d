"""The settings' warnings in Chromium: what the operator would refuse, and a risk that is taken knowingly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from practicus_mfa.login import administer
from practicus_mfa.storage import policy_requests, schema, users
from tests.support.admin_browser import main_text
from tests.support.browser import heading, log_in, path_of, press
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.support.login_people import LoginPeople, Person


@pytest.fixture
def root(people: LoginPeople) -> Iterator[Person]:
    """A superuser, and no administrator has MFA; the settings are those of values.yaml at the end."""
    person = people.add(is_superuser=True, enrolled=False)
    rows = schema.users
    with people.db.read() as connection:
        others = select(rows.c.username).where(rows.c.is_superuser | rows.c.is_staff)
        names = connection.execute(others).scalars().all()
    for name in names:
        administer.remove_mfa(people.db, name, actor="test")
    yield person
    with people.db.write() as connection:
        author = users.get(connection, person.username)
        changes = {"mfa": {"mandatoryForSysAdmins": None}, "rememberMe": {"days": None}}
        policy_requests.ask(connection, author_id=author.id, author=person.username, changes=changes)
    people.site.change()


def _leads_to(page: Page, path: str) -> str:
    page.goto(path)
    return path_of(page)


def test_what_can_not_be_is_refused_and_a_risk_is_taken_by_who_says_so(
    page: Page, people: LoginPeople, root: Person
) -> None:
    log_in(page, root)
    page.goto("/admin/settings")
    days = page.get_by_label("Days that they stay logged in")
    days.fill("0")
    press(page, "Save")
    assert page.get_by_role("alert").is_visible()
    assert days.input_value() == "0"

    days.fill("30")
    page.get_by_label("Administrators must have MFA").check()
    press(page, "Save")
    assert "No active administrator has MFA yet." in page.locator("[role=alert]").inner_text()
    # The box is required: the browser itself holds the form back.
    page.get_by_role("button", name="Change", exact=True).click()
    assert heading(page) == "Change MFA settings"
    page.get_by_label("I know that").check()
    press(page, "Change")
    assert heading(page) == "Waiting for the operator"
    assert "Administrators must have MFA" in main_text(page)
    people.site.change()
    # It holds for who asked for it as well.
    other = page.context.new_page()
    until(lambda: _leads_to(other, "/admin/users") == "/enroll", "the change to be in force")
