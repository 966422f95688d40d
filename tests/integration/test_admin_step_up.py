"""Whatever changes something on the administrators' pages asks for a code where the last one is long ago."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import select

from practicus_mfa.core.login.throttle import Kind
from practicus_mfa.login.acts.profile import profile_of
from practicus_mfa.login.throttling import subject_of
from practicus_mfa.storage import accounts, groups, schema, user_facts
from practicus_mfa.web.app import PAGES
from tests.support.at_the_admin_pages import USERS, a_while_later, administrator
from tests.support.at_the_pages import log_in, sessions_of, with_password, wrong
from tests.support.people import audited
from tests.support.web_client import Page, WebDesk

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from tests.support.web_client import Browser

ASKS: Final = f"{USERS}/action"
"""Only asks whether something is meant."""

CHANGING: Final = [page.path for page in PAGES if page.path.startswith("/admin") and page.act]

COUNTED: Final = frozenset({"mfa_attempts", "mfa_audit", "mfa_failing_names"})
"""What a wrong code leaves behind."""


def forms(web: WebDesk) -> Mapping[str, tuple[str, dict[str, str]]]:
    """An address for each page that changes something, and a form that would do so."""
    with_password(web, "ada")
    log_in(web.browser(), "ada")
    ada = web.desk.people.get("ada")
    with web.desk.db.write() as connection:
        groups.create(connection, "ops")
        groups.add(connection, "ops", [ada.id])
        found = accounts.account(connection, ada.id)
    assert found is not None
    of_ada = f"{USERS}/{ada.id}"
    session = str(sessions_of(web, "ada")[0].id)
    edited = {"seen": json.dumps(asdict(profile_of(found))), "name": "Ada", "roles": "1", "is_staff": "1"}
    rules = {"changes": json.dumps({"mfa": {"mandatory": True}}), "known": "1"}
    return {
        ASKS: (ASKS, {f"u{ada.id}": "1", "action-top": "disable", "go": "top"}),
        f"{USERS}/run": (f"{USERS}/run", {"ids": str(ada.id), "action": "disable"}),
        f"{USERS}/new": (f"{USERS}/new", {"username": "bob", "by": "link", "is_superuser": "1"}),
        f"{USERS}/{{id:row}}/edit": (f"{of_ada}/edit", edited),
        f"{USERS}/{{id:row}}/setup-link": (f"{of_ada}/setup-link", {}),
        f"{USERS}/{{id:row}}/sessions": (f"{of_ada}/sessions", {"session": session}),
        f"{USERS}/{{id:row}}/devices": (f"{of_ada}/devices", {}),
        "/admin/groups": ("/admin/groups", {"name": "wiki"}),
        "/admin/groups/{name}": ("/admin/groups/ops", {"remove": "ada"}),
        "/admin/groups/{name}/delete": ("/admin/groups/ops/delete", {}),
        "/admin/settings": ("/admin/settings", rules),
    }


def everything(web: WebDesk) -> dict[str, list[tuple[object, ...]]]:
    """All that is stored, but what a wrong code leaves behind."""
    with web.desk.db.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in schema.metadata.tables.values()
            if table.name not in COUNTED
        }


def posted(browser: Browser, path: str, form: Mapping[str, str], **more: str) -> httpx.Response:
    token = Page(browser.get(USERS).text).form(ASKS).fields["form_token"]
    return browser.post(path, {**form, **more, "form_token": token})


@pytest.mark.parametrize("page", CHANGING)
def test_nothing_is_changed_without_a_right_code_and_something_with_it(web: WebDesk, page: str) -> None:
    browser = administrator(web)
    path, form = forms(web)[page]
    used = web.desk.code()
    assert posted(browser, "/admin/groups", {"name": "first"}).status_code == 303
    a_while_later(web)
    assert posted(browser, "/admin/groups", {"name": "second"}, proof=used).status_code == 303
    a_while_later(web)
    before = everything(web)
    for proof in ("", wrong(web), used, "AAAA-BBBB-CCCC-DDDD", "correct horse battery staple"):
        posted(browser, path, form, proof=proof)
        assert everything(web) == before, proof
    web.desk.later(timedelta(minutes=1))
    lines = audited(web.desk.db)
    posted(browser, path, form, proof=web.desk.code())
    told = audited(web.desk.db)[len(lines) :]
    asked = everything(web)["mfa_policy_requests"]
    assert (told != [] or asked != []) is (page != ASKS)


def test_codes_are_guessed_on_a_form_as_seldom_as_at_a_log_in(web: WebDesk) -> None:
    browser = administrator(web)
    a_while_later(web)
    for _ in range(10):
        posted(browser, "/admin/groups", {"name": "ops"}, proof=wrong(web))
    with web.desk.db.read() as connection:
        stopped = [kind for kind, _ in user_facts.counters(connection, subject_of("root"))]
    assert Kind.CODE in stopped
    right = posted(browser, "/admin/groups", {"name": "ops"}, proof=web.desk.code())
    assert right.status_code == 429
    assert "ops" not in browser.get("/admin/groups").text
