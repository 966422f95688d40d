"""Each line that a browser causes says from which address; tried with what a user can do with an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from practicus_mfa.storage import schema as s
from practicus_mfa.storage.audit import as_lines
from tests.support.at_the_pages import ANOTHER, enrol, give_code, give_password, log_in, with_password, wrong

if TYPE_CHECKING:
    from tests.support.web_client import Browser, WebDesk

HERE = "203.0.113.80"


def everything_with_an_account(web: WebDesk, browser: Browser) -> None:
    """Fail, log in, enrol, use a recovery code, renew, change, remove, log out."""
    give_password(browser, password="not the password")
    log_in(browser)
    codes = enrol(browser, browser.get("/enroll"))
    other = web.browser(address=HERE)
    log_in(other)
    last = web.browser(address=HERE)
    page = last.follow(give_password(last))
    give_code(last, page, code=wrong(web))
    recovery = last.get("/login/recovery")
    last.submit(recovery, "/login/recovery", code="aaaa-aaaa-aaaa-aaaa")
    last.submit(recovery, "/login/recovery", code=codes[0])
    last.submit(last.get("/account/recovery-codes"), "/account/recovery-codes")
    password = last.get("/account/password")
    last.submit(password, "/account/password", new_password=ANOTHER, repeated=ANOTHER)
    last.submit(last.get("/account/remove-mfa"), "/account/remove-mfa")
    page = other.follow(give_password(other, password=ANOTHER))
    other.submit(page, "/login/remember", button=("remember", "no"))
    last.submit(last.get("/account"), "/account/sessions", button=("session", "others"))
    last.submit(last.get("/logout"), "/logout")


def test_every_line_says_from_where(web: WebDesk) -> None:
    with_password(web, "ada")
    everything_with_an_account(web, web.browser(address=HERE))
    with web.desk.db.read() as connection:
        lines = as_lines(connection.execute(select(s.audit).where(s.audit.c.actor == "ada")))
    assert {line.action for line in lines} == {
        "login",
        "mfa.enrol",
        "recovery-code.use",
        "recovery-codes.renew",
        "user.set-password",
        "mfa.remove",
        "logout.everywhere",
        "logout",
    }
    assert {line.detail.get("address") for line in lines} == {HERE}
