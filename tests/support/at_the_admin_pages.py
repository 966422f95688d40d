"""What administrators do at their pages: tick users, choose what to do, confirm it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from practicus_mfa.login import administer
from tests.support.people import NEW, PASSWORD
from tests.support.web_client import Browser, Page, WebDesk

if TYPE_CHECKING:
    import httpx

    from practicus_mfa.core.login.rights import Action
    from practicus_mfa.storage.users import User

USERS = "/admin/users"


def administrator(web: WebDesk, name: str = "root", *, superuser: bool = True, mfa: bool = True) -> Browser:
    """A browser in which an administrator has just logged in: a superuser, or else staff."""
    key = NEW if mfa else None
    web.desk.people.add(name, key=key, is_superuser=superuser, is_staff=not superuser)
    administer.set_password(web.desk.db, name, PASSWORD, actor="test")
    return web.browser().logged_in(web.desk.log_in(name).tokens)


def a_while_later(web: WebDesk) -> None:
    """The last code, or password, is too long ago to act by."""
    for column in ("second_factor_at", "proved_at"):
        web.desk.age("mfa_sessions", column, timedelta(minutes=16))


def listed(page: httpx.Response) -> list[str]:
    """The user names of a page of the list, in order."""
    return re.findall(r'<th role="rowheader"[^>]*><a href="[^"]*">([^<]*)</a>', page.text)


def cells(page: httpx.Response, username: str) -> dict[str, str]:
    """A line of the list, by the names of its columns."""
    (row,) = [row for row in page.text.split('<tr role="row">')[1:] if f">{username}</a>" in row]
    found = re.findall(r'<td role="cell"[^>]* data-label="([^"]*)">(.*?)</td>', row)
    return {name: re.sub("<[^>]*>", "", value).strip() for name, value in found}


def choose(
    browser: Browser,
    action: Action | str,
    *users: User,
    which: str = "ticked",
    bar: str = "top",
    path: str = USERS,
) -> httpx.Response:
    """Tick users in the list at *path*, choose an action in a menu, and press its button."""
    page = browser.get(path)
    typed = {f"u{user.id}": "1" for user in users}
    typed |= {f"action-{bar}": str(action), f"which-{bar}": which}
    return browser.fill(page, f"{USERS}/action", typed, button=("go", bar))


def confirm(browser: Browser, page: httpx.Response, **typed: str) -> httpx.Response:
    """Confirm, and go where that leads."""
    return browser.follow(browser.fill(page, f"{USERS}/run", typed))


def texts(page: httpx.Response) -> str:
    """All that a page says, in one line."""
    return " ".join(Page(page.text).texts)
