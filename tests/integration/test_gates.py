"""Every page of the application, for every kind of visitor: who lacks what its gate asks for gets nowhere.

The pages are the application's own routes. Their views are real for GET; what acts is replaced by a note that
it was called, so that each page may be posted to again and again, with all that makes a post worthless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest
from sqlalchemy import func, select, update
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from practicus_mfa.core.login.rights import Action
from practicus_mfa.core.login.rules import Step
from practicus_mfa.core.policy import MfaRules, RememberMeRules, SessionRules
from practicus_mfa.crypto.opaque import form_token, new_token
from practicus_mfa.login import administer, bulk, setup_link
from practicus_mfa.login.acts.by import By
from practicus_mfa.login.recovery_codes import give_recovery_codes
from practicus_mfa.storage import groups, schema
from practicus_mfa.web import app as application
from practicus_mfa.web.gates import Gate, Page
from practicus_mfa.web.views.health import HEALTH_ROUTES
from tests.support.logging_in import Desk
from tests.support.people import PASSWORD
from tests.support.web_client import Browser, WebDesk, secret_of, with_domain

if TYPE_CHECKING:
    import httpx

    from practicus_mfa.storage.engine import Database
    from practicus_mfa.web.visit import Visit

GATES: Final = {
    "/": Gate.SESSION,
    "/login": Gate.PUBLIC,
    "/login/totp": Gate.HALF,
    "/login/recovery": Gate.HALF,
    "/login/remember": Gate.HALF,
    "/enroll": Gate.ENROL,
    "/setup/{token}": Gate.PUBLIC,
    "/logout": Gate.PUBLIC,
    "/prove": Gate.LIMITED,
    "/account": Gate.SESSION,
    "/account/recovery-codes": Gate.PROVED,
    "/account/remove-mfa": Gate.PROVED,
    "/account/password": Gate.PASSWORD,
    "/account/sessions": Gate.PROVED,
    "/admin": Gate.ADMIN,
    "/admin/users": Gate.ADMIN,
    "/admin/users.csv": Gate.ADMIN,
    "/admin/users/new": Gate.ADMIN,
    "/admin/users/action": Gate.ADMIN,
    "/admin/users/run": Gate.ADMIN,
    "/admin/users/runs/{run}": Gate.ADMIN,
    "/admin/users/{id:row}": Gate.ADMIN,
    "/admin/users/{id:row}/edit": Gate.ADMIN,
    "/admin/users/{id:row}/setup-link": Gate.ADMIN,
    "/admin/users/{id:row}/sessions": Gate.ADMIN,
    "/admin/users/{id:row}/devices": Gate.ADMIN,
    "/admin/groups": Gate.SUPERUSER,
    "/admin/groups/{name}": Gate.SUPERUSER,
    "/admin/groups/{name}/delete": Gate.SUPERUSER,
    "/admin/audit": Gate.SUPERUSER,
    "/admin/audit.jsonl": Gate.SUPERUSER,
    "/admin/settings": Gate.SUPERUSER,
}
"""What each page asks for. A page that is not here fails the tests."""


@dataclass
class Site:
    """The application, with notes of which views were called.

    Attributes:
        web: The application.
        called: Method and path of the views that were called.
        link: The token of a set-up link.
        shown: What else stands in addresses, by its name there.
    """

    web: WebDesk
    called: list[tuple[str, str]] = field(default_factory=list)
    link: str = ""
    shown: dict[str, str] = field(default_factory=dict)

    @property
    def desk(self) -> Desk:
        return self.web.desk

    def address(self, path: str) -> str:
        for name, value in self.shown.items():
            path = path.replace(f"{{{name}}}", value)
        return path.replace("{token}", self.link)

    def routes(self) -> list[Route]:
        """All routes that are pages."""
        routes = self.web.app.routes
        others = [route for route in routes if isinstance(route, Mount) or route in HEALTH_ROUTES]
        pages = [route for route in routes if isinstance(route, Route) and route not in others]
        assert len(pages) + len(others) == len(routes)
        assert [route.path for route in others if isinstance(route, Mount)] == ["/static"]
        return pages

    def everything(self) -> dict[str, list[tuple[object, ...]]]:
        """All that is stored."""
        with self.desk.db.read() as connection:
            return {
                name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for name, table in schema.metadata.tables.items()
            }

    def call(
        self,
        browser: Browser,
        method: str,
        path: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> tuple[list[tuple[str, str]], httpx.Response]:
        """Send a request; return which views were called, and the answer."""
        self.called.clear()
        answer = browser.request(method, path, data=data, headers=headers)
        return list(self.called), answer


@pytest.fixture
def site(sqlite_db: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # One database is enough: what gates ask for is tried on both where it is written.
    called: list[tuple[str, str]] = []

    def noted(opened: Page) -> Page:
        show = opened.show

        def shown(visit: Visit) -> Response:
            called.append(("GET", opened.path))
            assert show is not None
            return show(visit)

        def acted(visit: Visit) -> Response:
            called.append(("POST", opened.path))
            return PlainTextResponse("done")

        return replace(opened, show=shown if show else None, act=acted if opened.act else None)

    monkeypatch.setattr(application, "PAGES", [noted(opened) for opened in application.PAGES])
    desk = Desk(sqlite_db)
    web = WebDesk(desk, with_domain())
    guest, root = desk.people.add("guest"), desk.people.add("root", is_superuser=True)
    with sqlite_db.write() as connection:
        groups.create(connection, "ops")
    by = By(account_id=root.id, username="root")
    run = bulk.start(desk.runner, by, Action.UNLOCK, [guest.id])
    shown = {"id:row": str(guest.id), "name": "ops", "run": str(run.id)}
    yield Site(web, called, setup_link.issue(sqlite_db, "guest", actor="root").token, shown)
    web.close()


@pytest.fixture
def real(db: Database) -> Iterator[Site]:
    """The application as it is."""
    web = WebDesk(Desk(db), with_domain())
    yield Site(web)
    web.close()


# Visitors

Prepare = Callable[[Site, Browser], None]


class Kind(Enum):
    """What a visitor has."""

    OUTSIDE = auto()
    HALF = auto()
    MUST_ENROL = auto()
    MUST_ENROL_STALE = auto()
    MUST_CHANGE = auto()
    INSIDE = auto()
    STALE = auto()
    STAFF = auto()
    SUPERUSER = auto()


REFUSED: Final = "403"
"""Instead of an address: the visitor is told that this is not allowed."""


def led_to(kind: Kind, gate: Gate, method: str, path: str) -> str | None:
    """Where a gate sends a visitor, ``None`` where it lets the visitor in."""
    for_administrators = {Gate.ADMIN, Gate.SUPERUSER}
    lets_in = {
        Kind.OUTSIDE: {Gate.PUBLIC},
        Kind.HALF: {Gate.PUBLIC, Gate.HALF, Gate.ENROL},
        Kind.MUST_ENROL: {Gate.PUBLIC, Gate.LIMITED, Gate.ENROL, Gate.PASSWORD},
        Kind.MUST_ENROL_STALE: {Gate.PUBLIC, Gate.LIMITED},
        Kind.MUST_CHANGE: {Gate.PUBLIC, Gate.LIMITED, Gate.PASSWORD},
        Kind.INSIDE: set(Gate) - {Gate.HALF} - for_administrators,
        Kind.STALE: {Gate.PUBLIC, Gate.LIMITED, Gate.SESSION},
        Kind.STAFF: set(Gate) - {Gate.HALF, Gate.SUPERUSER},
        Kind.SUPERUSER: set(Gate) - {Gate.HALF},
    }
    if gate in lets_in[kind]:
        return None
    if kind in {Kind.OUTSIDE, Kind.HALF}:
        afresh = gate is Gate.HALF or method == "POST"
        return "/login?note=expired" if afresh else f"/login?rd={quote(path, safe='')}"
    if gate is Gate.HALF:
        return "/account"
    if kind is Kind.MUST_CHANGE:
        return "/account/password"
    if gate not in {Gate.ENROL, Gate.PASSWORD} and kind in {Kind.MUST_ENROL, Kind.MUST_ENROL_STALE}:
        return "/enroll"
    if gate in for_administrators:
        return REFUSED
    return f"/prove?next={path}"


def add(desk: Desk, *, enrolled: bool = False) -> None:
    (desk.enrolled if enrolled else desk.people.add)("ada")
    administer.set_password(desk.db, "ada", PASSWORD, actor="test")


def log_in(site: Site, browser: Browser, *, enrolled: bool = False) -> None:
    add(site.desk, enrolled=enrolled)
    browser.logged_in(site.desk.log_in("ada").tokens)


def begin(site: Site, browser: Browser, step: Step) -> None:
    add(site.desk, enrolled=step is Step.CODE)
    if step is Step.ENROL:
        site.desk.policy(mfa=MfaRules(mandatory=True))
    browser.keep(site.web.cookies.half, site.desk.half("ada", Step.REMEMBER if step is Step.DONE else step))
    if step is Step.DONE:
        site.desk.policy(remember_me=RememberMeRules(enabled=False))


def disable(site: Site) -> None:
    """Leave the rows of sessions, which end otherwise: they alone must not be enough."""
    with site.desk.db.write() as connection:
        ada = schema.users.c.username == "ada"
        connection.execute(update(schema.users).where(ada).values(is_active=False))


def nobody(site: Site, browser: Browser) -> None:
    pass


def with_invented_tokens(site: Site, browser: Browser) -> None:
    browser.keep(site.web.cookies.session, new_token()).keep(site.web.cookies.half, new_token())


def with_an_old_half_login(site: Site, browser: Browser) -> None:
    begin(site, browser, Step.CODE)
    site.desk.age("mfa_half_logins", "expires_at", timedelta(minutes=10))


def with_the_half_login_of_a_disabled_user(site: Site, browser: Browser) -> None:
    begin(site, browser, Step.CODE)
    disable(site)


def with_a_half_login_as_session(site: Site, browser: Browser) -> None:
    add(site.desk, enrolled=True)
    browser.keep(site.web.cookies.session, site.desk.half("ada"))


def with_a_session_as_half_login(site: Site, browser: Browser) -> None:
    add(site.desk)
    browser.keep(site.web.cookies.half, site.desk.log_in("ada").tokens.session)


def whose_session_expired(site: Site, browser: Browser) -> None:
    log_in(site, browser)
    site.desk.age("mfa_sessions", "expires_at", timedelta(hours=13))


def whose_session_was_idle(site: Site, browser: Browser) -> None:
    log_in(site, browser)
    site.desk.policy(session=SessionRules(idle_minutes=10))
    site.desk.age("mfa_sessions", "last_used_at", timedelta(minutes=11))


def who_was_disabled(site: Site, browser: Browser) -> None:
    log_in(site, browser)
    disable(site)


def of_whom_a_code_is_wanted_now(site: Site, browser: Browser) -> None:
    site.desk.policy(mfa=MfaRules(enabled=False))
    log_in(site, browser, enrolled=True)
    site.desk.policy(mfa=MfaRules())


def with_the_token_for_applications(site: Site, browser: Browser) -> None:
    site.desk.cookie_domain = "example.com"
    add(site.desk)
    verify = site.desk.log_in("ada").tokens.verify
    assert verify
    browser.keep(site.web.cookies.session, verify).keep(site.web.cookies.half, verify)


def on_the_way_to_a_code(site: Site, browser: Browser) -> None:
    begin(site, browser, Step.CODE)


def on_the_way_to_enrol(site: Site, browser: Browser) -> None:
    begin(site, browser, Step.ENROL)


def on_the_way_to_the_choice(site: Site, browser: Browser) -> None:
    begin(site, browser, Step.REMEMBER)


def who_must_enrol(site: Site, browser: Browser) -> None:
    log_in(site, browser)
    site.desk.policy(mfa=MfaRules(mandatory=True))


def who_must_enrol_and_prove(site: Site, browser: Browser) -> None:
    who_must_enrol(site, browser)
    site.desk.age("mfa_sessions", "proved_at", timedelta(minutes=5, seconds=1))


def logged_in(site: Site, browser: Browser) -> None:
    log_in(site, browser)


def logged_in_with_mfa(site: Site, browser: Browser) -> None:
    log_in(site, browser, enrolled=True)


def whose_password_somebody_else_chose(site: Site, browser: Browser) -> None:
    log_in(site, browser)
    with site.desk.db.write() as connection:
        ada = schema.users.c.username == "ada"
        connection.execute(update(schema.users).where(ada).values(must_change_password=True))


def _with_role(site: Site, **role: bool) -> None:
    with site.desk.db.write() as connection:
        ada = schema.users.c.username == "ada"
        connection.execute(update(schema.users).where(ada).values(**role))


def who_is_staff(site: Site, browser: Browser) -> None:
    log_in(site, browser)
    _with_role(site, is_staff=True)


def who_is_a_superuser(site: Site, browser: Browser) -> None:
    log_in(site, browser, enrolled=True)
    _with_role(site, is_superuser=True)


def who_was_a_superuser(site: Site, browser: Browser) -> None:
    who_is_a_superuser(site, browser)
    _with_role(site, is_superuser=False)


def whose_proof_is_old(site: Site, browser: Browser) -> None:
    log_in(site, browser, enrolled=True)
    site.desk.age("mfa_sessions", "proved_at", timedelta(minutes=5, seconds=1))


VISITORS: Final = {
    nobody: Kind.OUTSIDE,
    with_invented_tokens: Kind.OUTSIDE,
    with_an_old_half_login: Kind.OUTSIDE,
    with_the_half_login_of_a_disabled_user: Kind.OUTSIDE,
    with_a_half_login_as_session: Kind.OUTSIDE,
    with_a_session_as_half_login: Kind.OUTSIDE,
    whose_session_expired: Kind.OUTSIDE,
    whose_session_was_idle: Kind.OUTSIDE,
    who_was_disabled: Kind.OUTSIDE,
    of_whom_a_code_is_wanted_now: Kind.OUTSIDE,
    with_the_token_for_applications: Kind.OUTSIDE,
    on_the_way_to_a_code: Kind.HALF,
    on_the_way_to_enrol: Kind.HALF,
    on_the_way_to_the_choice: Kind.HALF,
    who_must_enrol: Kind.MUST_ENROL,
    who_must_enrol_and_prove: Kind.MUST_ENROL_STALE,
    logged_in: Kind.INSIDE,
    logged_in_with_mfa: Kind.INSIDE,
    whose_password_somebody_else_chose: Kind.MUST_CHANGE,
    whose_proof_is_old: Kind.STALE,
    who_is_staff: Kind.STAFF,
    who_is_a_superuser: Kind.SUPERUSER,
    who_was_a_superuser: Kind.INSIDE,
}

each_visitor = pytest.mark.parametrize(
    ("prepare", "kind"),
    [pytest.param(prepare, kind, id=prepare.__name__) for prepare, kind in VISITORS.items()],
)


def form_of(site: Site, browser: Browser, gate: Gate) -> str:
    """The best form token that the visitor can have for pages of a gate."""
    names = site.web.cookies
    if gate is Gate.PUBLIC:
        return form_token(browser.jar[names.form])
    name = names.half if gate in {Gate.HALF, Gate.ENROL} and browser.has(names.half) else names.session
    return form_token(browser.jar.get(name) or new_token())


# The tests


def test_each_page_has_the_gate_that_is_written_here(site: Site) -> None:
    assert {route.path: _page_of(route).gate for route in site.routes()} == GATES


def _page_of(route: Route) -> Page:
    (found,) = [opened for opened in application.PAGES if opened.path == route.path]
    return found


@each_visitor
def test_a_gate_lets_in_who_has_what_it_asks_for_and_nobody_else(
    site: Site, prepare: Prepare, kind: Kind
) -> None:
    browser = site.web.browser()
    prepare(site, browser)
    browser.get("/login")  # for the cookie that forms before a log-in go by
    for route in site.routes():
        gate, path = GATES[route.path], site.address(route.path)
        for method in sorted(route.methods or ()):
            before = site.everything()
            data = {"form_token": form_of(site, browser, gate)} if method == "POST" else None
            headers = {"Sec-Fetch-Site": "same-origin"} if method == "POST" else {}
            called, answer = site.call(browser, method, path, data=data, headers=headers)
            target = led_to(kind, gate, method, path)
            if target is None:
                assert called == [("GET" if method == "HEAD" else method, route.path)], (method, path)
                continue
            assert called == [], (method, path)
            if target == REFUSED:
                assert answer.status_code == 403, (method, path)
            else:
                assert (answer.status_code, answer.headers["location"]) == (303, target), (method, path)
            assert site.everything() == before, (method, path)


@each_visitor
def test_a_look_at_a_page_changes_nothing(site: Site, prepare: Prepare, kind: Kind) -> None:
    browser = site.web.browser()
    prepare(site, browser)
    # What is offered to who enrols is stored, once.
    browser.get("/enroll")
    before = site.everything()
    for route in site.routes():
        for method in ("GET", "HEAD"):
            path = site.address(route.path)
            # Led by a stranger's page: a file that is asked for here is on record as the administrator's act.
            answer = browser.request(method, path + "?x=1", headers={"Sec-Fetch-Site": "cross-site"})
            refused = led_to(kind, GATES[route.path], method, path) == REFUSED
            expected = {403} if refused else {200, 303}
            assert answer.status_code in (expected if method in (route.methods or ()) else {405}), path
    assert site.everything() == before


@pytest.mark.parametrize("prepare", [nobody, logged_in])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_no_page_knows_another_method(site: Site, prepare: Prepare, method: str) -> None:
    browser = site.web.browser()
    prepare(site, browser)
    for route in site.routes():
        called, answer = site.call(browser, method, site.address(route.path))
        assert (called, answer.status_code) == ([], 405)


ELSEWHERE: Final[dict[str, dict[str, str | None]]] = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another host of the site": {"Sec-Fetch-Site": "same-site", "Origin": "https://app.example.com"},
    "no page at all": {"Sec-Fetch-Site": "none", "Origin": None},
    "an old browser at another site": {"Sec-Fetch-Site": None, "Origin": "https://evil.example.net"},
    "an old browser at another port": {"Sec-Fetch-Site": None, "Origin": "https://login.example.com:444"},
    "an old browser without encryption": {"Sec-Fetch-Site": None, "Origin": "http://login.example.com"},
    "an old browser in a sandbox": {"Sec-Fetch-Site": None, "Origin": "null"},
    "what says nothing": {"Sec-Fetch-Site": None, "Origin": None},
}
"""Where a post with the right token may come from all the same, by headers."""


@each_visitor
def test_a_post_that_is_not_of_our_page_does_nothing(site: Site, prepare: Prepare, kind: Kind) -> None:
    browser = site.web.browser()
    prepare(site, browser)
    for path in ("/login", "/enroll"):
        browser.get(path)
    ours = {"Sec-Fetch-Site": "same-origin", "Origin": site.web.config.origin}
    before, tried = site.everything(), 0
    for route in site.routes():
        gate, path = GATES[route.path], site.address(route.path)
        if "POST" not in (route.methods or ()) or led_to(kind, gate, "POST", path) is not None:
            continue
        right = form_of(site, browser, gate)
        foreign = {form_of(site, browser, other) for other in Gate} | {form_token(new_token())}
        for wrong in ("", "x", right[:-1], right.upper() + "x", "\u0130", *sorted(foreign - {right})):
            called, answer = site.call(browser, "POST", path, data={"form_token": wrong}, headers=ours)
            assert ("POST", route.path) not in called, (path, wrong)
            assert answer.status_code in {303, 403}, (path, wrong)
        called, _ = site.call(browser, "POST", path, data={"username": "ada"}, headers=ours)
        assert ("POST", route.path) not in called, path
        for whence, headers in ELSEWHERE.items():
            called, _ = site.call(
                browser, "POST", path, data={"form_token": right}, headers={**ours, **headers}
            )
            assert ("POST", route.path) not in called, (path, whence)
        assert site.everything() == before, path
        for left_out in ("Host", "Sec-Fetch-Site", "Origin"):
            headers = {name: value for name, value in ours.items() if name != left_out}
            called, _ = site.call(browser, "POST", path, data={"form_token": right}, headers=headers)
            assert called == [("POST", route.path)], (path, headers)
        tried += 1
    assert tried >= 3


def test_a_form_before_a_log_in_is_nothing_without_its_cookie(site: Site) -> None:
    browser = site.web.browser()
    browser.get("/login")
    right = form_of(site, browser, Gate.PUBLIC)
    browser.jar.clear()
    headers = {"Sec-Fetch-Site": "same-origin"}
    for path in ("/login", f"/setup/{site.link}", "/logout"):
        browser.jar.clear()
        called, _ = site.call(browser, "POST", path, data={"form_token": right}, headers=headers)
        assert ("POST", path.replace(site.link, "{token}")) not in called
        browser.jar.clear()
        empty = {"form_token": form_token("")}
        called, _ = site.call(
            browser.keep(site.web.cookies.form, ""), "POST", path, data=empty, headers=headers
        )
        assert ("POST", path.replace(site.link, "{token}")) not in called


@pytest.mark.parametrize(
    ("step", "opening"),
    [
        (Step.CODE, {"/login/totp", "/login/recovery"}),
        (Step.ENROL, {"/enroll"}),
        (Step.REMEMBER, {"/login/remember", "/enroll"}),
        (Step.DONE, {"/login/remember"}),
    ],
)
def test_only_what_is_missing_turns_a_half_login_into_a_session(
    real: Site, step: Step, opening: set[str]
) -> None:
    web, desk = real.web, real.desk
    for path in sorted(path for path, gate in GATES.items() if gate in {Gate.HALF, Gate.ENROL}):
        if path == "/enroll" and step is Step.DONE:
            continue  # it may, as at the choice; but there is nothing to choose
        name = f"ada{path.replace('/', '-')}"
        desk.people.add(name)
        administer.set_password(desk.db, name, PASSWORD, actor="test")
        browser = web.browser()
        code = ""
        if step is Step.CODE:
            desk.enrolled(f"{name}.x")
            name = f"{name}.x"
            administer.set_password(desk.db, name, PASSWORD, actor="test")
            code = recovery_code(desk, name) if path == "/login/recovery" else desk.code()
        first = Step.REMEMBER if step is Step.DONE else step
        desk.policy(mfa=MfaRules(mandatory=step is Step.ENROL), remember_me=RememberMeRules())
        browser.keep(web.cookies.half, desk.half(name, first))
        desk.policy(remember_me=RememberMeRules(enabled=step is not Step.DONE))
        if step in {Step.ENROL, Step.REMEMBER}:
            desk.secret = secret_of(browser.get("/enroll"))
            code = desk.code()
        data = {"form_token": form_of(real, browser, Gate.HALF), "code": code, "remember": "yes"}
        browser.post(path, data)
        assert (sessions_of(desk, name) == 1) is (path in opening), (step, path)
        assert browser.has(web.cookies.session) is (path in opening), (step, path)


def recovery_code(desk: Desk, name: str) -> str:
    with desk.db.write() as connection:
        query = select(schema.factors.c.id).join(schema.users).where(schema.users.c.username == name)
        return give_recovery_codes(connection, connection.execute(query).scalar_one())[0]


def sessions_of(desk: Desk, name: str) -> int:
    sessions = schema.metadata.tables[f"{schema.SCHEMA}.mfa_sessions"]
    with desk.db.read() as connection:
        query = select(func.count()).select_from(sessions.join(schema.users))
        return int(connection.execute(query.where(schema.users.c.username == name)).scalar_one())
