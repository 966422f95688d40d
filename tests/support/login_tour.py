"""Every page of the login service, and the way to it: what is looked at by axe, at all widths, and by people.

The ways use no words of the pages, so that they lead there in every language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from practicus_mfa.login import administer
from practicus_mfa.storage import audit
from tests.support.browser import give_code, give_password, log_in, shown_secret, submit
from tests.support.login_site import DOMAIN
from tests.support.people import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.login_people import LoginPeople, Person

MANDATORY: Final = {"mfa": {"mandatory": True}}
GRACE: Final = {"mfa": {"mandatory": True, "gracePeriodDays": 7}}
OFF: Final = {"mfa": {"enabled": False}}

PHONE_AGENT: Final = "Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0"
OFFICE_AGENT: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Safari/605.1.15"
)


@dataclass(frozen=True)
class Stop:
    """One page in one state.

    Attributes:
        name: What its picture is called.
        template: What it is made from.
        reach: Gets a new window there.
        policy: What ``userLogin`` says meanwhile.
    """

    name: str
    template: str
    reach: Callable[[Page, LoginPeople], None]
    policy: dict[str, Any] = field(default_factory=dict)


def _login(page: Page, people: LoginPeople) -> None:
    page.goto("/login")


def _wrong_password(page: Page, people: LoginPeople) -> None:
    give_password(page, people.add(), password="not the password")


def _totp(page: Page, people: LoginPeople) -> None:
    give_password(page, people.add())


def _wrong_code(page: Page, people: LoginPeople) -> None:
    person = people.add()
    give_password(page, person)
    give_code(page, person.wrong_code())


def _stopped(page: Page, people: LoginPeople) -> None:
    person = people.add()
    give_password(page, person)
    for _ in range(6):
        give_code(page, person.wrong_code())


def _recovery(page: Page, people: LoginPeople) -> None:
    _totp(page, people)
    page.goto("/login/recovery")


def _remember(page: Page, people: LoginPeople) -> None:
    give_password(page, people.add(enrolled=False))


def _by_hand(page: Page, people: LoginPeople) -> None:
    _remember(page, people)
    page.locator("summary").click()


def _wrong_first_code(page: Page, people: LoginPeople) -> None:
    person = people.add(enrolled=False)
    give_password(page, person)
    person.secret = shown_secret(page)
    give_code(page, person.wrong_code())


def _codes(page: Page, people: LoginPeople) -> None:
    _enrol(page, people.add(enrolled=False))


def _enrol(page: Page, person: Person) -> None:
    give_password(page, person)
    person.secret = shown_secret(page)
    give_code(page, person.code())


def _codes_and_notices(page: Page, people: LoginPeople) -> None:
    person = people.add(enrolled=False)
    with people.db.write() as connection:
        audit.append(connection, person.username, "login", subject=person.username)
    administer.set_password(people.db, person.username, PASSWORD, actor="test")
    _enrol(page, person)


def _account(page: Page, people: LoginPeople) -> None:
    person = people.add()
    log_in(page, person)
    page.goto("/account/recovery-codes")
    submit(page)
    people.add_session(person, user_agent=PHONE_AGENT, address="203.0.113.7")
    people.add_session(person, user_agent=OFFICE_AGENT, address="2001:db8:85a3:1319:8a2e:370:7344:abcd")
    page.goto("/account")


def _account_without_mfa(page: Page, people: LoginPeople) -> None:
    log_in(page, people.add(enrolled=False))


def _proof(page: Page, people: LoginPeople) -> None:
    person = people.add()
    log_in(page, person)
    people.pass_time(person, "mfa_sessions", "proved_at", span=timedelta(minutes=6))
    page.goto("/account/password")


def _own(path: str) -> Callable[[Page, LoginPeople], None]:
    def reach(page: Page, people: LoginPeople) -> None:
        log_in(page, people.add())
        page.goto(path)

    return reach


def _new_codes(page: Page, people: LoginPeople) -> None:
    _own("/account/recovery-codes")(page, people)
    submit(page)


def _refused_password(page: Page, people: LoginPeople) -> None:
    _own("/account/password")(page, people)
    page.locator("#new_password").fill("password1234")
    page.locator("#repeated").fill("password1234")
    submit(page)


def _notices(page: Page, people: LoginPeople) -> None:
    person = people.add()
    log_in(page, person)
    administer.set_password(people.db, person.username, PASSWORD, actor="test")
    page.context.clear_cookies()
    for _ in range(3):
        give_password(page, person, password="not the password")
    people.forget_codes(person)
    log_in(page, person)


def _bounced(page: Page, people: LoginPeople) -> None:
    # Another host of the domain, which knows of no log-in: the service itself, by a name that is not its own.
    application = f"https://app.{DOMAIN}:{people.site.first.port}/"
    log_in(page, people.add(), path=f"/login?rd={application}")
    page.goto(f"/login?rd={application}")


def _setup(page: Page, people: LoginPeople) -> None:
    page.goto(people.setup_path(people.add(enrolled=False)))


def _at(path: str) -> Callable[[Page, LoginPeople], None]:
    def reach(page: Page, people: LoginPeople) -> None:
        page.goto(path)

    return reach


TOUR: Final = (
    Stop("login", "login.html", _login),
    Stop("login-wrong", "login.html", _wrong_password),
    Stop("code", "totp.html", _totp),
    Stop("code-wrong", "totp.html", _wrong_code),
    Stop("code-stopped", "totp.html", _stopped),
    Stop("recovery", "recovery.html", _recovery),
    Stop("remember", "remember.html", _remember),
    Stop("notices", "notices.html", _notices),
    Stop("account", "account.html", _account),
    Stop("account-without-mfa", "account.html", _account_without_mfa),
    Stop("proof", "prove.html", _proof),
    Stop("password", "password.html", _own("/account/password")),
    Stop("password-refused", "password.html", _refused_password),
    Stop("new-codes", "new_codes.html", _own("/account/recovery-codes")),
    Stop("new-codes-made", "codes.html", _new_codes),
    Stop("new-app", "enroll.html", _own("/enroll")),
    Stop("remove-mfa", "remove_mfa.html", _own("/account/remove-mfa")),
    Stop("logout", "logout.html", _own("/logout")),
    Stop("setup", "setup.html", _setup),
    Stop("setup-over", "setup_over.html", _at(f"/setup/{'x' * 43}")),
    Stop("bounced", "bounced.html", _bounced),
    Stop("no-such-page", "message.html", _at("/nothing")),
    Stop("enrol", "enroll.html", _remember, MANDATORY),
    Stop("enrol-by-hand", "enroll.html", _by_hand, MANDATORY),
    Stop("enrol-wrong", "enroll.html", _wrong_first_code, MANDATORY),
    Stop("codes", "codes.html", _codes, MANDATORY),
    Stop("codes-and-notices", "codes.html", _codes_and_notices, MANDATORY),
    Stop("remove-mfa-required", "remove_mfa.html", _own("/account/remove-mfa"), MANDATORY),
    Stop("account-grace", "account.html", _account_without_mfa, GRACE),
    Stop("account-mfa-off", "account.html", _account_without_mfa, OFF),
    Stop("mfa-off", "mfa_off.html", _own("/enroll"), OFF),
)
"""Ordered by policy: each change of it takes seconds."""
