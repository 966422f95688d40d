"""Chromium before the login service: started so that it finds and trusts it, and what people do in it.

No rule of TLS is switched off: the browser is told one public key that it may trust, the service's. Nor is
the policy on content (CSP): whatever it blocks fails the test.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import contextmanager
from http.client import INTERNAL_SERVER_ERROR
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import zxingcpp
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

from tests.support import chromium_programs
from tests.support.login_site import DOMAIN, LOOPBACK
from tests.support.navigation import navigation, visit
from tests.support.png import read_png
from tests.support.waiting import LIMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Response

    from tests.support.login_people import Person
    from tests.support.login_site import Site

DESKTOP: Final = (1280, 800)
PHONE: Final = (390, 844)
NARROWEST: Final = (320, 640)
"""The width at which nothing may need two directions of scrolling (WCAG 2.2, 1.4.10)."""

MOST_TABS: Final = 60
"""More than lie between any two things that a keyboard goes to in these tests."""

TIMEOUT_MILLISECONDS: Final = 1_000 * LIMIT_SECONDS
"""Ends a test that would wait for ever."""


def options(site: Site) -> dict[str, Any]:
    """What Chromium is started with."""
    return options_for(LOOPBACK, site.installation.root / "tls.crt")


def options_for(address: str, certificate: Path) -> dict[str, Any]:
    """What Chromium is started with.

    Args:
        address: Where it finds every host of the tests' domain.
        certificate: What the server there shows, as PEM.
    """
    program = chromium_programs.find()
    assert program is not None
    return {
        "executable_path": program,
        "timeout": TIMEOUT_MILLISECONDS,
        "args": [
            f"--host-resolver-rules=MAP {DOMAIN} {address}, MAP *.{DOMAIN} {address}",
            f"--ignore-certificate-errors-spki-list={_public_key(certificate)}",
            # Where /dev/shm is small, as in containers.
            "--disable-dev-shm-usage",
        ],
    }


def _public_key(file: Path) -> str:
    certificate = load_pem_x509_certificate(file.read_bytes())
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


@contextmanager
def window(
    browser: Browser,
    site: Site,
    *,
    size: tuple[int, int] = DESKTOP,
    **preferences: Any,  # noqa: ANN401 - Playwright's
) -> Iterator[Page]:
    """A window with cookies of its own; fails where content had to be blocked, or the service broke."""
    width, height = size
    preferences = {"locale": "en-GB", "base_url": site.first.url, **preferences}
    context = browser.new_context(viewport={"width": width, "height": height}, **preferences)
    with watched(context):
        yield context.new_page()


@contextmanager
def profile(playwright: Playwright, site: Site, folder: Path) -> Iterator[Page]:
    """A browser with a profile on the disk, which the next start finds again."""
    context = playwright.chromium.launch_persistent_context(
        folder, base_url=site.first.url, locale="en-GB", **options(site)
    )
    with watched(context):
        yield context.pages[0]


@contextmanager
def watched(context: BrowserContext) -> Iterator[None]:
    """Watch a browser's console, and what it is answered, until the end of the context."""
    wrong: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            wrong.append(message.text)

    def answered(response: Response) -> None:
        if response.status == INTERNAL_SERVER_ERROR:
            wrong.append(f"{response.status}: {response.request.method} {response.url}")

    context.on("console", said)
    context.on("response", answered)
    context.set_default_timeout(TIMEOUT_MILLISECONDS)
    try:
        yield
    finally:
        context.close()
    assert wrong == []


# --- what people do ------------------------------------------------------------------------------


def give_password(page: Page, person: Person, *, path: str = "/login", password: str = "") -> None:
    """Type name and password."""
    visit(page, path)
    page.locator("#username").fill(person.username)
    page.locator("#password").fill(password or person.password)
    submit(page)


def submit(page: Page) -> None:
    """Press the first button of the page's form, and wait for the page that it leads to."""
    with navigation(page):
        page.locator("main form button[type=submit]").first.click()


def press(page: Page, name: str, *, within: str = "main") -> None:
    """Press a button or follow a link, by all of its words, and wait for the page that it leads to."""
    part = page.locator(within)
    button = part.get_by_role("button", name=name, exact=True)
    link = part.get_by_role("link", name=name, exact=True)
    with navigation(page):
        button.or_(link).click()


def press_key(page: Page, key: str) -> None:
    """Press a key that sends a form or follows a link, and wait for the page that it leads to."""
    with navigation(page):
        page.keyboard.press(key)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until that is focused; the focus must be seen all the way."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"{selector} is not reached by {MOST_TABS} tabs")


def give_code(page: Page, code: str, *, remember: bool = False) -> None:
    """Type a code where one is asked for."""
    page.locator("#code").fill(code)
    if remember:
        page.locator("#remember").check()
    submit(page)


def log_in(page: Page, person: Person, *, path: str = "/login", remember: bool = False) -> None:
    """Log in all the way."""
    give_password(page, person, path=path)
    if path_of(page) == "/login/totp":
        give_code(page, person.code(), remember=remember)
    elif path_of(page) == "/login/remember":
        with navigation(page):
            page.locator(f"button[name=remember][value={'yes' if remember else 'no'}]").click()


def path_of(page: Page) -> str:
    """Where the browser is, without the host."""
    return page.evaluate("location.pathname + location.search")  # type: ignore[no-any-return]


def heading(page: Page) -> str:
    """The page's own words for what it is."""
    return page.get_by_role("heading", level=1).inner_text()


def scan(page: Page) -> str:
    """Read the one QR code on the screen, as a phone would that is held before it."""
    picture = read_png(page.screenshot())
    shape = (picture.height, picture.width, picture.channels)
    # Nothing else: text and QR codes happen to hold bar codes too.
    only = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    (found,) = zxingcpp.read_barcodes(memoryview(picture.pixels).cast("B", shape), only)
    return found.text


def shown_secret(page: Page) -> str:
    """The secret as text."""
    return str(page.locator("#secret").text_content()).replace(" ", "")


def shown_codes(page: Page) -> list[str]:
    """The recovery codes."""
    return page.locator("#recovery-codes code").all_inner_texts()


# --- accessibility -------------------------------------------------------------------------------

AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def findings(page: Page) -> Sequence[str]:
    """What axe finds wrong with the page as it is shown: rule, reason and place."""
    # Evaluated, since a script tag is what the page forbids.
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['help']}: {node['target']} {node.get('failureSummary', '')}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def unfold(page: Page) -> None:
    """Open all that can be opened."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")


def check_for_everybody(page: Page, what: str = "") -> None:
    """The page as it is: axe finds nothing in any light, at any width, and nothing sticks out.

    The window is as wide as a desk's after it.
    """
    unfold(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width, height in (DESKTOP, PHONE):
            page.set_viewport_size({"width": width, "height": height})
            assert findings(page) == [], f"{what}, {scheme}, {width} pixels wide"
    page.set_viewport_size({"width": NARROWEST[0], "height": NARROWEST[1]})
    assert overflow(page) <= 0, what
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")  # type: ignore[no-any-return]
