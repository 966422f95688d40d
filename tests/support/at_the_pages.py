"""What people do at the login pages, step by step: fill in, send, follow."""

from __future__ import annotations

from datetime import timedelta
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from practicus_mfa.login import administer
from practicus_mfa.storage import sessions
from tests.support.people import PASSWORD
from tests.support.web_client import Browser, Page, WebDesk, secret_of

if TYPE_CHECKING:
    import httpx

    from practicus_mfa.storage.sessions import StoredSession

APPLICATION: Final = "https://grafana.example.com/d/1?from=now&to=x#top"
"""Where somebody wants to go: with all that an address may have."""

ANOTHER: Final = "another password of mine"
STEP: Final = timedelta(seconds=30)

SESSION: Final = "__Host-mfa_session"
HALF: Final = "__Host-mfa_login"
FORM: Final = "__Host-mfa_form"
DEVICE: Final = "__Host-mfa_device"
VERIFY: Final = "__Secure-mfa_verify"


def with_password(web: WebDesk, name: str, *, is_superuser: bool = False) -> None:
    web.desk.people.add(name, is_superuser=is_superuser)
    administer.set_password(web.desk.db, name, PASSWORD, actor="test")


def with_mfa(web: WebDesk, name: str, *, is_staff: bool = False) -> None:
    web.desk.enrolled(name, is_staff=is_staff)
    administer.set_password(web.desk.db, name, PASSWORD, actor="test")


def give_password(
    browser: Browser, name: str = "ada", password: str = PASSWORD, *, rd: str = ""
) -> httpx.Response:
    """Go to the log-in page and fill it in."""
    page = browser.get(f"/login?rd={quote(rd, safe='')}" if rd else "/login")
    return browser.submit(page, "/login", username=name, password=password)


def give_code(
    browser: Browser, page: httpx.Response, *, code: str = "", remember: bool = False
) -> httpx.Response:
    """Give the code of now, and let the next one come."""
    desk = browser.web.desk
    form = {"code": code or desk.code(), **({"remember": "1"} if remember else {})}
    answer = browser.submit(page, "/login/totp", button=("", ""), **form)
    desk.later(STEP)
    return answer


def log_in(browser: Browser, name: str = "ada", *, rd: str = "", remembered: bool = False) -> httpx.Response:
    """Log in all the way."""
    answer = give_password(browser, name, rd=rd)
    if answer.headers.get("location") == "/login/totp":
        return give_code(browser, browser.follow(answer))
    if answer.headers.get("location") == "/login/remember":
        choice = ("remember", "yes" if remembered else "no")
        return browser.submit(browser.follow(answer), "/login/remember", button=choice)
    return answer


def enrol(browser: Browser, page: httpx.Response) -> tuple[str, ...]:
    """Set up an app from the page that offers its secret; return the recovery codes."""
    desk = browser.web.desk
    desk.secret = secret_of(page)
    answer = browser.submit(page, "/enroll", code=desk.code())
    desk.later(STEP)
    assert answer.status_code == 200
    return tuple(Page(answer.text).codes)


def wrong(web: WebDesk) -> str:
    """A code that is nobody's for hours."""
    near = {web.desk.code(steps=steps) for steps in range(-12, 13)}
    return next(code for number in range(100) if (code := f"{number:06d}") not in near)


def leads_to(answer: httpx.Response, location: str) -> bool:
    return answer.status_code == 303 and answer.headers["location"] == location


def is_in(browser: Browser) -> bool:
    """Whether the account page opens."""
    return browser.get("/account").status_code == 200


def stale(web: WebDesk) -> None:
    web.desk.age("mfa_sessions", "proved_at", timedelta(minutes=5, seconds=1))


def sessions_of(web: WebDesk, name: str) -> tuple[StoredSession, ...]:
    with web.desk.db.read() as connection:
        return sessions.of_user(connection, web.desk.people.get(name).id)


def cookies_of(answer: httpx.Response) -> SimpleCookie:
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        found.load(line)
    return found
