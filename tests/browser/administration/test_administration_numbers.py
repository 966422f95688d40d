"""A list of one user, of none that fits, and of 100,001."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.admin_browser import choose, found, go_to_list, listed, look_for, main_text, named
from tests.support.browser import log_in, path_of, press
from tests.support.login_people import LoginPeople, served_people
from tests.support.many_users import MANY, many_people

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def running(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LoginPeople]:
    """A service that nobody else uses: these tests count everybody."""
    with served_people(postgres_server, tmp_path_factory.mktemp("numbers")) as people:
        yield people


def test_one_user_none_that_fits_and_a_hundred_thousand_and_one(page: Page, people: LoginPeople) -> None:
    root = people.add(username="root", is_superuser=True)
    log_in(page, root)
    press(page, "Administration", within="header")
    assert (found(page), listed(page)) == ("1 user", ["root"])
    assert page.locator(".summary").inner_text() == "1 of 1 enrolled"
    assert page.locator("#which-top option").all_inner_texts() == [
        "the ticked users",
        "the 1 user on this page",
    ]
    assert page.get_by_role("navigation", name="Pages").count() == 0

    look_for(page, "nobody")
    assert "No user fits." in main_text(page)
    assert page.locator("table, .bar").count() == 0
    press(page, "Show all users")
    assert listed(page) == ["root"]

    many_people(people.db, many=MANY)
    go_to_list(page)
    assert found(page) == "100,001 users"
    assert page.locator(".summary").inner_text() == "1 of 100,001 enrolled"
    choose(page, "Unlock", whom="all 100,001 users")
    assert "Unlock for 100,001 users?" in main_text(page)
    assert len(named(page)) == 10
    assert "and 99,991 more" in main_text(page)
    assert "Your own account is among them." in main_text(page)
    press(page, "Cancel")
    assert path_of(page) == "/admin/users"
    look_for(page, "root")
    assert listed(page) == ["root"]
