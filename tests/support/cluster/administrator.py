"""The first administrator of a release, in Chromium: comes in by the command of the notes, and stays."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright
from sqlalchemy import update

from practicus_mfa.storage import schema, users
from practicus_mfa.storage.engine import database_now
from tests.support import browser, chromium_programs
from tests.support.browser import (
    give_code,
    heading,
    path_of,
    press,
    shown_codes,
    shown_secret,
    submit,
    watched,
)
from tests.support.cluster.ingress import certificate
from tests.support.login_people import Person
from tests.support.login_site import HOST
from tests.support.navigation import visit
from tests.support.unavailable import without

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.cluster.login_release import LoginRelease
    from tests.support.cluster.machine import Machine

NAME: Final = "ada"

TOO_LONG_AGO: Final = timedelta(minutes=16)
"""After it, whoever changes the account, or administers, proves once more who it is."""


@contextmanager
def chromium(machine: Machine) -> Iterator[Browser]:
    """A browser that finds the ingress of a node, and trusts it; without Chromium, the test is skipped."""
    if chromium_programs.find() is None:
        reason = f"Chromium is missing. {chromium_programs.REMEDY}"
        without(reason)
    options = browser.options_for(machine.address, certificate(machine))
    with sync_playwright() as started, started.chromium.launch(**options) as running:
        yield running


@contextmanager
def window(running: Browser) -> Iterator[Page]:
    """A window with cookies of its own; fails where content had to be blocked, or the service broke."""
    context = running.new_context(locale="en-GB", base_url=f"https://{HOST}")
    with watched(context):
        yield context.new_page()


@dataclass(frozen=True)
class Administrator:
    """Somebody who logged in once.

    Attributes:
        release: Where.
        page: The window.
        person: What she knows and carries.
        link: The link that she came in by.
    """

    release: LoginRelease
    page: Page
    person: Person
    link: str

    def still_in(self) -> bool:
        """Whether she is still logged in."""
        visit(self.page, "/account")
        return heading(self.page) == "Your account"

    def a_while_later(self) -> None:
        """Her last password and code are too long ago to change anything by; her last code is good again."""
        with self.release.installation.database() as db, db.write() as connection:
            user = users.get(connection, NAME)
            rows, factors = schema.sessions, schema.factors
            past = dict.fromkeys(("proved_at", "second_factor_at"), database_now(connection) - TOO_LONG_AGO)
            connection.execute(update(rows).where(rows.c.user_id == user.id).values(past))
            connection.execute(update(factors).where(factors.c.user_id == user.id).values(last_step=-1))

    def prove(self) -> None:
        """Go to a page that asks for the factor, and give it."""
        self.a_while_later()
        visit(self.page, "/account/recovery-codes")
        assert heading(self.page) == "Is it you?"
        self.page.locator("#password").fill(self.person.password)
        self.page.locator("#code").fill(self.person.code())
        submit(self.page)
        assert path_of(self.page) == "/account/recovery-codes"


def come_in(release: LoginRelease, told: str, page: Page) -> Administrator:
    """Type the command of the notes, follow its link, choose a password, set up an app.

    Args:
        release: Where.
        told: What Helm said at the installation.
        page: A new window.
    """
    (command,) = [line.strip() for line in told.splitlines() if " exec " in line]
    link = re.search(rf"https://{re.escape(HOST)}(/setup/\S+)", release.type_in(command, NAME=NAME))
    assert link, "no link in what the command says"
    person = Person(NAME)
    visit(page, link[1])
    page.locator("#new_password").fill(person.password)
    page.locator("#repeated").fill(person.password)
    submit(page)
    press(page, "No, only for now")
    press(page, "Set up an authenticator app")
    person.secret = shown_secret(page)
    give_code(page, person.code())
    assert len(shown_codes(page)) == 10
    press(page, "I have saved them")
    return Administrator(release, page, person, link[1])
