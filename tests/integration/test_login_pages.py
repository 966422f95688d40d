"""Logging in as users meet it, through HTTP: from name and password to where they wanted to go."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest

from practicus_mfa.login import administer
from practicus_mfa.web.views import answers
from tests.support.at_the_pages import (
    ANOTHER,
    APPLICATION,
    FORM,
    HALF,
    SESSION,
    VERIFY,
    cookies_of,
    enrol,
    give_code,
    give_password,
    is_in,
    leads_to,
    log_in,
    with_mfa,
    with_password,
    wrong,
)
from tests.support.logging_in import Desk
from tests.support.people import PASSWORD
from tests.support.web_client import Page, WebDesk, with_domain

if TYPE_CHECKING:
    import httpx

    from practicus_mfa.storage.engine import Database

HOUR: Final = timedelta(hours=1)

# Logging in


def test_without_mfa_there_is_a_password_and_a_choice(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    answer = give_password(browser, "Ada ", rd=APPLICATION)
    assert leads_to(answer, "/login/remember")
    assert not is_in(browser)
    page = browser.follow(answer)
    assert "for 30 days, ada." in page.text
    answer = browser.submit(page, "/login/remember", button=("remember", "no"))
    assert leads_to(answer, APPLICATION)
    assert cookies_of(answer)[SESSION]["max-age"] == ""
    assert is_in(browser)


def test_who_chooses_to_stay_logged_in_keeps_the_cookies(web: WebDesk) -> None:
    with_password(web, "ada")
    answer = log_in(web.browser(), remembered=True)
    assert leads_to(answer, "/account")
    month = 30 * 24 * 3_600
    for name in (SESSION, VERIFY):
        assert month - 60 < int(cookies_of(answer)[name]["max-age"]) <= month


def test_with_mfa_a_code_is_wanted(web: WebDesk) -> None:
    with_mfa(web, "ada")
    browser = web.browser()
    answer = give_password(browser, rd=APPLICATION)
    assert leads_to(answer, "/login/totp")
    assert not is_in(browser)
    page = browser.follow(answer)
    refused = browser.submit(page, "/login/totp", code=wrong(web), remember="1")
    assert refused.status_code == 401
    assert Page(refused.text).alerts == ["That code is wrong, or was used already. Wait for the next one."]
    assert Page(refused.text).form("/login/totp").fields["remember"] == "1", "what was ticked stays so"
    assert not is_in(browser)
    code = f" {web.desk.code()[:3]} {web.desk.code()[3:]}"
    answer = give_code(browser, refused, code=code)
    assert leads_to(answer, APPLICATION)
    assert int(cookies_of(answer)[SESSION]["max-age"]) > 24 * 3_600
    assert is_in(browser)


def test_a_code_is_good_once(web: WebDesk) -> None:
    with_mfa(web, "ada")
    code, browsers = web.desk.code(), (web.browser(), web.browser())
    pages = [browser.follow(give_password(browser)) for browser in browsers]
    answers = [
        browser.submit(page, "/login/totp", code=code) for browser, page in zip(browsers, pages, strict=True)
    ]
    assert [answer.status_code for answer in answers] == [303, 401]


def test_a_recovery_code_lets_in_and_the_next_log_in_says_so(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    log_in(browser)
    codes = enrol(browser, browser.get("/enroll"))
    lost = web.browser()
    page = lost.follow(give_password(lost, rd=APPLICATION))
    assert "/login/recovery" in Page(page.text).links
    page = lost.get("/login/recovery")
    assert lost.submit(page, "/login/recovery", code="AAAAA-AAAAA").status_code == 401
    answer = lost.submit(page, "/login/recovery", code=codes[3].lower().replace("-", " "))
    # The app was set up since the last log-in: that is told before the way goes on.
    assert Page(answer.text).title.startswith("Since your last log-in")
    assert APPLICATION in Page(answer.text).links
    assert "9 recovery codes are left." in lost.get("/account").text
    other = web.browser()
    page = other.follow(give_password(other))
    assert other.submit(other.get("/login/recovery"), "/login/recovery", code=codes[3]).status_code == 401
    answer = other.submit(other.get("/login/recovery"), "/login/recovery", code=codes[4])
    assert "1 recovery code was used" in answer.text


def test_who_is_logged_in_is_sent_on_from_the_log_in_page(
    web: WebDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "BOUNCE_SECONDS", 3_600)
    with_password(web, "ada")
    browser = web.browser()
    log_in(browser)
    assert leads_to(browser.get("/login"), "/account")
    assert leads_to(browser.get("/"), "/account")
    assert leads_to(browser.get("/login?rd=https%3A%2F%2Fwiki.example.com%2F"), "https://wiki.example.com/")
    # Sent back at once by an application that does not see the log-in: no circle.
    again = browser.get("/login?rd=https%3A%2F%2Fwiki.example.com%2F")
    assert again.status_code == 200
    assert "wiki.example.com sent you back at once" in again.text
    assert leads_to(browser.get("/login?rd=https%3A%2F%2Fx.example.com%2F"), "https://x.example.com/")


def test_a_log_in_from_before_there_was_a_cookie_domain_is_seen_by_applications(web: WebDesk) -> None:
    with_password(web, "ada")
    tokens = web.desk.log_in("ada").tokens
    assert tokens.verify is None
    browser = web.browser().logged_in(tokens)
    answer = browser.get(f"/login?rd={quote(APPLICATION, safe='')}")
    assert leads_to(answer, APPLICATION)
    assert browser.has(VERIFY)
    assert browser.jar[SESSION] != tokens.session
    assert is_in(browser)


def test_every_wrong_log_in_looks_the_same_and_keeps_the_name(web: WebDesk) -> None:
    with_password(web, "ada")
    with_password(web, "off")
    administer.set_active(web.desk.db, "off", active=False, actor="test")
    shown = []
    for name, password in (("ada", ANOTHER), ("nobody", PASSWORD), ("off", PASSWORD), ("a,b\x07", "£x£")):
        answer = give_password(web.browser(), name, password, rd=APPLICATION)
        assert answer.status_code == 401
        page = Page(answer.text)
        assert page.form("/login").fields["username"] == name
        assert page.form("/login").fields["rd"] == APPLICATION
        assert page.form("/login").fields["password"] == ""
        assert password not in answer.text
        shown.append((page.title, page.alerts, page.notes, len(page.forms)))
    assert shown == [shown[0]] * 4
    assert shown[0][1] == ["The user name or the password is wrong."]


def test_what_was_typed_is_text_on_the_page(web: WebDesk) -> None:
    name = "\"><script>alert('x')</script>"
    answer = give_password(web.browser(), name, "x")
    assert "<script" not in answer.text
    assert Page(answer.text).form("/login").fields["username"] == name


# Where a log-in leads to


@pytest.mark.parametrize(
    "rd",
    [
        "https://evil.net/",
        "//evil.net/",
        "///evil.net/",
        "/\\evil.net/",
        "\\\\evil.net/",
        "/\t/evil.net/",
        "\n//evil.net",
        " https://evil.net/",
        "https:evil.net",
        "https:/evil.net",
        "http://app.example.com/",
        "https://example.com.evil.net/",
        "https://evilexample.com/",
        "https://example.com@evil.net/",
        "https://app.example.com:x@evil.net/",
        "https://evil.net\\.example.com/",
        "https://evil.net#.example.com/",
        "https://evil.net?.example.com/",
        "https://ex\u00e4mple.com/",
        "https://evil\u3002net/",
        "https://app.example.com\r\nSet-Cookie: x=y",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://app.example.com/",
        "login",
        "/" + "x" * 2_048,
    ],
)
def test_nobody_is_sent_to_a_strange_place(sqlite_db: Database, rd: str) -> None:
    # What an address may look like is tried where that is judged; here: on every way that it takes.
    web = WebDesk(Desk(sqlite_db), with_domain())
    with_password(web, "ada")
    browser, asked = web.browser(), quote(rd, safe="")
    page = browser.get(f"/login?rd={asked}")
    assert Page(page.text).form("/login").fields["rd"] == ""
    assert "evil" not in page.headers["content-security-policy"]
    token = Page(page.text).form("/login").fields["form_token"]
    answer = browser.post("/login", {"form_token": token, "rd": rd, "username": "ada", "password": PASSWORD})
    answer = browser.submit(browser.follow(answer), "/login/remember")
    assert leads_to(answer, "/account")
    assert leads_to(browser.get(f"/login?rd={asked}"), "/account")
    page = browser.get(f"/logout?rd={asked}")
    token = Page(page.text).form("/logout").fields["form_token"]
    assert leads_to(browser.post("/logout", {"form_token": token, "rd": rd}), "/login?note=out")
    assert leads_to(browser.get(f"/logout?rd={asked}"), "/login?note=out")
    web.close()


@pytest.mark.parametrize(
    "rd",
    [
        APPLICATION,
        "https://example.com",
        "https://a.b.example.com:8443/x",
        "/account/password",
        "https://login.example.com/account",
    ],
)
def test_a_log_in_leads_to_where_the_user_wanted_to_go(web: WebDesk, rd: str) -> None:
    with_mfa(web, "ada")
    browser = web.browser()
    assert leads_to(log_in(browser, rd=rd), rd)


def test_a_page_that_asked_for_a_log_in_is_come_back_to(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    page = browser.follow(browser.get("/account?done=session"))
    answer = browser.submit(page, "/login", username="ada", password=PASSWORD)
    assert leads_to(browser.submit(browser.follow(answer), "/login/remember"), "/account?done=session")


# Forms


def test_a_form_from_before_another_log_in_is_shown_again_with_what_was_typed(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    old = browser.get(f"/login?rd={quote(APPLICATION, safe='')}")
    browser.jar.delete(FORM)
    browser.get("/login")
    answer = browser.submit(old, "/login", username="ada", password=PASSWORD)
    assert answer.status_code == 403
    shown = Page(answer.text)
    assert shown.notes == ["This page had been open for too long, or a log-in came in between. Try again."]
    assert shown.form("/login").fields["username"] == "ada"
    assert shown.form("/login").fields["rd"] == APPLICATION
    assert PASSWORD not in answer.text
    answer = browser.submit(answer, "/login", username="ada", password=PASSWORD)
    assert leads_to(answer, "/login/remember")


def test_who_sends_no_cookie_back_is_told_about_cookies(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    page = browser.get("/login")
    browser.jar.clear()
    answer = browser.submit(page, "/login", username="ada", password=PASSWORD)
    assert answer.status_code == 403
    assert "Allow cookies for this site" in Page(answer.text).notes[0]


def test_a_half_login_ends_after_ten_minutes(web: WebDesk) -> None:
    with_mfa(web, "ada")
    browser = web.browser()
    page = browser.follow(give_password(browser, rd=APPLICATION))
    web.desk.age("mfa_half_logins", "expires_at", timedelta(minutes=10))
    answer = browser.submit(page, "/login/totp", code=web.desk.code())
    page = browser.follow(answer)
    assert Page(page.text).notes == ["Your log-in was not finished in time. Begin again."]
    assert Page(page.text).form("/login").fields["rd"] == APPLICATION
    answer = browser.submit(page, "/login", username="ada", password=PASSWORD)
    assert leads_to(give_code(browser, browser.follow(answer)), APPLICATION)


def test_tokens_change_at_the_password_and_at_the_code(web: WebDesk) -> None:
    with_mfa(web, "ada")
    browser = web.browser()

    def token(page: httpx.Response, action: str) -> str:
        return Page(page.text).form(action).fields["form_token"]

    first = browser.get("/login")
    before = browser.jar[FORM]
    code_page = browser.follow(browser.submit(first, "/login", username="ada", password=PASSWORD))
    half = browser.jar[HALF]
    give_code(browser, code_page)
    session = browser.jar[SESSION]
    assert not {HALF, FORM} & set(browser.jar)
    logout = browser.get("/logout")
    password = browser.get("/account/password")
    tokens = [
        token(first, "/login"),
        token(code_page, "/login/totp"),
        token(password, "/account/password"),
        token(logout, "/logout"),
    ]
    assert len({before, half, session, browser.jar[FORM], *tokens}) == 8
    # None of the earlier forms does anything any more.
    for page, action in ((first, "/login"), (code_page, "/login/totp")):
        answer = browser.submit(page, action)
        assert answer.status_code == 403 or leads_to(answer, "/account")
    assert browser.jar[SESSION] == session


def test_a_session_that_somebody_planted_is_not_the_one_after_the_log_in(web: WebDesk) -> None:
    with_password(web, "ada")
    with_password(web, "eve")
    eve, browser = web.browser(), web.browser()
    log_in(eve, "eve")
    browser.keep(SESSION, eve.jar[SESSION])
    browser.submit(browser.get("/logout"), "/logout")
    assert not is_in(eve)
    browser.keep(SESSION, "planted").keep(HALF, "planted").keep(FORM, "planted")
    log_in(browser)
    assert "planted" not in {browser.jar[SESSION], browser.jar.get(HALF)}
    assert "ada" in browser.get("/account").text


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&a=2", 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=%ff", 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=" + b"x" * 70_000, 413),
    ],
)
def test_what_is_no_form_is_not_read(web: WebDesk, headers: dict[str, str], body: bytes, status: int) -> None:
    answer = web.browser().send("/login", body, headers)
    assert answer.status_code == status
    assert Page(answer.text).links


# Limits


def test_too_many_passwords_are_answered_with_a_wait(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    page = browser.get("/login")
    answers = [browser.submit(page, "/login", username="ada", password="wrong") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {401}
    assert web.desk.hold_stops(HOUR) == [timedelta(seconds=2)] * 2
    answer = browser.submit(page, "/login", username="ada", password=PASSWORD)
    assert answer.status_code == 429
    assert 3_000 < int(answer.headers["retry-after"]) <= 3_602
    assert "Too many tries. Wait" in Page(answer.text).alerts[0]
    assert not browser.has(HALF)


@pytest.mark.parametrize("path", ["/login/totp", "/login/recovery"])
def test_too_many_codes_are_answered_with_a_wait(web: WebDesk, path: str) -> None:
    with_mfa(web, "ada")
    browser = web.browser()
    browser.follow(give_password(browser))
    page = browser.get(path)
    for _ in range(5):
        assert browser.submit(page, path, code=wrong(web)).status_code == 401
    assert web.desk.hold_stops(HOUR) == [timedelta(seconds=30)]
    code = web.desk.code()
    answer = browser.submit(page, path, code=code)
    assert answer.status_code == 429
    assert 3_000 < int(answer.headers["retry-after"]) <= 3_630
    assert not browser.has(SESSION)
    web.desk.age("mfa_attempts", "stopped_until", HOUR + timedelta(seconds=31))
    assert browser.submit(browser.get("/login/totp"), "/login/totp", code=code).status_code == 303


def test_proofs_are_limited_like_log_ins(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    log_in(browser)
    page = browser.get("/prove?next=/account/password")
    for _ in range(5):
        assert browser.submit(page, "/prove", password="wrong").status_code == 401
    web.desk.hold_stops()
    answer = browser.submit(page, "/prove", password=PASSWORD)
    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)


# Notices


def test_the_next_log_in_tells_what_happened_and_then_goes_on(web: WebDesk) -> None:
    with_password(web, "ada")
    log_in(web.browser())
    administer.set_password(web.desk.db, "ada", PASSWORD, actor="root")
    for _ in range(3):
        give_password(web.browser(), password="wrong")
    browser = web.browser()
    answer = log_in(browser, rd=APPLICATION)
    assert answer.status_code == 200
    assert "Your password was changed" in answer.text
    assert "3 log-ins failed" in answer.text
    assert APPLICATION in Page(answer.text).links
    assert is_in(browser)
    assert leads_to(log_in(web.browser(), rd=APPLICATION), APPLICATION), "told once"


def test_a_slip_is_no_news(web: WebDesk) -> None:
    with_password(web, "ada")
    log_in(web.browser())
    give_password(web.browser(), password="wrong")
    assert leads_to(log_in(web.browser()), "/account")
