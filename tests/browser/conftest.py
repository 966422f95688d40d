"""What tests in a browser may ask for: one running service a session, one browser a module, windows."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from playwright.sync_api import sync_playwright

from tests.support import browser, cables, chromium_programs
from tests.support.login_people import LoginPeople, served_people
from tests.support.unavailable import without

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Playwright

    from tests.support.postgres import PostgresServer


class Open(Protocol):
    """Opens a window with cookies of its own."""

    def __call__(self, **preferences: Any) -> Page: ...  # noqa: ANN401 - Playwright's


@pytest.fixture(scope="session")
def running(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LoginPeople]:
    """The service of this session, and its users."""
    with served_people(postgres_server, tmp_path_factory.mktemp("login")) as people:
        yield people


@pytest.fixture(autouse=True)
def cables_left_alone() -> Iterator[None]:
    """A test in a browser, while no other one changes the machine's network."""
    with cables.left_alone():
        yield


@pytest.fixture
def people(
    request: pytest.FixtureRequest, running: LoginPeople, postgres_server: PostgresServer
) -> LoginPeople:
    """The users of the service, under the policy that the test's marker asks for."""
    # Another test of this session may have left the server stopped.
    postgres_server.start()
    running.site.first.await_ready()
    marker = request.node.get_closest_marker("policy")
    running.policy(**(marker.kwargs if marker else {}))
    return running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright. Not for the session: while it runs, this thread can run no other event loop."""
    if chromium_programs.find() is None:
        reason = f"Chromium is missing. {chromium_programs.REMEDY}"
        without(reason)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Playwright, running: LoginPeople) -> Iterator[Browser]:
    """One browser for all windows of a module."""
    started = playwright.chromium.launch(**browser.options(running.site))
    yield started
    started.close()


@pytest.fixture
def open_window(chromium: Browser, people: LoginPeople) -> Iterator[Open]:
    """Opens windows, which are closed at the end."""
    with ExitStack() as stack:

        def opened(**preferences: Any) -> Page:  # noqa: ANN401 - Playwright's
            return stack.enter_context(browser.window(chromium, people.site, **preferences))

        yield opened


@pytest.fixture
def page(open_window: Open) -> Page:
    """One window."""
    return open_window()
