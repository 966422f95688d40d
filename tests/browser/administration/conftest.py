"""A service with a hundred thousand users whose rotation is held up, and an administrator before its list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import browser
from tests.support.browser import log_in
from tests.support.held_up_rotation import hold_up_a_rotation
from tests.support.login_people import DEFAULT_RULES, LoginPeople
from tests.support.login_site import DOMAIN, login_site
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
    url = postgres_server.url(postgres_server.create_database())
    root = tmp_path_factory.mktemp("crowd")
    with (
        login_site(
            root, database_url=url, login={"cookieDomain": DOMAIN}, userLogin=dict(DEFAULT_RULES)
        ) as site,
        site.installation.database() as db,
    ):
        hold_up_a_rotation(site, db)
        many_people(db, many=MANY)
        yield LoginPeople(site, db)


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
