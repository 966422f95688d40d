"""Take the pictures of the login service's pages that the documents show.

``python -m tools.screenshots docs/img/login [name ...]`` starts the real service on a database of its own,
goes to every page as the tests in a browser do, and writes a PNG of each: on a desktop in light, and some in
dark, on a phone, in Turkish. Names choose pages.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright

from tests.support import browser, chromium_programs, postgres_programs
from tests.support.login_people import LoginPeople
from tests.support.login_site import DOMAIN, login_site
from tests.support.login_tour import TOUR, Stop
from tests.support.png import read_png, small_png
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DESKTOP: Final = (1024, 600)
PHONE: Final = (360, 640)

AGENT: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
"""What it is called where it has a window."""

IN_DARK: Final = frozenset({"login", "code-wrong", "enrol", "codes", "account"})
ON_A_PHONE: Final = frozenset({"login", "code", "enrol", "codes", "account"})
IN_TURKISH: Final = frozenset({"login", "enrol", "account"})


def main(folder: Path, names: list[str]) -> int:
    """Take the pictures; return an exit code."""
    programs = postgres_programs.find()
    if programs is None or chromium_programs.find() is None:
        print(f"{postgres_programs.REMEDY}\n{chromium_programs.REMEDY}", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as root,
        PostgresServer(programs) as server,
        login_site(
            Path(root), database_url=server.url(server.create_database()), login={"cookieDomain": DOMAIN}
        ) as site,
        site.installation.database() as db,
        sync_playwright() as playwright,
        playwright.chromium.launch(**browser.options(site)) as chromium,
    ):
        people = LoginPeople(site, db)
        for stop in TOUR:
            if not names or stop.name in names:
                people.policy(**stop.policy)
                _take(chromium, people, stop, folder)
    return 0


def _take(chromium: Browser, people: LoginPeople, stop: Stop, folder: Path) -> None:
    looks = [("", DESKTOP, "light", "en-GB")]
    if stop.name in IN_DARK:
        looks.append(("-dark", DESKTOP, "dark", "en-GB"))
    if stop.name in ON_A_PHONE:
        looks.append(("-phone", PHONE, "light", "en-GB"))
    if stop.name in IN_TURKISH:
        looks.append(("-tr", DESKTOP, "light", "tr-TR"))
    for suffix, size, scheme, language in looks:
        preferences = {"color_scheme": scheme, "locale": language, "user_agent": AGENT}
        with browser.window(chromium, people.site, size=size, **preferences) as page:
            stop.reach(page, people)
            # The cursor blinks.
            png = page.screenshot(full_page=True, caret="hide")
        path = folder / f"{stop.name}{suffix}.png"
        path.write_bytes(small_png(read_png(png)))
        print(f"{path} {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
