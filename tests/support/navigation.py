"""From page to page in Chromium, also while other tests lay cables.

A node of other tests is connected to this machine by a cable (veth). Where one is laid, Chromium gives up the
connections that it is about to make, with an error of its own. Nothing was asked over them yet: Reload asks,
or sends the form, for the first time. Any other error is the test's.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from playwright.sync_api import Error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

NETWORK_CHANGED: Final = "net::ERR_NETWORK_CHANGED"


@contextmanager
def navigation(page: Page) -> Iterator[None]:
    """Wait for the page that what is done in the ``with`` leads to."""
    try:
        with page.expect_navigation():
            yield
    except Error as error:
        _reload(page, error)


def visit(page: Page, path: str) -> None:
    """Go to a page by its address."""
    try:
        page.goto(path)
    except Error as error:
        _reload(page, error)


def _reload(page: Page, error: Error) -> None:
    """Load the page that a cable was in the way of."""
    if NETWORK_CHANGED not in str(error):
        raise error
    # Told before the browser shows that it failed; until then there is nothing to reload.
    page.wait_for_function("location.protocol === 'chrome-error:'")
    page.reload()
