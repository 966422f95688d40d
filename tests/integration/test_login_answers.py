"""What all answers of the login service have in common: headers, cookies, languages, pages for trouble."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest
from jinja2 import Environment, Template

from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.core.policy import MfaRules
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.errors import NotReadyError
from practicus_mfa.login import administer, setup_link
from practicus_mfa.login.hashing import Hashing
from practicus_mfa.web.health import Readiness
from practicus_mfa.web.views import answers
from tests.support.at_the_pages import (
    APPLICATION,
    SESSION,
    VERIFY,
    cookies_of,
    enrol,
    give_code,
    give_password,
    leads_to,
    log_in,
    stale,
    with_mfa,
    with_password,
    wrong,
)
from tests.support.logging_in import Desk
from tests.support.people import NEW, OTHER, PASSWORD
from tests.support.web_client import Browser, Page, WebDesk, with_domain
from tools import messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from practicus_mfa.storage.engine import Database
    from tests.support.postgres import PostgresServer

FORBIDDEN: Final = re.compile(r"<script|<style|\sstyle=|\son[a-z]+=|<iframe|<object|javascript:")

PAGES: Final = (
    "/",
    "/login/totp",
    "/login/recovery",
    "/login/remember",
    "/enroll",
    "/prove",
    "/account",
    "/account/recovery-codes",
    "/account/remove-mfa",
    "/account/password",
    "/account/sessions",
)


@pytest.fixture
def web(sqlite_db: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebDesk]:
    monkeypatch.setattr(answers, "BOUNCE_SECONDS", 3_600)
    made = WebDesk(Desk(sqlite_db), with_domain())
    yield made
    made.close()


class Heard:
    """All answers that a desk's browsers got."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[httpx.Response] = []
        send = Browser.request

        def heard(browser: Browser, *given: str, **options: object) -> httpx.Response:
            answer = send(browser, *given, **options)  # type: ignore[arg-type]
            self.answers.append(answer)
            return answer

        monkeypatch.setattr(Browser, "request", heard)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    return Heard(monkeypatch)


def grand_tour(web: WebDesk, language: str = "en") -> None:
    """Get every kind of answer, and every page, once."""
    for name in ("ada", "eve", "kim"):
        with_password(web, name)
    with_mfa(web, "bob")
    browser = web.browser(language=language)
    # A log-in with all that goes wrong on the way, and what there is in the account.
    browser.get("/account")
    give_password(browser, "bob", "guess")
    page = browser.follow(give_password(browser, "bob", rd=APPLICATION))
    browser.submit(page, "/login/totp", code=wrong(web))
    browser.get("/login/recovery")
    browser.submit(page, "/login/totp", form_token="old", code="1")
    give_code(browser, page)
    for path in (
        "/account",
        "/enroll",
        "/account/password",
        "/account/recovery-codes",
        "/account/remove-mfa",
    ):
        browser.get(path)
    browser.get(f"/login?rd={quote(APPLICATION, safe='')}")
    browser.get("/account?done=session")
    stale(web)
    browser.submit(browser.follow(browser.get("/enroll")), "/prove", password="guess")
    browser.get("/logout")
    web.desk.policy(mfa=MfaRules(mandatory=True))
    browser.get("/account/remove-mfa")
    page = browser.follow(browser.get("/account/password"))
    browser.submit(page, "/prove", password=PASSWORD, code=web.desk.code())
    browser.get("/account/remove-mfa")
    browser.submit(
        browser.get("/account/password"), "/account/password", new_password="short", repeated="short"
    )
    web.desk.held = HeldKeys([OTHER])
    browser.get("/account")
    web.desk.held = HeldKeys([NEW])
    # Enrolment that is forced, and its recovery codes.
    forced = web.browser(language=language)
    page = forced.follow(give_password(forced, "eve"))
    forced.submit(page, "/enroll", code=wrong(web))
    enrol(forced, page)
    web.desk.policy(mfa=MfaRules(mandatory=True, grace_period_days=7))
    graced = web.browser(language=language)
    graced.submit(graced.follow(give_password(graced, "ada")), "/login/remember")
    graced.get("/account")
    web.desk.policy(mfa=MfaRules(enabled=False))
    graced.get("/enroll")
    web.desk.policy(mfa=MfaRules())
    # A set-up link, notices, the end.
    link = f"/setup/{setup_link.issue(web.desk.db, 'kim', actor='root').token}"
    browser = web.browser(language=language)
    browser.submit(browser.get(link), link, new_password="short", repeated="short")
    browser.get("/setup/over")
    administer.set_password(web.desk.db, "ada", PASSWORD, actor="root")
    log_in(browser, "ada")
    browser.submit(browser.get("/logout"), "/logout")
    browser.get("/login?note=out")
    # Too often.
    for _ in range(5):
        give_password(browser, "ada", "guess")
    web.desk.hold_stops()
    give_password(browser, "ada", "guess")
    # Not understood.
    browser.get("/nowhere")
    browser.request("PUT", "/login")
    browser.post("/login", {"x": "y" * 9_000})
    browser.request("POST", "/login", headers={"Content-Type": "text/plain"})
    browser.get("/login", Host="other.example.com")
    for path in ("/static/style.css", "/static/icon.svg", "/static/none.css", "/healthz", "/readyz"):
        browser.get(path)


# Headers


def test_every_answer_has_the_headers_that_protect_it(web: WebDesk, heard: Heard) -> None:
    grand_tour(web)
    statuses = {answer.status_code for answer in heard.answers}
    assert statuses >= {200, 303, 400, 401, 403, 404, 405, 415, 421, 422, 429}
    for answer in heard.answers:
        where = (answer.request.method, answer.url.path, answer.status_code)
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff", where
        assert headers["x-frame-options"] == "DENY", where
        assert headers["referrer-policy"] == "same-origin", where
        assert headers["cross-origin-opener-policy"] == "same-origin", where
        assert headers["strict-transport-security"] == "max-age=31536000", where
        policy = headers["content-security-policy"]
        assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'self'"} <= set(
            policy.split("; ")
        ), where
        assert "unsafe" not in policy, where
        kept = answer.url.path.startswith("/static/") and answer.status_code == 200
        assert headers["cache-control"] == ("public, max-age=3600" if kept else "no-store"), where
        assert "server" not in headers, where


def test_styles_have_another_address_when_they_are_others(web: WebDesk) -> None:
    browser = web.browser()
    (address,) = re.findall(r'<link rel="stylesheet" href="([^"]+)">', browser.get("/login").text)
    styles = browser.get(address)
    assert styles.headers["content-type"].startswith("text/css")
    assert address == f"/static/style.css?{hashlib.sha256(styles.content).hexdigest()[:12]}"


def test_no_page_has_what_its_own_policy_forbids(web: WebDesk, heard: Heard) -> None:
    grand_tour(web)
    for answer in heard.answers:
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert not re.search(
                r"<script|<style|\sstyle=|\son[a-z]+=|<iframe|<object|javascript:", answer.text
            )
            assert answer.headers["vary"] == "Accept-Language, Cookie"


def test_a_page_whose_form_leads_to_an_application_says_so(web: WebDesk) -> None:
    policies = [
        web.browser().get(f"/login?rd={quote(rd, safe='')}").headers["content-security-policy"]
        for rd in ("https://app.example.com:8443/x", "https://app.evil.net", "/account", "")
    ]
    forms = [policy.partition("form-action ")[2] for policy in policies]
    assert forms == ["'self' https://app.example.com:8443", "'self'", "'self'", "'self'"]


def test_who_comes_through_the_front_door_is_not_told_why_a_replica_is_not_ready(web: WebDesk) -> None:
    why = Readiness(("the database can't be used: mfa at db.internal does not answer",))
    web.app.state.service = replace(web.app.state.service, ready=lambda: why)
    browser = web.browser()
    for host in ("login.example.com", "LOGIN.example.com:443"):
        answer = browser.get("/readyz", Host=host)
        assert (answer.status_code, answer.text) == (503, "not ready\n")
    for host in ("10.0.0.7:8080", "127.0.0.1:8080", ""):
        assert "db.internal" in browser.get("/readyz", Host=host).text


def test_only_this_host_is_answered_but_for_probes(web: WebDesk) -> None:
    browser = web.browser()
    for host in ("evil.example.com", "example.com", "login.example.com:8443", "login.example.com.", ""):
        assert browser.get("/login", Host=host).status_code == 421
        assert browser.get("/healthz", Host=host).status_code == 200
        assert browser.get("/readyz", Host=host).status_code == 200
    for host in ("LOGIN.example.com", "login.example.com:443"):
        assert browser.get("/login", Host=host).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%00",
    ],
)
def test_nothing_but_our_static_files_is_served(web: WebDesk, path: str) -> None:
    assert web.browser().get(path).status_code == 404


def test_an_address_with_a_slash_too_many_leads_nowhere(web: WebDesk) -> None:
    # A redirect would be made of what a proxy says of scheme and host.
    for path in ("/login/", "/account/", "/enroll/"):
        assert web.browser().get(path).status_code == 404


# Cookies


def test_every_cookie_is_this_hosts_alone_but_the_one_for_applications(web: WebDesk, heard: Heard) -> None:
    grand_tour(web)
    seen = set()
    for answer in heard.answers:
        for name, cookie in cookies_of(answer).items():
            seen.add(name)
            domain = "example.com" if name == VERIFY else ""
            assert name.startswith("__Host-mfa_") or name == VERIFY
            assert (cookie["domain"], cookie["path"]) == (domain, "/"), name
            assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "lax"), name
    assert len(seen) == 6, seen


def test_a_demo_without_encryption_has_cookies_that_every_browser_takes(sqlite_db: Database) -> None:
    web = WebDesk(Desk(sqlite_db), LoginConfig(host="127.0.0.1:8443"))
    with_password(web, "ada")
    browser = web.browser()
    answer = log_in(browser)
    assert leads_to(answer, "/account")
    cookie = cookies_of(answer)["mfa_session_8443"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == ("", True, "lax")
    assert set(browser.jar) == {"mfa_session_8443", "mfa_device_8443"}
    assert "strict-transport-security" not in answer.headers
    web.close()


def test_health_and_static_files_set_no_cookie(web: WebDesk) -> None:
    for path in ("/healthz", "/readyz", "/static/style.css"):
        assert "set-cookie" not in web.browser().get(path).headers


# Languages


def test_a_language_is_chosen_by_the_browser_or_by_a_link_and_kept(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser(language="de, tr;q=0.8, en;q=0.2")
    page = browser.get(f"/login?rd={quote(APPLICATION, safe='')}")
    assert (Page(page.text).language, page.headers["content-language"]) == ("tr", "tr")
    (link,) = [link for link in Page(page.text).links if "lang=" in link]
    page = browser.get(link)
    assert Page(page.text).language == "en"
    assert Page(page.text).form("/login").fields["rd"] == APPLICATION, "it leads on to the same place"
    browser.submit(page, "/login", username="ada", password=PASSWORD)
    for path in ("/login/remember", "/nowhere", "/setup/x"):
        assert Page(browser.get(path).text).language == "en"
    assert Page(browser.get("/nowhere?lang=tr").text).language == "tr"
    for path in ("/login?lang=xx", "/nowhere?lang=xx"):
        assert Page(browser.get(path).text).language == "en", "what is no language changes nothing"


def test_every_page_is_shown_in_turkish_without_an_english_word(
    web: WebDesk, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: set[str] = set()
    get_template = Environment.get_template

    def noted(environment: Environment, name: str, *given: object, **options: object) -> Template:
        shown.add(name)
        return get_template(environment, name, *given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Environment, "get_template", noted)
    grand_tour(web, "tr")
    templates = {file.name for file in (messages.WEB / "templates").glob("*.html")}
    assert templates - shown == {"base.html", "parts.html"} - shown
    english = {text for message in messages.messages() for text in messages.texts_of(message.id) if text}
    # Placeholders are filled in on the page: what stands around them is looked for.
    parts = {part.strip(" .,:?") for text in english for part in re.split(r"%\([a-z]+\)[sd]", text)}
    for answer in heard.answers:
        if answer.headers.get("content-type", "").startswith("text/html"):
            page = Page(answer.text)
            assert page.language == "tr"
            texts = {text.strip(" .,:?") for text in page.texts}
            assert not {text for text in texts & parts if " " in text}, answer.url
            assert not texts & {"Password", "Continue", "Cancel", "Account", "End", "Error", "Language"}


# Trouble


def test_while_the_database_is_away_pages_say_so_and_nobody_loses_the_session(
    postgres_db: Database, postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    web = WebDesk(Desk(postgres_db), with_domain())
    with_password(web, "ada")
    with_mfa(web, "bob")
    browser, half = web.browser(), web.browser()
    log_in(browser)
    code_page = half.follow(give_password(half, "bob"))
    form = web.browser()
    page, before = form.get("/login"), dict(browser.jar)
    account = browser.get("/account/password")
    postgres_server.stop()
    answers = [browser.get(path) for path in PAGES if path != "/account/sessions"]
    answers += [half.get("/login/totp"), half.submit(code_page, "/login/totp", code=web.desk.code())]
    answers += [form.submit(page, "/login", username="ada", password=PASSWORD)]
    answers += [form.get("/setup/some-token"), browser.get("/login"), browser.get("/logout")]
    answers += [
        browser.submit(account, "/account/password", new_password=PASSWORD + "x", repeated=PASSWORD + "x")
    ]
    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5"), answer.url
        assert Page(answer.text).title.startswith("Not available for a moment")
        assert not re.search(r"Traceback|psycopg|sqlalchemy|127\.0\.0\.1|connection", answer.text)
        assert "set-cookie" not in answer.headers
    assert form.get("/login").status_code == 200, "who is not logged in is shown the form"
    assert browser.get("/static/style.css").status_code == 200
    assert PASSWORD not in caplog.text
    postgres_server.start()
    assert dict(browser.jar) == before
    assert browser.get("/account").status_code == 200
    assert leads_to(give_code(half, half.get("/login/totp")), "/account")
    web.close()


def test_a_replica_that_may_not_open_factors_yet_asks_to_wait(web: WebDesk) -> None:
    def refuse() -> HeldKeys:
        raise NotReadyError("This replica holds no lease.", remedy="Wait.")

    with_mfa(web, "ada")
    with_password(web, "kim")
    browser, other = web.browser(), web.browser()
    web.keys = refuse
    page = browser.follow(give_password(browser))
    assert page.status_code == 200
    code = web.desk.code()
    answer = browser.submit(page, "/login/totp", code=code)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "lease" not in answer.text
    log_in(other, "kim")
    assert other.get("/account").status_code == 200
    assert other.get("/enroll").status_code == 503
    web.keys = None
    assert leads_to(browser.submit(page, "/login/totp", code=code), "/account"), "the code was not used up"


def test_where_too_many_passwords_are_hashed_the_next_one_waits(sqlite_db: Database) -> None:
    web = WebDesk(Desk(sqlite_db), with_domain(), hashing=Hashing(at_once=1, waiting=-1))
    with_password(web, "ada")
    answer = give_password(web.browser())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert _counted(web, "busy") == 1
    web.close()


def _counted(web: WebDesk, result: str) -> float | None:
    return web.metrics.registry.get_sample_value("practicus_mfa_login_total", {"result": result})


def test_a_fault_of_the_program_is_logged_and_tells_the_visitor_nothing(
    web: WebDesk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*given: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(setup_link, "look", fail)
    with caplog.at_level(logging.ERROR):
        answer = web.browser().get("/setup/the-token-of-a-link")
    assert answer.status_code == 500
    assert Page(answer.text).title.startswith("Something went wrong")
    assert "the inside" not in answer.text
    assert "a page failed: /setup" in caplog.text
    assert "the-token" not in caplog.text


def test_results_are_counted(web: WebDesk) -> None:
    with_mfa(web, "ada")
    browser = web.browser()
    give_password(browser, password="guess")
    page = browser.follow(give_password(browser))
    browser.submit(page, "/login/totp", code=wrong(web))
    browser.submit(page, "/login/totp", code=web.desk.code(steps=5))
    give_code(browser, page)
    results = ("wrong_credentials", "wrong_code", "clock_skew", "success", "error")
    assert [_counted(web, result) for result in results] == [1, 1, 1, 1, 0]


def test_addresses_are_those_that_trusted_proxies_report(sqlite_db: Database) -> None:
    config = LoginConfig(host="login.example.com", trusted_proxies=(ip_network("10.0.0.0/8"),))
    web = WebDesk(Desk(sqlite_db), config)
    with_password(web, "ada")
    for address, seen in (("10.0.0.1", "203.0.113.9"), ("198.51.100.7", "198.51.100.7")):
        browser = web.browser(address=address)
        browser.headers["X-Forwarded-For"] = "6.6.6.6, 203.0.113.9"
        log_in(browser)
        assert f"Address {seen}<br>" in browser.get("/account").text
    assert "6.6.6.6" not in browser.get("/account").text
    web.close()


def test_a_sessions_last_use_is_noted(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    log_in(browser)
    web.desk.age("mfa_sessions", "last_used_at", timedelta(hours=2))
    old = browser.get("/account").text
    web.uses.flush()
    assert browser.get("/account").text != old
    assert browser.has(SESSION)
