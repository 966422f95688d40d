"""A service with a hundred thousand users whose rotation is held up, and an administrator before its list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import browser
from tests.support.browser import log_in
from tests.support.held_up_rotation import hold_up_a_rotation
from tests.support.login_people import DEFAULT_RULES, LoginPeople, served_people
from tests.support.many_users import MANY, many_people

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.login_people import Person
    from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
def running(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LoginPeople]:
    """The service of these tests, in the place of the one that the others share."""
    root = tmp_path_factory.mktemp("crowd")
    with served_people(postgres_server, root, userLogin=dict(DEFAULT_RULES)) as people:
        hold_up_a_rotation(people.site, people.db)
        many_people(people.db, many=MANY)
        yield people


@pytest.fixture(scope="module")
def root(running: LoginPeople) -> Person:
    """A superuser."""
    return running.add(is_superuser=True)


@pytest.fixture(scope="module")
def window(chromium: Browser, running: LoginPeople, root: Person) -> Iterator[Page]:
    """A window in which the superuser is logged in, for all tests of a module."""
    with browser.window(chromium, running.site) as page:
        log_in(page, root)
        yield page
