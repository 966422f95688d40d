"""Take the pictures of the login service's pages that the documents show.

``python -m tools.screenshots docs/img [name ...]`` fills the folders ``login`` and ``admin`` in it: it starts
the real service on a database of its own, goes to every page as the tests in a browser do, and writes a PNG
of each: on a desktop in light, and some in dark, on a phone, in Turkish. Names such as ``admin/users`` choose
pages.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import Error, sync_playwright

from tests.support import browser, chromium_programs, postgres_programs
from tests.support.admin_tour import ADMIN_TOUR
from tests.support.held_up_rotation import hold_up_a_rotation
from tests.support.login_people import DEFAULT_RULES, LoginPeople
from tests.support.login_site import DOMAIN, login_site
from tests.support.login_tour import TOUR, Stop
from tests.support.png import read_png, small_png
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser

DESKTOP: Final = (1024, 600)
PHONE: Final = (360, 640)

AGENT: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
"""What it is called where it has a window."""

ADMIN: Final = (1280, 800)
"""Administrators have larger screens."""

IN_DARK: Final = {
    "login": frozenset({"login", "code-wrong", "enrol", "codes", "account"}),
    "admin": frozenset({"users", "user", "confirm", "result", "settings", "audit"}),
}
ON_A_PHONE: Final = {
    "login": frozenset({"login", "code", "enrol", "codes", "account"}),
    "admin": frozenset({"users-found", "user", "confirm", "settings", "audit", "group"}),
}
IN_TURKISH: Final = {
    "login": frozenset({"login", "enrol", "account"}),
    "admin": frozenset({"users", "user", "settings"}),
}

TRIES: Final = 3
"""Chromium drops what it is at when any network of the machine changes, as others' containers make it do."""

TOO_LONG: Final = frozenset({"users", "audit", "group"})
"""What goes on as its beginning does: the rest is not in the picture."""


def main(folder: Path, names: list[str]) -> int:
    """Take the pictures; return an exit code."""
    programs = postgres_programs.find()
    if programs is None or chromium_programs.find() is None:
        print(f"{postgres_programs.REMEDY}\n{chromium_programs.REMEDY}", file=sys.stderr)
        return 1
    for part, tour in (("login", TOUR), ("admin", ADMIN_TOUR)):
        stops = [stop for stop in tour if not names or f"{part}/{stop.name}" in names]
        if stops:
            _visit(programs, folder / part, stops)
    return 0


def _visit(programs: Path, folder: Path, stops: Sequence[Stop]) -> None:
    """Take the pictures of one folder, on a service and a database of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as root,
        PostgresServer(programs) as server,
        login_site(
            Path(root),
            database_url=server.url(server.create_database()),
            login={"cookieDomain": DOMAIN},
            userLogin=dict(DEFAULT_RULES),
        ) as site,
        site.installation.database() as db,
        sync_playwright() as playwright,
        playwright.chromium.launch(**browser.options(site)) as chromium,
    ):
        people = LoginPeople(site, db)
        if folder.name == "admin":
            hold_up_a_rotation(site, db)
        for stop in stops:
            people.policy(**stop.policy)
            _take(chromium, people, stop, folder)


def _take(chromium: Browser, people: LoginPeople, stop: Stop, folder: Path) -> None:
    part = folder.name
    desktop = ADMIN if part == "admin" else DESKTOP
    looks = [("", desktop, "light", "en-GB")]
    if stop.name in IN_DARK[part]:
        looks.append(("-dark", desktop, "dark", "en-GB"))
    if stop.name in ON_A_PHONE[part]:
        looks.append(("-phone", PHONE, "light", "en-GB"))
    if stop.name in IN_TURKISH[part]:
        looks.append(("-tr", desktop, "light", "tr-TR"))
    for suffix, size, scheme, language in looks:
        png = _picture(chromium, people, stop, size=size, color_scheme=scheme, locale=language)
        path = folder / f"{stop.name}{suffix}.png"
        path.write_bytes(small_png(read_png(png)))
        print(f"{path} {path.stat().st_size:,} bytes")


def _picture(
    chromium: Browser,
    people: LoginPeople,
    stop: Stop,
    *,
    size: tuple[int, int],
    **preferences: str,
) -> bytes:
    for _ in range(TRIES):
        with (
            suppress(Error),
            browser.window(chromium, people.site, size=size, user_agent=AGENT, **preferences) as page,
        ):
            stop.reach(page, people)
            # The cursor blinks.
            return page.screenshot(full_page=stop.name not in TOO_LONG, caret="hide")
    raise SystemExit(f"There is no way to {stop.name}.")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
