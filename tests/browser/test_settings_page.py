"""The MFA settings page in a browser: by axe, on every width, and as it waits for the operator by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from practicus_mfa.login import administer
from practicus_mfa.storage import policy_requests, schema, users
from practicus_mfa.storage.engine import database_now
from tests.support.browser import (
    check_for_everybody,
    heading,
    log_in,
    press,
)
from tests.support.navigation import navigation
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import Open
    from tests.support.login_people import LoginPeople, Person

SETTINGS = "/admin/settings"


@pytest.fixture
def root(people: LoginPeople) -> Iterator[Person]:
    """A superuser; what was changed is as in values.yaml again at the end."""
    person = people.add(is_superuser=True)
    yield person
    with people.db.write() as connection:
        author = users.get(connection, person.username)
        changes = {"mfa": {"mandatory": None, "gracePeriodDays": None}, "rememberMe": {"days": None}}
        policy_requests.ask(connection, author_id=author.id, author=person.username, changes=changes)
    people.site.change()


def renew(people: LoginPeople) -> None:
    """Let what waits for the operator be asked for now: axe may take longer than the minute for an answer."""
    with people.db.write() as connection:
        connection.execute(update(schema.policy_requests).values(at=database_now(connection)))


def test_a_change_is_asked_for_waited_for_and_taken_back(
    open_window: Open, people: LoginPeople, root: Person
) -> None:
    page = open_window()
    log_in(page, root, path=f"/login?rd={SETTINGS}")
    assert heading(page) == "MFA settings"
    check_for_everybody(page, "the form")

    page.get_by_label("Days that they stay logged in").fill("7")
    page.get_by_label("Days that setting up MFA may be put off").fill("14")
    press(page, "Save")
    assert heading(page) == "Waiting for the operator"
    press(page, "Stop reloading")
    # It may have loaded itself anew once more before.
    page.wait_for_url("**still=1")
    check_for_everybody(page, "waiting")
    renew(people)
    press(page, "Look again")
    # No operator runs here but this one; the page finds its answer without anybody's doing.
    people.site.change()
    until(lambda: heading(page) == "The settings were changed", "the page to load itself anew")
    check_for_everybody(page, "changed")

    press(page, "MFA settings", within=".choices")
    check_for_everybody(page, "values of the page")
    with navigation(page):
        page.get_by_role("link", name="Return to values.yaml: Days that they stay logged in").click()
    assert heading(page) == "Change MFA settings"
    check_for_everybody(page, "returning")
    press(page, "Change")
    people.site.change()
    until(lambda: heading(page) == "The settings were changed", "the answer")


def test_a_mistake_and_a_risk_are_told(open_window: Open, people: LoginPeople) -> None:
    person = people.add(is_superuser=True, enrolled=False)
    with people.db.read() as connection:
        rows = schema.users
        others = select(rows.c.username).where(rows.c.is_superuser | rows.c.is_staff)
        names = connection.execute(others).scalars().all()
    for name in names:  # of tests before this one
        administer.remove_mfa(people.db, name, actor="test")
    page = open_window()
    log_in(page, person)
    page.goto(SETTINGS)
    page.get_by_label("Days that they stay logged in").fill("many")
    press(page, "Save")
    check_for_everybody(page, "a mistake")
    page.get_by_label("Days that they stay logged in").fill("30")
    page.get_by_label("Administrators must have MFA").check()
    press(page, "Save")
    assert "No active administrator has MFA yet." in page.locator("[role=alert]").inner_text()
    check_for_everybody(page, "a risk")
