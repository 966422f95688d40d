"""Setting up an app, and what users do with their account, through HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import pytest

from practicus_mfa.core.policy import MfaRules, RememberMeRules
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.login import setup_link
from practicus_mfa.storage import factors, pending_factors
from practicus_mfa.storage.engine import database_now
from tests.support.at_the_pages import (
    ANOTHER,
    APPLICATION,
    DEVICE,
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
    sessions_of,
    stale,
    with_mfa,
    with_password,
    wrong,
)
from tests.support.people import OTHER, PASSWORD
from tests.support.web_client import Browser, Page, WebDesk, secret_of

if TYPE_CHECKING:
    import httpx


# Setting up an app


def test_where_mfa_is_mandatory_it_is_set_up_before_anything_else(web: WebDesk) -> None:
    with_password(web, "ada")
    web.desk.policy(mfa=MfaRules(mandatory=True))
    browser = web.browser()
    answer = give_password(browser, rd=APPLICATION)
    assert leads_to(answer, "/enroll")
    page = browser.follow(answer)
    web.desk.secret = secret_of(page)
    assert "Your organisation protects log-ins" in page.text
    refused = browser.submit(page, "/enroll", code=wrong(web))
    assert refused.status_code == 422
    assert "is not the code of this app entry" in Page(refused.text).alerts[0]
    skewed = browser.submit(refused, "/enroll", code=web.desk.code(steps=5))
    assert skewed.status_code == 422
    assert "the clock of your device is wrong" in Page(skewed.text).alerts[0]
    pages = (refused, skewed, browser.get("/enroll"), browser.get("/enroll"))
    assert {secret_of(shown) for shown in pages} == {web.desk.secret}, "a scanned picture stays good"
    assert not browser.has(SESSION)
    done = browser.submit(skewed, "/enroll", code=web.desk.code())
    shown = Page(done.text)
    assert len(set(shown.codes)) == 10
    assert APPLICATION in shown.links
    (link,) = [link for link in shown.links if link.startswith("data:")]
    assert unquote(link.partition(",")[2]).split() == shown.codes
    assert done.headers["cache-control"] == "no-store"
    assert is_in(browser)
    # The code that proved it is used up.
    other = web.browser()
    answer = give_code(other, other.follow(give_password(other)), code=web.desk.code(steps=0))
    assert answer.status_code == 401


@pytest.mark.parametrize("mandatory", [True, False])
def test_who_knows_the_password_is_not_shown_the_secret_that_the_owner_sets_up(
    web: WebDesk, mandatory: bool
) -> None:
    with_password(web, "ada")
    web.desk.policy(mfa=MfaRules(mandatory=mandatory))
    secrets = []
    for browser in (thief := web.browser(), owner := web.browser(), web.browser()):
        give_password(browser)
        secrets.append(secret_of(browser.get("/enroll")))
        assert secret_of(browser.get("/enroll")) == secrets[-1]
    assert len(set(secrets)) == 3
    assert len(enrol(owner, owner.get("/enroll"))) == 10
    page = thief.follow(thief.get("/enroll"))
    web.desk.secret = secrets[0]
    assert thief.submit(page, "/login/totp", code=web.desk.code()).status_code == 401


def test_a_factor_that_is_put_in_the_place_of_an_offer_is_not_shown(web: WebDesk) -> None:
    """Who may write to the database gets the service to open nothing."""
    with_mfa(web, "ada")
    with web.desk.db.write() as connection:
        (factor,) = factors.of_user(connection, web.desk.people.get("ada").id)
        later = database_now(connection) + timedelta(minutes=10)
        pending_factors.save(connection, factor.user_id, factor.token, expires_at=later)
        factors.remove_all(connection, factor.user_id)
    thief = web.browser()
    give_password(thief)
    assert secret_of(thief.get("/enroll")) != web.desk.secret


def test_an_app_may_be_set_up_at_the_first_log_in_instead_of_the_choice(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    page = browser.follow(give_password(browser, rd=APPLICATION))
    assert "/enroll" in Page(page.text).links
    page = browser.get("/enroll")
    web.desk.secret = secret_of(page)
    done = browser.submit(page, "/enroll", code=web.desk.code(), remember="1")
    assert APPLICATION in Page(done.text).links
    assert int(cookies_of(done)[SESSION]["max-age"]) > 24 * 3_600
    # The page with the codes loaded again posts the old form: no second app, no error.
    again = browser.post("/enroll", {"form_token": "old", "code": web.desk.code()})
    assert browser.follow(again).status_code in {200, 403}
    assert "Set up: a code is asked for" in browser.get("/account").text


def test_a_new_app_replaces_the_old_one_and_ends_other_sessions(web: WebDesk) -> None:
    with_mfa(web, "ada")
    here, there = web.browser(), web.browser()
    log_in(there)
    log_in(here)
    old = web.desk.secret
    page = here.get("/enroll")
    assert "The app that you use now stops working" in page.text
    before = here.jar[SESSION]
    assert len(enrol(here, page)) == 10
    assert here.jar[SESSION] != before
    assert is_in(here)
    assert secret_of(here.get("/enroll")) != web.desk.secret, "what became the app is offered no more"
    assert not is_in(there)
    new, web.desk.secret = web.desk.secret, old
    browser = web.browser()
    page = browser.follow(give_password(browser))
    assert browser.submit(page, "/login/totp", code=web.desk.code()).status_code == 401
    web.desk.secret = new
    assert browser.submit(page, "/login/totp", code=web.desk.code()).status_code == 200, "with a notice"


def test_an_offer_that_is_over_is_followed_by_a_new_one(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    log_in(browser)
    page = browser.get("/enroll")
    web.desk.secret = secret_of(page)
    web.desk.age("mfa_pending_factors", "expires_at", timedelta(minutes=11))
    answer = browser.follow(browser.submit(page, "/enroll", code=web.desk.code()))
    assert "Here is a new one" in Page(answer.text).notes[0]
    assert secret_of(answer) != web.desk.secret


def test_a_log_in_in_time_of_grace_is_told_until_when(web: WebDesk) -> None:
    with_password(web, "ada")
    web.desk.policy(mfa=MfaRules(mandatory=True, grace_period_days=7))
    browser = web.browser()
    log_in(browser)
    assert "Your organisation wants you to set it up by" in browser.get("/account").text
    web.desk.age("mfa_users", "enrol_by", timedelta(days=8))
    assert leads_to(browser.get("/account"), "/enroll")
    assert len(enrol(browser, browser.get("/enroll"))) == 10
    assert is_in(browser)


def test_where_mfa_is_off_no_code_is_asked_and_the_pages_say_so(web: WebDesk) -> None:
    with_mfa(web, "ada")
    web.desk.policy(mfa=MfaRules(enabled=False, mandatory=True))
    browser = web.browser()
    log_in(browser)
    assert "MFA is switched off for everybody" in browser.get("/account").text
    assert Page(browser.get("/enroll").text).title.startswith("MFA is switched off")
    web.desk.policy(mfa=MfaRules())
    assert not is_in(browser), "at once a code is wanted"


def test_where_mfa_is_off_a_password_alone_makes_no_recovery_codes_and_removes_nothing(web: WebDesk) -> None:
    with_password(web, "ada")
    owner = web.browser()
    log_in(owner)
    codes = enrol(owner, owner.get("/enroll"))
    web.desk.policy(mfa=MfaRules(enabled=False))
    thief = web.browser()
    log_in(thief)
    page = thief.get("/account/password")
    token = Page(page.text).form("/account/password").fields["form_token"]
    for path in ("/account/recovery-codes", "/account/remove-mfa"):
        assert Page(thief.get(path).text).title.startswith("MFA is switched off")
        assert leads_to(thief.post(path, {"form_token": token}), "/account"), path
    web.desk.policy(mfa=MfaRules())
    lost = web.browser()
    assert leads_to(give_password(lost), "/login/totp"), "a factor is there"
    lost.submit(lost.get("/login/recovery"), "/login/recovery", code=codes[0])
    assert is_in(lost), "the owner's codes are the good ones"


def test_an_app_that_no_key_opens_is_not_a_missing_one(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    log_in(browser)
    codes = enrol(browser, browser.get("/enroll"))
    web.desk.held = HeldKeys([OTHER])
    assert "can't be checked at the moment" in browser.get("/account").text
    lost = web.browser()
    page = lost.follow(give_password(lost))
    answer = lost.submit(page, "/login/totp", code=web.desk.code())
    assert answer.status_code == 403
    assert "Use a recovery code" in Page(answer.text).alerts[0]
    lost.submit(lost.get("/login/recovery"), "/login/recovery", code=codes[0])
    assert is_in(lost)


def test_who_may_not_be_remembered_is_not_asked(web: WebDesk) -> None:
    web.desk.policy(remember_me=RememberMeRules(disabled_for_sys_admins=True))
    with_password(web, "root", is_superuser=True)
    assert leads_to(give_password(web.browser(), "root"), "/account")
    with_mfa(web, "ada", is_staff=True)
    browser = web.browser()
    page = browser.follow(give_password(browser))
    assert "remember" not in Page(page.text).form("/login/totp").fields
    assert 'name="remember"' not in page.text
    answer = give_code(browser, page, remember=True)
    assert cookies_of(answer)[SESSION]["max-age"] == ""


# The account


def prove(browser: Browser, page: httpx.Response, *, code: str | None = None) -> httpx.Response:
    if code is None:
        return browser.submit(page, "/prove", password=PASSWORD)
    return browser.submit(page, "/prove", password=PASSWORD, code=code)


@pytest.mark.parametrize("enrolled", [False, True])
@pytest.mark.parametrize("path", ["/enroll", "/account/password", "/account/recovery-codes"])
def test_what_changes_an_account_wants_password_and_code_anew(
    web: WebDesk, path: str, enrolled: bool
) -> None:
    (with_mfa if enrolled else with_password)(web, "ada")
    browser = web.browser()
    log_in(browser)
    assert browser.get(path).status_code == 200
    stale(web)
    answer = browser.get(path)
    assert leads_to(answer, f"/prove?next={path}")
    page = browser.follow(answer)
    assert ('name="code"' in page.text) is enrolled
    code = web.desk.code() if enrolled else None
    refused = browser.submit(page, "/prove", password="wrong")
    assert (refused.status_code, Page(refused.text).alerts) == (401, ["The password is wrong."])
    if enrolled:
        assert prove(browser, refused, code=wrong(web)).status_code == 401
        assert leads_to(browser.get(path), f"/prove?next={path}")
    before = browser.jar[SESSION]
    assert leads_to(prove(browser, refused, code=code), path)
    assert browser.jar[SESSION] != before
    assert browser.get(path).status_code == 200


def test_a_proof_leads_to_our_own_pages_only(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    log_in(browser)
    for wanted in ("https://evil.net/", "//evil.net", "/static/x", "/logout"):
        page = browser.get(f"/prove?next={quote(wanted, safe='')}")
        assert leads_to(prove(browser, page), "/account")


def test_a_recovery_code_proves_too(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    log_in(browser)
    codes = enrol(browser, browser.get("/enroll"))
    stale(web)
    page = browser.follow(browser.get("/account/password"))
    assert leads_to(prove(browser, page, code=codes[0]), "/account/password")


def test_a_password_is_changed(web: WebDesk) -> None:
    with_password(web, "ada")
    here, there = web.browser(), web.browser()
    log_in(here)
    log_in(there)
    page = here.get("/account/password")

    def change(new: str, repeated: str) -> httpx.Response:
        return here.submit(page, "/account/password", new_password=new, repeated=repeated)

    for new, repeated, said in (
        (ANOTHER, ANOTHER + "!", "not the same"),
        ("short", "short", "fewer than 12"),
        ("passwordpassword", "passwordpassword", "Many people"),
        ("x" * 1_025, "x" * 1_025, "too long"),
    ):
        refused = change(new, repeated)
        assert refused.status_code == 422
        assert said in Page(refused.text).alerts[0]
        assert f'"{new}"' not in refused.text
    before = here.jar[SESSION]
    answer = change(ANOTHER, ANOTHER)
    assert leads_to(answer, "/account?done=password")
    assert "Your password was changed" in Page(here.follow(answer).text).notes[0]
    assert here.jar[SESSION] != before
    assert not is_in(there)
    assert give_password(web.browser()).status_code == 401
    assert give_password(web.browser(), password=ANOTHER).status_code == 303


def test_recovery_codes_are_made_anew(web: WebDesk) -> None:
    with_password(web, "ada")
    here, there = web.browser(), web.browser()
    log_in(here)
    old = enrol(here, here.get("/enroll"))
    log_in(there)
    there.get("/account")
    page = here.get("/account/recovery-codes")
    assert "You have 10 recovery codes left." in page.text
    before = here.jar[SESSION]
    new = Page(here.submit(page, "/account/recovery-codes").text).codes
    assert len({*old, *new}) == 20
    assert here.jar[SESSION] != before
    assert is_in(here)
    assert not is_in(there)
    browser = web.browser()
    browser.follow(give_password(browser))
    page = browser.get("/login/recovery")
    assert browser.submit(page, "/login/recovery", code=old[0]).status_code == 401
    assert browser.submit(page, "/login/recovery", code=new[0]).status_code == 200, "with notices"


def test_mfa_is_removed_where_the_policy_does_not_want_it(web: WebDesk) -> None:
    with_mfa(web, "ada")
    here, there = web.browser(), web.browser()
    log_in(there)
    log_in(here)
    web.desk.policy(mfa=MfaRules(mandatory=True))
    assert "/account/remove-mfa" not in Page(here.get("/account").text).links
    page = here.get("/account/remove-mfa")
    assert "You can set up a new app instead" in page.text
    assert Page(page.text).forms == []
    web.desk.policy(mfa=MfaRules())
    page = here.get("/account/remove-mfa")
    web.desk.policy(mfa=MfaRules(mandatory=True))
    assert leads_to(here.submit(page, "/account/remove-mfa"), "/account")
    assert "Set up: a code is asked for" in here.get("/account").text
    web.desk.policy(mfa=MfaRules())
    answer = here.submit(page, "/account/remove-mfa")
    assert leads_to(answer, "/account?done=mfa")
    assert "MFA was removed" in Page(here.follow(answer).text).notes[0]
    assert not is_in(there)
    assert leads_to(give_password(web.browser()), "/login/remember")


def test_sessions_are_listed_and_ended(web: WebDesk) -> None:
    with_password(web, "ada")
    with_password(web, "bob")
    here, phone, desktop, stranger = (web.browser(address=f"203.0.113.{number}") for number in range(4))
    for browser in (here, phone, desktop):
        log_in(browser)
    log_in(stranger, "bob")
    page = here.get("/account")
    shown = Page(page.text)
    assert "Address 203.0.113.1" in page.text
    assert "203.0.113.3" not in page.text
    assert page.text.count("this browser") == 1
    ids = {value for form in shown.forms for _, value in form.buttons} - {"others"}
    assert len(ids) == 2
    form_token = shown.form("/account/sessions").fields["form_token"]
    assert Page(stranger.get("/account").text).forms == [], "the only session is not ended here"
    for chosen in sorted(ids)[:1]:
        answer = here.post("/account/sessions", {"form_token": form_token, "session": chosen})
        assert leads_to(answer, "/account?done=session")
    assert [is_in(here), is_in(phone) + is_in(desktop), is_in(stranger)] == [True, 1, True]
    # Another user's session, and what is no number, end nothing.
    (bobs_id,) = (session.id for session in sessions_of(web, "bob"))
    for odd in (str(bobs_id), "-1", "\u0661", "9" * 30, "", "x"):
        here.post("/account/sessions", {"form_token": form_token, "session": odd})
    assert is_in(stranger)
    assert is_in(phone) + is_in(desktop) == 1
    answer = here.submit(here.get("/account"), "/account/sessions", button=("session", "others"))
    assert leads_to(answer, "/account?done=sessions")
    assert [is_in(here), is_in(phone), is_in(desktop), is_in(stranger)] == [True, False, False, True]


def test_ending_sessions_wants_a_proof_and_comes_back(web: WebDesk) -> None:
    with_password(web, "ada")
    here, there = web.browser(), web.browser()
    log_in(here)
    log_in(there)
    stale(web)
    answer = here.submit(here.get("/account"), "/account/sessions", button=("session", "others"))
    assert leads_to(answer, "/prove?next=/account/sessions")
    assert is_in(there)
    assert leads_to(prove(here, here.follow(answer)), "/account")
    here.submit(here.get("/account"), "/account/sessions", button=("session", "others"))
    assert not is_in(there)


# Logging out


def test_a_link_logs_nobody_out_and_the_button_does(web: WebDesk) -> None:
    with_password(web, "ada")
    here, there = web.browser(), web.browser()
    log_in(here)
    log_in(there)
    stolen = here.jar[SESSION]
    page = here.get(f"/logout?rd={quote(APPLICATION, safe='')}")
    assert is_in(here)
    answer = here.submit(page, "/logout")
    assert leads_to(answer, APPLICATION)
    assert not {SESSION, HALF, VERIFY} & set(here.jar)
    assert here.has(DEVICE), "the browser stays known"
    assert not is_in(here.keep(SESSION, stolen))
    assert is_in(there)
    page = there.get("/logout")
    answer = there.submit(page, "/logout")
    assert leads_to(answer, "/login?note=out")
    assert Page(there.follow(answer).text).notes == ["You are logged out."]


def test_logging_out_everywhere_ends_all_sessions_of_the_user(web: WebDesk) -> None:
    with_password(web, "ada")
    with_password(web, "bob")
    here, there, stranger = web.browser(), web.browser(), web.browser()
    log_in(here)
    log_in(there)
    log_in(stranger, "bob")
    here.submit(here.get("/logout"), "/logout", button=("everywhere", "1"))
    assert [is_in(here), is_in(there), is_in(stranger)] == [False, False, True]


def test_who_must_enrol_may_log_out(web: WebDesk) -> None:
    with_password(web, "ada")
    browser = web.browser()
    log_in(browser)
    web.desk.policy(mfa=MfaRules(mandatory=True))
    browser.submit(browser.get("/logout"), "/logout")
    assert not browser.has(SESSION)


# Set-up links


def test_a_set_up_link_sets_a_password_once(web: WebDesk) -> None:
    web.desk.people.add("ada")
    path = f"/setup/{setup_link.issue(web.desk.db, 'ada', actor='root').token}"
    browser = web.browser()
    assert [browser.get(path).status_code for _ in range(3)] == [200, 200, 200], "looking uses nothing up"
    page = browser.get(path)
    assert "Welcome, ada." in page.text
    refused = browser.submit(page, path, new_password="short", repeated="short")
    assert refused.status_code == 422
    answer = browser.submit(refused, path, new_password=PASSWORD, repeated=PASSWORD)
    assert leads_to(answer, "/login/remember")
    assert leads_to(browser.submit(browser.follow(answer), "/login/remember"), "/account")
    assert is_in(browser)
    assert web.browser().get(path).status_code == 404
    late = web.browser().get("/login")
    assert late.status_code == 200
    over = browser.submit(page, path, new_password=ANOTHER, repeated=ANOTHER)
    assert over.status_code in {403, 404}
    assert give_password(web.browser(), password=ANOTHER).status_code == 401


def test_a_set_up_link_does_not_stand_in_for_a_code(web: WebDesk) -> None:
    with_mfa(web, "ada")
    path = f"/setup/{setup_link.issue(web.desk.db, 'ada', actor='root').token}"
    browser = web.browser()
    answer = browser.submit(browser.get(path), path, new_password=ANOTHER, repeated=ANOTHER)
    assert leads_to(answer, "/login/totp")
    assert not browser.has(SESSION)


@pytest.mark.parametrize("token", ["x", "x" * 43, "%00", "%F0%9F%98%80", "a%2Fb", "x" * 5_000])
def test_a_made_up_set_up_link_is_a_page_that_says_so(web: WebDesk, token: str) -> None:
    answer = web.browser().get(f"/setup/{token}")
    assert answer.status_code == 404
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "path", ["/account/password", "/account/recovery-codes", "/account/remove-mfa", "/logout"]
)
def test_a_form_that_came_too_late_says_so_and_is_there_again(web: WebDesk, path: str) -> None:
    with_mfa(web, "ada")
    browser = web.browser()
    log_in(browser)
    answer = browser.post(path, {"form_token": "of another log-in"})
    assert answer.status_code == 403
    shown = Page(answer.text)
    assert shown.notes == ["This page had been open for too long, or a log-in came in between. Try again."]
    assert shown.form(path).fields["form_token"]
