"""The MFA settings page through HTTP, answered by what handles its requests in the embedded platform."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from practicus_mfa.core.policy import MfaRules, SettingsPage
from practicus_mfa.core.settings_requests import NOT_ALLOWED
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.login import administer, settings
from practicus_mfa.login.settings import NotAllowed
from practicus_mfa.storage import audit, schema
from practicus_mfa.storage.policy_row import save_policy
from tests.support.at_the_pages import log_in, with_password
from tests.support.people import NEW, OTHER, PASSWORD
from tests.support.settings_requests import Requested
from tests.support.web_client import ADDRESS, Browser, Page, WebDesk

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

SETTINGS = "/admin/settings"


@pytest.fixture
def requested(web: WebDesk, tmp_path: Path) -> Requested:
    root = tmp_path / "data"
    root.mkdir()
    made = Requested(web.desk.db, DataFolder(root), tmp_path / "values.yaml")
    put_in_force(made)
    return made


def put_in_force(requested: Requested) -> None:
    """What the platform's next pass does: any request has it done."""
    requested.ask({"mfa": {"mandatory": None}})
    requested.handle()


@pytest.fixture
def browser(web: WebDesk, requested: Requested) -> Browser:
    """A superuser's, logged in."""
    with_password(web, "ada", is_superuser=True)
    found = web.browser()
    log_in(found)
    return found


def allow(web: WebDesk, mode: SettingsPage) -> None:
    web.config = replace(web.config, settings_page=mode)
    web.app = web.make()


def save(browser: Browser, page: httpx.Response, **typed: str | None) -> httpx.Response:
    """Fill the form in, a box unticked by ``None``, and send it."""
    form = Page(page.text).form(SETTINGS)
    given = {name.replace("__", "."): value for name, value in typed.items()}
    fields = {name: value for name, value in {**form.fields, **given}.items() if value is not None}
    return browser.post(SETTINGS, fields)


def open_requests(web: WebDesk) -> int:
    with web.desk.db.read() as connection:
        table = schema.policy_requests
        query = select(func.count()).select_from(table).where(table.c.handled_at.is_(None))
        return int(connection.execute(query).scalar_one())


def said(page: httpx.Response) -> str:
    return " ".join(Page(page.text).texts)


def test_a_change_goes_to_the_operator_and_comes_back_as_the_policy_in_force(
    web: WebDesk, requested: Requested, browser: Browser
) -> None:
    page = browser.get(SETTINGS)
    assert "In force: no, from values.yaml." in said(page)
    answer = save(browser, page, rememberMe__days="7", mfa__gracePeriodDays="14")
    waiting = browser.follow(answer)
    assert "Waiting for the operator" in Page(waiting.text).title
    assert waiting.headers["refresh"] == "2"
    (still,) = [link for link in Page(waiting.text).links if link.endswith("&still=1")]
    stopped = browser.get(still)
    assert "Waiting for the operator" in Page(stopped.text).title
    assert "refresh" not in stopped.headers
    assert f"{answer.headers['location']}&lang=tr" in Page(waiting.text).links
    assert requested.overrides == {}

    requested.handle()
    path = answer.headers["location"]
    done = browser.get(path)
    assert "The change is in force." in said(done)
    assert "refresh" not in done.headers
    assert requested.overrides == {"mfa": {"gracePeriodDays": 14}, "rememberMe": {"days": 7}}

    page = browser.get(SETTINGS)
    assert "In force: 7, set on this page by ada" in said(page)
    assert "values.yaml says 30" in said(page), said(page)
    assert Page(page.text).form(SETTINGS).fields["rememberMe.days"] == "7"


def test_who_asks_is_on_record_with_the_address_whatever_becomes_of_it(
    web: WebDesk, requested: Requested, browser: Browser
) -> None:
    save(browser, browser.get(SETTINGS), rememberMe__days="7")
    with web.desk.db.read() as connection:
        (line,) = audit.read(connection, action="policy.ask", subject="")
    changes = {"rememberMe": {"days": 7}}
    assert (line.actor, line.detail) == ("ada", {"address": ADDRESS, "request": 2, "changes": changes})


def test_a_value_returns_to_values_yaml(web: WebDesk, requested: Requested, browser: Browser) -> None:
    requested.ask({"rememberMe": {"days": 7}, "mfa": {"gracePeriodDays": 2}})
    requested.handle()
    links = [link for link in Page(browser.get(SETTINGS).text).links if "return=" in link]
    assert links == [f"{SETTINGS}?return=mfa.gracePeriodDays", f"{SETTINGS}?return=rememberMe.days"]
    page = browser.get(links[1])
    assert "30 as in values.yaml" in page.text
    browser.submit(page, SETTINGS)
    requested.handle()
    assert requested.overrides == {"mfa": {"gracePeriodDays": 2}}


def test_who_set_a_value_is_not_said_of_one_that_was_changed_by_hand_since(
    web: WebDesk, requested: Requested, browser: Browser
) -> None:
    requested.ask({"rememberMe": {"days": 7}})
    requested.handle()
    assert "In force: 7, set on this page by whoever" in said(browser.get(SETTINGS))
    _, in_force = requested.in_force() or (0, {})
    in_force["rememberMe"]["days"] = 9
    with web.desk.db.write() as connection:
        save_policy(connection, 99, in_force)
    assert "In force: 9, set past values.yaml." in said(browser.get(SETTINGS))


def test_only_what_was_changed_in_the_form_is_asked_for(
    web: WebDesk, requested: Requested, browser: Browser
) -> None:
    page = browser.get(SETTINGS)
    requested.ask({"rememberMe": {"days": 5}})
    requested.handle()
    save(browser, page, mfa__gracePeriodDays="3")
    requested.handle()
    assert requested.overrides == {"mfa": {"gracePeriodDays": 3}, "rememberMe": {"days": 5}}
    answer = save(browser, browser.get(SETTINGS))
    assert "Nothing was changed." in Page(browser.follow(answer).text).notes
    assert open_requests(web) == 0


def test_boxes_are_ticked_and_unticked(web: WebDesk, requested: Requested, browser: Browser) -> None:
    save(browser, browser.get(SETTINGS), rememberMe__enabled=None, rememberMe__disabledForSysAdmins="1")
    requested.handle()
    assert requested.overrides == {"rememberMe": {"enabled": False, "disabledForSysAdmins": True}}
    save(browser, browser.get(SETTINGS), rememberMe__enabled="1")
    requested.handle()
    assert requested.overrides == {"rememberMe": {"enabled": True, "disabledForSysAdmins": True}}


@pytest.mark.parametrize("days", ["", "x", "-1", "1.5", "٣", "100000", "99999", "0x1", "0"])
def test_days_are_whole_numbers_within_bounds(
    web: WebDesk, requested: Requested, browser: Browser, days: str
) -> None:
    answer = save(browser, browser.get(SETTINGS), rememberMe__days=days)
    assert answer.status_code == 422
    told = "Days that they stay logged in: write a whole number from 1 to 36,500."
    assert Page(answer.text).alerts == [told]
    assert Page(answer.text).form(SETTINGS).fields["rememberMe.days"] == days
    assert open_requests(web) == 0


def test_what_the_operator_refuses_is_told_with_its_reason(
    web: WebDesk, requested: Requested, browser: Browser
) -> None:
    requested.install("tighten")
    answer = save(browser, browser.get(SETTINGS), rememberMe__days="31")
    requested.handle()
    page = browser.follow(answer)
    assert page.status_code == 200
    assert "stricter than values.yaml has them: Days that they stay logged in." in Page(page.text).alerts[0]


def test_nobody_answers(web: WebDesk, requested: Requested, browser: Browser) -> None:
    answer = save(browser, browser.get(SETTINGS), rememberMe__days="7")
    web.desk.age("mfa_policy_requests", "at", timedelta(seconds=66))
    page = browser.follow(answer)
    assert "did not answer within a minute" in Page(page.text).alerts[0]
    assert "refresh" not in page.headers
    requested.handle()
    assert "more than 60 seconds" in Page(browser.follow(answer).text).alerts[0]
    assert requested.overrides == {}
    assert browser.get(f"{SETTINGS}?request=4711").status_code == 404


@pytest.mark.parametrize("mode", [SettingsPage.TIGHTEN, SettingsPage.READ])
def test_what_values_yaml_forbids_is_not_even_asked_for(
    web: WebDesk, requested: Requested, browser: Browser, mode: SettingsPage
) -> None:
    page = browser.get(SETTINGS)
    allow(web, mode)
    browser = web.browser().keep(web.cookies.session, browser.jar[web.cookies.session])
    answer = save(browser, page, rememberMe__days="31")
    assert answer.status_code == 422
    assert open_requests(web) == 0
    if mode is SettingsPage.READ:
        shown = Page(browser.get(SETTINGS).text)
        assert shown.forms == []
        assert "Days that they stay logged in 30 " in " ".join(shown.texts)
    else:
        told = "This page may only make the rules stricter than values.yaml has them: "
        assert Page(answer.text).alerts == [f"{told}Days that they stay logged in."]
        assert save(browser, page, rememberMe__days="29").status_code == 303


def test_where_values_are_only_shown_each_stands_there_once(
    web: WebDesk, requested: Requested, browser: Browser
) -> None:
    requested.install(rememberMe={"days": 41}, mfa={"gracePeriodDays": 43})
    put_in_force(requested)
    requested.ask({"mfa": {"gracePeriodDays": 42}})
    requested.handle()
    allow(web, SettingsPage.READ)
    browser = web.browser().keep(web.cookies.session, browser.jar[web.cookies.session])
    shown = said(browser.get(SETTINGS))
    assert [shown.count(number) for number in ("41", "42", "43")] == [1, 1, 1]
    assert "In force" not in shown
    assert "From values.yaml." in shown
    assert "Set on this page by whoever" in shown
    assert "values.yaml says 43." in shown
    _, in_force = requested.in_force() or (0, {})
    in_force["mfa"]["gracePeriodDays"] = 44
    with web.desk.db.write() as connection:
        save_policy(connection, 99, in_force)
    assert "Set past values.yaml." in said(browser.get(SETTINGS))


# Who may, and with which proof


def test_a_code_or_the_password_is_asked_for_after_a_while(
    web: WebDesk, requested: Requested, browser: Browser
) -> None:
    web.desk.age("mfa_sessions", "proved_at", timedelta(minutes=16))
    page = browser.get(SETTINGS)
    denied = save(browser, page, rememberMe__days="7")
    assert denied.status_code == 401
    assert Page(denied.text).form(SETTINGS).fields["rememberMe.days"] == "7"
    assert save(browser, denied, proof="not it").status_code == 401
    assert open_requests(web) == 0
    assert save(browser, denied, proof=PASSWORD).status_code == 303
    assert open_requests(web) == 1


def test_who_lost_the_right_meanwhile_is_not_heard(
    web: WebDesk, requested: Requested, browser: Browser
) -> None:
    answer = save(browser, browser.get(SETTINGS), rememberMe__days="7")
    requested.disable("ada")
    requested.handle()
    number = int(answer.headers["location"].rpartition("=")[2])
    assert requested.outcome(number) == ("refused", NOT_ALLOWED)


def test_asking_is_for_superusers_whatever_page_it_comes_from(web: WebDesk, requested: Requested) -> None:
    web.desk.people.add("staff", is_staff=True)
    administer.set_password(web.desk.db, "staff", PASSWORD, actor="test")
    acting = web.desk.current(web.desk.log_in("staff")).acting
    answer = settings.ask(web.desk.ctx, acting, {"rememberMe.days": 7}, accepted_risks=True)
    assert answer == NotAllowed()
    assert open_requests(web) == 0


# Lock-outs


def test_who_would_lock_administrators_out_is_asked_once_more(
    web: WebDesk, requested: Requested, browser: Browser
) -> None:
    page = save(browser, browser.get(SETTINGS), mfa__mandatory="1")
    assert page.status_code == 409
    assert "No active administrator has MFA yet." in Page(page.text).alerts[0]
    assert open_requests(web) == 0
    assert save(browser, page).status_code == 409
    answer = save(browser, page, known="1")
    assert answer.status_code == 303
    waiting = browser.follow(answer)
    assert "MFA is mandatory at once then" in said(waiting)
    requested.handle()
    assert requested.overrides == {"mfa": {"mandatory": True}}


def test_an_administrator_with_mfa_needs_no_warning(
    web: WebDesk, requested: Requested, browser: Browser
) -> None:
    web.desk.enrolled("chief", is_staff=True)
    assert save(browser, browser.get(SETTINGS), mfa__mandatoryForSysAdmins="1").status_code == 303


def test_mfa_that_no_key_opens_is_warned_of(web: WebDesk, requested: Requested, browser: Browser) -> None:
    web.desk.enrolled("chief", is_staff=True)
    web.keys = lambda: HeldKeys([OTHER])
    page = save(browser, browser.get(SETTINGS), mfa__mandatory="1")
    assert page.status_code == 409
    assert "No key that this service holds opens the MFA" in Page(page.text).alerts[0]
    web.keys = lambda: HeldKeys([NEW])
    assert save(browser, browser.get(SETTINGS), mfa__mandatory="1").status_code == 303


# What an operator of another release, or nobody, has published


@pytest.mark.parametrize(
    "published",
    [
        None,
        {"mfa": {"mandatory": True}, "rememberMe": {"days": 9}},
        {"mfa": {}, "values": [], "overridden": 7},
        {"mfa": {"mandatory": "perhaps"}, "overridden": ["mfa.mandatory", "nonsense", 7]},
    ],
    ids=str,
)
def test_the_page_works_with_whatever_is_published(web: WebDesk, published: dict[str, Any] | None) -> None:
    with_password(web, "ada", is_superuser=True)
    browser = web.browser()
    log_in(browser)
    web.desk.policy(mfa=MfaRules(grace_period_days=3))
    if published is not None:
        with web.desk.db.write() as connection:
            save_policy(connection, 1, published)
    page = browser.get(SETTINGS)
    assert page.status_code == 200
    days = (published or {}).get("rememberMe", {}).get("days", 30)
    assert Page(page.text).form(SETTINGS).fields["rememberMe.days"] == str(days)
    assert save(browser, page, rememberMe__days="8").status_code == 303


@pytest.mark.parametrize(
    "fields",
    [
        {"changes": "{"},
        {"changes": "[]"},
        {"changes": '{"session": {"hours": 9}}'},
        {"seen": "{}"},
        {"seen": "[" * 5_000},
        {},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_a_form_that_was_never_shown_changes_nothing(
    web: WebDesk, requested: Requested, browser: Browser, fields: dict[str, str]
) -> None:
    token = Page(browser.get(SETTINGS).text).form(SETTINGS).fields["form_token"]
    assert browser.post(SETTINGS, {"form_token": token, **fields}).status_code == 200
    assert open_requests(web) == 0
    for query in ("request=x", "request=٣", f"request={'9' * 30}", "return=session.hours", "done=x"):
        assert browser.get(f"{SETTINGS}?{query}").status_code == 200
