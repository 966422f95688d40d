"""One user's page in a browser: what it shows, and adding and editing users."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from practicus_mfa.core.login.rights import Action
from practicus_mfa.login import administer
from practicus_mfa.login.acts.profile import Profile
from practicus_mfa.storage import audit, groups, schema, users
from tests.support.at_the_admin_pages import USERS, a_while_later, administrator, confirm, texts
from tests.support.at_the_pages import (
    ANOTHER,
    enrol,
    give_password,
    is_in,
    leads_to,
    log_in,
    sessions_of,
    with_mfa,
    with_password,
    wrong,
)
from tests.support.people import NEW, PASSWORD, audited
from tests.support.web_client import Page, WebDesk

if TYPE_CHECKING:
    from tests.support.web_client import Browser


def of(web: WebDesk, name: str, page: str = "") -> str:
    """The address of a user's page, or of one below it."""
    return f"{USERS}/{web.desk.people.get(name).id}{page}"


def set_role(web: WebDesk, name: str, **roles: bool) -> None:
    with web.desk.db.write() as connection:
        row = schema.users.c.username == name
        connection.execute(update(schema.users).where(row).values(**roles))


# What it shows


def test_a_users_page_tells_all_there_is(web: WebDesk) -> None:
    browser = administrator(web)
    ada = web.desk.people.add("ada", email="ada@example.com", name="Ada Lovelace")
    administer.set_password(web.desk.db, "ada", PASSWORD, actor="test")
    with web.desk.db.write() as connection:
        groups.create(connection, "ops")
        groups.add(connection, "ops", [ada.id])
    there = web.browser()
    log_in(there)
    enrol(there, there.get("/enroll"))
    for _ in range(5):
        give_password(web.browser(), "ada", "wrong")
    web.desk.hold_stops()
    page = browser.get(of(web, "ada"))
    shown = texts(page)
    for text in (
        "E-mail ada@example.com",
        "Name Ada Lovelace",
        "Role none",
        "Groups ops",
        "Password set",
        "Set up, and encrypted with the active key.",
        f"Key ID {NEW.id}",
        "Recovery codes left 10",
        "Firefox Address 198.51.100.7",
        "1 browser is known",
        "MFA set up",
    ):
        assert text in shown, text
    assert "Passwords are delayed" in shown
    names = [value for name, value in Page(page.text).form(f"{USERS}/action").buttons if name == "action-top"]
    assert names == ["remove-mfa", "unlock", "disable", "end-sessions"]
    assert PASSWORD not in page.text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"key_id": None}, "not encrypted with the active key yet"),
        ({"key_id": None, "fault": "unknown"}, "no key opens it"),
    ],
)
def test_what_is_not_on_the_active_key_is_said(web: WebDesk, values: dict[str, str], said: str) -> None:
    browser = administrator(web)
    ada = web.desk.people.add("ada", key=NEW)
    with web.desk.db.write() as connection:
        of_ada = schema.factors.c.user_id == ada.id
        connection.execute(update(schema.factors).where(of_ada).values(**values))
    page = browser.get(of(web, "ada"))
    assert said in texts(page)
    assert ("migrate-key" in page.text) is ("fault" not in values)


def test_a_button_of_the_page_leads_through_the_confirmation_and_back(web: WebDesk) -> None:
    browser = administrator(web)
    web.desk.people.add("ada", key=NEW)
    page = browser.get(f"{of(web, 'ada')}?search=a")
    asked = browser.submit(page, f"{USERS}/action", button=("action-top", str(Action.REMOVE_MFA)))
    assert "Remove MFA setup for 1 user?" in texts(asked)
    done = confirm(browser, asked)
    assert f"{of(web, 'ada')}?search=a" in Page(done.text).links
    assert "Not set up." in texts(browser.get(of(web, "ada")))


def test_a_session_is_ended_and_known_browsers_forgotten(web: WebDesk) -> None:
    browser = administrator(web)
    with_password(web, "ada")
    there = web.browser()
    log_in(there)
    page = browser.get(of(web, "ada"))
    (session,) = sessions_of(web, "ada")
    ended = browser.submit(page, of(web, "ada", "/sessions"), button=("session", str(session.id)))
    assert "The session was ended." in Page(browser.follow(ended).text).notes
    assert not is_in(there)
    again = browser.submit(page, of(web, "ada", "/sessions"))
    assert "That session had ended already." in Page(browser.follow(again).text).notes
    forgotten = browser.submit(browser.get(of(web, "ada")), of(web, "ada", "/devices"))
    assert "The known browsers were forgotten." in Page(browser.follow(forgotten).text).notes
    assert "No browser of this user is known." in texts(browser.get(of(web, "ada")))
    acts = [(actor, action) for actor, action, subject, _ in audited(web.desk.db) if subject == "ada"]
    assert {("root", "session.end"), ("root", "devices.forget")} <= set(acts)


def test_ending_a_session_asks_for_a_code_on_a_page_of_its_own(web: WebDesk) -> None:
    browser = administrator(web)
    with_password(web, "ada")
    there = web.browser()
    log_in(there)
    page = browser.get(of(web, "ada"))
    a_while_later(web)
    path = of(web, "ada", "/sessions")
    asked = browser.submit(page, path)
    assert (asked.status_code, Page(asked.text).alerts) == (200, [])
    refused = browser.submit(asked, path, proof=wrong(web))
    assert refused.status_code == 401
    assert is_in(there)
    done = browser.follow(browser.submit(refused, path, proof=web.desk.code()))
    assert "The session was ended." in Page(done.text).notes
    assert not is_in(there)


def test_staff_see_administrators_but_not_from_where_they_work_and_have_no_buttons(web: WebDesk) -> None:
    with_mfa(web, "boss")
    set_role(web, "boss", is_superuser=True)
    log_in(web.browser(), "boss")
    browser = administrator(web, "staff", superuser=False)
    page = browser.get(of(web, "boss"))
    assert "Only superusers act on administrators." in texts(page)
    assert "198.51.100.7" not in page.text
    assert Page(page.text).forms == []
    for below in ("/edit", "/setup-link"):
        assert browser.get(of(web, "boss", below)).status_code == 403
    page = browser.get(of(web, "staff"))
    token = Page(browser.get(USERS).text).form(f"{USERS}/action").fields["form_token"]
    (session,) = sessions_of(web, "boss")
    for below, form in (
        ("/edit", {"name": "x", "seen": "{}"}),
        ("/setup-link", {}),
        ("/sessions", {"session": str(session.id)}),
        ("/devices", {}),
    ):
        answer = browser.post(of(web, "boss", below), {"form_token": token, **form})
        assert answer.status_code == 403, below
    assert len(sessions_of(web, "boss")) == 1


def test_staff_see_what_happened_to_a_user_but_not_from_where_superusers_work(web: WebDesk) -> None:
    superuser, staff = administrator(web), administrator(web, "staff", superuser=False)
    web.desk.people.add("ada")
    with web.desk.db.write() as connection:
        for last, actor in ((8, "root"), (9, "staff"), (10, "ada")):
            detail = {"address": f"198.51.100.{last}"}
            audit.append(connection, actor, "user.unlock", subject="ada", detail=detail)
    shown = texts(staff.get(of(web, "ada")))
    assert shown.count("User unlocked") == 3
    assert [f"198.51.100.{last}" in shown for last in (8, 9, 10)] == [False, True, True]
    shown = texts(superuser.get(of(web, "ada")))
    assert [f"198.51.100.{last}" in shown for last in (8, 9, 10)] == [True, True, True]


def test_there_is_no_page_of_nobody(web: WebDesk) -> None:
    browser = administrator(web)
    for number in ("999", "9" * 30, "9" * 5_000):
        for below in ("", "/edit", "/setup-link"):
            assert browser.get(f"{USERS}/{number}{below}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [f"{USERS}/new", "edit", "setup-link", "/admin/groups", "/admin/groups/ops/delete", "/admin/settings"],
)
def test_a_form_that_came_too_late_says_so_and_is_there_again(web: WebDesk, path: str) -> None:
    browser = administrator(web)
    with web.desk.db.write() as connection:
        groups.create(connection, "ops")
    web.desk.people.add("ada")
    path = path if path.startswith("/") else of(web, "ada", f"/{path}")
    answer = browser.post(path, {"form_token": "of another log-in"})
    assert answer.status_code == 403
    shown = Page(answer.text)
    assert shown.notes == ["This page had been open for too long, or a log-in came in between. Try again."]
    assert shown.form(path).fields["form_token"]


def test_who_looks_for_a_user_who_was_deleted_goes_on_from_there(web: WebDesk) -> None:
    page = administrator(web).get(f"{USERS}/999")
    assert page.status_code == 404
    assert {"/admin/users", "/account", "/logout"} <= set(Page(page.text).links)


# A set-up link


def test_a_set_up_link_is_shown_once_and_works(web: WebDesk) -> None:
    browser = administrator(web)
    web.desk.people.add("ada")
    path = of(web, "ada", "/setup-link")
    a_while_later(web)
    asked = browser.get(path)
    refused = browser.submit(asked, path, proof=wrong(web))
    assert (refused.status_code, Page(refused.text).codes) == (401, [])
    made = browser.submit(refused, path, proof=web.desk.code())
    (link,) = Page(made.text).codes
    assert link.startswith("https://login.example.com/setup/")
    assert "It is shown this once." in texts(made)
    assert made.headers["cache-control"] == "no-store"
    assert link.rpartition("/")[2] not in browser.get(of(web, "ada")).text
    assert "Set-up link good until" in texts(browser.get(of(web, "ada")))
    guest = web.browser()
    where = link.removeprefix("https://login.example.com")
    guest.follow(guest.submit(guest.get(where), where, new_password=ANOTHER, repeated=ANOTHER))
    assert leads_to(give_password(web.browser(), "ada", ANOTHER), "/login/remember")


# Adding


def add(browser: Browser, **typed: str) -> Page:
    page = browser.get(f"{USERS}/new")
    return Page(browser.follow(browser.fill(page, f"{USERS}/new", typed)).text)


def test_a_user_is_added_with_a_link_or_with_a_password_to_be_changed(web: WebDesk) -> None:
    browser = administrator(web)
    page = add(browser, username="ada", email="ada@example.com", name="Ada", is_staff="1")
    assert "The user was added." in page.notes
    assert page.codes[0].startswith("https://login.example.com/setup/")
    ada = web.desk.people.get("ada")
    assert (ada.email, ada.name, ada.is_staff, ada.password_hash) == ("ada@example.com", "Ada", True, "")
    page = add(browser, username="eve", by="password", new_password=PASSWORD, repeated=PASSWORD)
    assert "The user was added." in page.notes
    eve = web.browser()
    log_in(eve, "eve")
    assert leads_to(eve.get("/account"), "/account/password")


@pytest.mark.parametrize(
    ("typed", "said", "field"),
    [
        ({"username": "a,b"}, "no comma", "username"),
        ({"username": "\uff23li:root"}, "do not begin with cli:", "username"),
        ({"username": ""}, "1 to 150 characters", "username"),
        ({"username": "ROOT"}, "There is a user of that name already.", "username"),
        ({"username": "ada", "email": "a\u200bb@c"}, "no space and no invisible character", "email"),
        ({"username": "ada", "email": "bad"}, "has one @ with something on both sides", "email"),
        ({"username": "ada", "name": "x" * 255}, "The name is too long", "name"),
        ({"username": "ada", "by": "password", "new_password": "short"}, "are not the same", "new_password"),
        ({"username": "ada", "new_password": "a long one of mine"}, "Choose one of the two", "new_password"),
    ],
)
def test_what_can_not_be_is_said_at_its_field_and_the_rest_stays(
    web: WebDesk, typed: dict[str, str], said: str, field: str
) -> None:
    browser = administrator(web)
    form = browser.get(f"{USERS}/new")
    page = browser.fill(form, f"{USERS}/new", {"email": "x@example.com", **typed})
    assert page.status_code in {409, 422}
    assert said in Page(page.text).alerts[0]
    (input_,) = [tag for tag in page.text.split("<input ") if f'name="{field}"' in tag]
    assert 'aria-invalid="true"' in input_
    # The keyboard is where there is something to mend, or nowhere yet.
    focused = [tag for tag in page.text.split("<input ") if " autofocus" in tag]
    assert focused in ([input_], [])
    kept = Page(page.text).form(f"{USERS}/new").fields
    assert kept["email"] == typed.get("email", "x@example.com")
    assert kept["new_password"] == ""
    with web.desk.db.read() as connection:
        assert users.find(connection, "ada") is None


def test_staff_add_plain_users_whatever_they_post(web: WebDesk) -> None:
    browser = administrator(web, "staff", superuser=False)
    page = browser.get(f"{USERS}/new")
    assert 'name="is_superuser"' not in page.text
    fields = Page(page.text).form(f"{USERS}/new").fields
    browser.post(f"{USERS}/new", {**fields, "username": "ada", "is_staff": "1", "is_superuser": "1"})
    ada = web.desk.people.get("ada")
    assert (ada.is_staff, ada.is_superuser) == (False, False)


# Editing


def test_a_user_is_edited_and_a_change_of_roles_ends_the_sessions(web: WebDesk) -> None:
    browser = administrator(web)
    with_password(web, "ada")
    with web.desk.db.write() as connection:
        for name in ("ops", "finance"):
            groups.create(connection, name)
    there = web.browser()
    log_in(there)
    path = of(web, "ada", "/edit")
    form = {"name": "Ada L", "email": "a@example.com", "group.ops": "1"}
    done = browser.follow(browser.fill(browser.get(path), path, form))
    assert "Saved." in Page(done.text).notes
    assert {"Ada L", "a@example.com", "ops"} <= set(Page(done.text).texts)
    assert is_in(there)
    done = browser.follow(browser.submit(browser.get(path), path))
    assert "Nothing was changed." in Page(done.text).notes
    done = browser.follow(browser.submit(browser.get(path), path, is_staff="1"))
    assert web.desk.people.get("ada").is_staff
    assert "Groups ops" in texts(done)
    assert not is_in(there)


def test_an_address_that_was_taken_once_does_not_keep_the_rest_from_being_saved(web: WebDesk) -> None:
    web.desk.people.add("ada", email="bad")
    browser = administrator(web)
    path = of(web, "ada", "/edit")
    done = browser.follow(browser.fill(browser.get(path), path, {"name": "Ada"}))
    assert "Saved." in Page(done.text).notes
    page = browser.fill(browser.get(path), path, {"email": "worse"})
    assert page.status_code == 422
    assert "has one @ with something on both sides" in Page(page.text).alerts[0]
    assert web.desk.people.get("ada").email == "bad"


def test_the_later_of_two_who_edit_is_told_and_takes_nothing_back(web: WebDesk) -> None:
    browser = administrator(web)
    web.desk.people.add("ada", name="Ada")
    with web.desk.db.write() as connection:
        for name in ("ops", "finance"):
            groups.create(connection, name)
    path = of(web, "ada", "/edit")
    mine, theirs = browser.get(path), browser.get(path)
    browser.fill(theirs, path, {"email": "new@example.com", "group.ops": "1"})
    told = browser.fill(mine, path, {"name": "Lady Ada", "group.finance": "1"})
    assert told.status_code == 409
    assert "Somebody else changed this user meanwhile." in Page(told.text).alerts[0]
    assert "E-mail: was none, is new@example.com now" in texts(told)
    assert "Groups: was none, is ops now" in texts(told)
    assert web.desk.people.get("ada").name == "Ada"
    saved = browser.follow(browser.submit(told, path))
    assert {"Lady Ada", "new@example.com", "finance, ops"} <= set(Page(saved.text).texts)


def test_a_wrong_code_keeps_what_was_typed_and_a_right_one_saves_it(web: WebDesk) -> None:
    browser = administrator(web)
    web.desk.people.add("ada")
    path = of(web, "ada", "/edit")
    a_while_later(web)
    page = browser.submit(browser.get(path), path, name="Ada", is_staff="1", proof=wrong(web))
    assert page.status_code == 401
    fields = Page(page.text).form(path).fields
    assert (fields["name"], fields["is_staff"], fields["proof"]) == ("Ada", "1", "")
    assert web.desk.people.get("ada").name == ""
    saved = browser.follow(browser.submit(page, path, proof=web.desk.code()))
    assert "Saved." in Page(saved.text).notes
    assert (web.desk.people.get("ada").name, web.desk.people.get("ada").is_staff) == ("Ada", True)


def test_a_form_that_is_shown_again_after_a_code_can_be_sent(web: WebDesk) -> None:
    browser = administrator(web)
    web.desk.people.add("ada")
    path = of(web, "ada", "/edit")
    a_while_later(web)
    mine = browser.get(path)
    set_role(web, "ada", email="new@example.com")  # type: ignore[arg-type]
    told = browser.submit(mine, path, name="Ada", proof=web.desk.code())
    assert told.status_code == 409
    assert 'name="proof"' not in told.text, "the code was right"
    assert "Saved." in Page(browser.follow(browser.submit(told, path)).text).notes


def test_nobody_takes_the_own_roles_and_staff_set_none(web: WebDesk) -> None:
    browser = administrator(web)
    assert 'name="is_superuser"' not in browser.get(of(web, "root", "/edit")).text
    path = of(web, "root", "/edit")
    fields = Page(browser.get(path).text).form(path).fields
    assert "Another superuser changes your own roles." in texts(browser.get(path))
    refused = browser.post(path, {**fields, "roles": "1"})
    assert refused.status_code == 403
    assert web.desk.people.get("root").is_superuser
    web.desk.later(timedelta(minutes=1))
    staff = administrator(web, "staff", superuser=False)
    web.desk.people.add("ada")
    path = of(web, "ada", "/edit")
    page = staff.get(path)
    assert 'name="is_staff"' not in page.text
    fields = Page(page.text).form(path).fields
    refused = staff.post(path, {**fields, "roles": "1", "is_staff": "1"})
    assert refused.status_code == 403
    assert not web.desk.people.get("ada").is_staff
    with web.desk.db.write() as connection:
        groups.create(connection, "ops")
    refused = staff.post(path, {**fields, "groups": "1", "group.ops": "1"})
    assert refused.status_code == 403
    assert "Groups none" in texts(staff.get(of(web, "ada")))


@pytest.mark.parametrize(
    "seen",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"groups": 1}',
        '{"groups": [], "is_root": true}',
        '{"groups": [{}, 1]}',
        '{"email": 1}',
        '{"email": "\\ud800"}',
        "[" * 4_000,
    ],
)
def test_a_form_that_does_not_say_what_it_was_shown_with_is_shown_anew(web: WebDesk, seen: str) -> None:
    browser = administrator(web)
    web.desk.people.add("ada")
    path = of(web, "ada", "/edit")
    if seen.startswith('{"'):
        # All but what is wrong with it is as it is stored.
        seen = json.dumps(asdict(Profile()) | json.loads(seen))
    answer = browser.submit(browser.get(path), path, seen=seen, name="x")
    assert answer.status_code in {200, 409}
    assert web.desk.people.get("ada").name == ""
