"""The audit's page through HTTP: who may see it, what it shows, how lines are found, and the file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from practicus_mfa.core.settings_requests import NOT_ALLOWED
from practicus_mfa.login import administer
from practicus_mfa.storage import schema as s
from practicus_mfa.storage.audit_chain import head, seal
from practicus_mfa.web.views.admin import audit as view
from tests.support.at_the_pages import log_in, with_password
from tests.support.forged_documents import FORGED, stored
from tests.support.people import PASSWORD
from tests.support.web_client import ADDRESS, Browser, Page, WebDesk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AUDIT = "/admin/audit"
NONE = "\N{EN DASH}"


@pytest.fixture
def browser(web: WebDesk) -> Browser:
    """A superuser's, logged in."""
    with_password(web, "root", is_superuser=True)
    found = web.browser()
    log_in(found, "root")
    return found


def written(web: WebDesk, *lines: Mapping[str, object]) -> None:
    with web.desk.db.write() as connection:
        for line in lines:
            connection.execute(insert(s.audit).values(line))


def shown(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return " ".join(Page(answer.text).texts)


def told(browser: Browser, query: str) -> list[str]:
    """The actions of the lines in the file."""
    answer = browser.get(f"/admin/audit.jsonl?{query}")
    assert answer.status_code == 200
    return [json.loads(line)["action"] for line in answer.text.splitlines()]


def test_lines_are_told_in_words_newest_first(web: WebDesk, browser: Browser) -> None:
    written(
        web,
        {
            "at": datetime(2026, 3, 1, 8, 5, 9, tzinfo=UTC),
            "actor": "root",
            "action": "mfa.remove",
            "subject": "bob",
            "detail": {"address": "192.0.2.1", "factors": 1},
        },
        {"actor": "bob", "action": "login", "subject": "bob", "result": "wrong code"},
        {"actor": "x", "action": "something.new", "result": "odd"},
    )
    text = shown(browser, AUDIT)
    rows = text[text.index("Newest first") :]
    assert "root MFA removed bob done 192.0.2.1 apps: 1" in rows
    assert "1 Mar 2026 08:05:09 UTC" in rows
    assert f"bob Log-in bob wrong code {NONE} {NONE}" in rows
    assert f"x something.new {NONE} odd" in rows
    assert rows.index("something.new") < rows.index("wrong code") < rows.index("MFA removed")
    assert f"root Log-in root done {ADDRESS}" in rows


SAID: Sequence[tuple[Mapping[str, object], str]] = (
    ({"secondFactor": True, "remembered": True}, "stays logged in; with a second factor"),
    ({"secondFactor": False, "remembered": False}, "by password alone"),
    ({"staff": True, "superuser": False}, "staff: yes; superuser: no"),
    ({"changed": ["email", "name"], "run": 7}, "changed: email, name; run: 7"),
    (
        {"request": 4, "changes": {"mfa": {"mandatory": True}, "rememberMe": {"days": None}}},
        "Every user must have MFA: yes; Days that they stay logged in: as in values.yaml; request: 4",
    ),
    ({"changes": {"else": 1}}, 'changes: {"else": 1}'),
    ({"filter": {}, "run": 8}, "run: 8"),
    ({"reason": NOT_ALLOWED}, "reason: Whoever asked is no active superuser any more."),
    ({"reason": "kept", "of a later release": [1]}, "of a later release: [1]; reason: kept"),
    ({"secondFactor": "odd", "changes": 5}, "changes: 5; secondFactor: odd"),
)


def test_what_else_a_line_says_is_told_in_the_pages_words(web: WebDesk, browser: Browser) -> None:
    written(web, *({"actor": "x", "action": "login", "detail": detail} for detail, _ in SAID))
    page = shown(browser, f"{AUDIT}?who=x")
    for detail, said in SAID:
        assert f"x Log-in {NONE} done {NONE} {said} not sealed yet" in page, detail


def test_a_line_that_nobody_can_read_hides_no_other(web: WebDesk, browser: Browser) -> None:
    for detail in (*FORGED.values(), "5", "null", '"<b>"'):
        line = {"actor": "eve", "action": "login", "subject": "root", "result": "done"}
        written(web, {**line, "detail": stored(web.desk.db, detail)})
    page = shown(browser, f"{AUDIT}?who=eve")
    assert page.count("eve") == len(FORGED) + 3
    assert "detail: <b>" in page
    assert shown(browser, f"/admin/users/{web.desk.people.get('root').id}").count("eve") == len(FORGED) + 3
    assert told(browser, "who=eve") == ["login"] * (len(FORGED) + 3)


def test_the_end_of_the_chain_and_what_waits_are_told(web: WebDesk, browser: Browser) -> None:
    assert "0 lines are sealed" in shown(browser, AUDIT)
    end = seal(web.desk.db)
    written(web, {"actor": "bob", "action": "logout"})
    answer = Page(browser.get(AUDIT).text)
    assert str(end) in answer.codes
    text = " ".join(answer.texts)
    assert f"{end.count} lines are sealed · 1 waits to be sealed" in text
    assert text.count("not sealed yet") == 1
    with web.desk.db.read() as connection:
        assert head(connection) == end, "looking seals nothing"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("who=ada", ["user.edit", "login"]),
        ("who=ada&what=login", ["login"]),
        ("whom=bob", ["user.edit"]),
        ("result=refused", ["policy.change"]),
        ("from=2026-03-02&to=2026-03-03", ["login", "policy.change"]),
        ("from=2026-03-03&to=2026-03-02", []),
        ("who=%00ada", ["user.edit", "login"]),
        ("who=nobody", []),
    ],
)
def test_lines_are_found(web: WebDesk, browser: Browser, query: str, found: Sequence[str]) -> None:
    def at(day: int, hour: int = 0) -> datetime:
        return datetime(2026, 3, day, hour, tzinfo=UTC)

    written(
        web,
        {"at": at(1, 23), "actor": "ada", "action": "user.edit", "subject": "bob"},
        {"at": at(2), "actor": "ada", "action": "login", "subject": "ada"},
        {"at": at(3, 23), "actor": "eve", "action": "policy.change", "result": "refused"},
        {"at": at(4), "actor": "eve", "action": "logout"},
    )
    assert told(browser, query) == found
    answer = Page(browser.get(f"{AUDIT}?{query}").text)
    assert any("No line fits." in text for text in answer.texts) == (not found)
    # What was asked for stands in the form again.
    form = answer.form(AUDIT)
    wanted = dict(part.split("=") for part in query.replace("%00", "").split("&"))
    assert {name: form.fields[name] for name in wanted} == wanted
    assert f"/admin/audit.jsonl?{query.replace('%00', '')}" in answer.links


def test_a_day_that_is_none_is_told(web: WebDesk, browser: Browser) -> None:
    answer = browser.get(f"{AUDIT}?from=yesterday")
    assert answer.status_code == 422
    assert "A day is written like this" in Page(answer.text).alerts[0]
    assert browser.get("/admin/audit.jsonl?from=yesterday").status_code == 303
    assert browser.get(f"{AUDIT}?from=0001-01-01&to=9999-12-31").status_code == 200


def test_older_lines_are_a_link_away(web: WebDesk, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "SIZE", 2)
    written(web, *({"actor": "ada", "action": f"act.{number}"} for number in range(5)))
    path, found = f"{AUDIT}?who=ada", []
    while path:
        page = Page(browser.get(path).text)
        found += [text for text in page.texts if text.startswith("act.")]
        newest = [link for link in page.links if link == f"{AUDIT}?who=ada"]
        assert bool(newest) == ("before=" in path)
        path = next((link for link in page.links if "before=" in link), "")
    assert found == ["act.4", "act.3", "act.2", "act.1", "act.0"]


def test_the_file_says_all_of_each_line(web: WebDesk, browser: Browser) -> None:
    end = seal(web.desk.db)
    written(web, {"actor": "Şükrü", "action": "logout"})
    answer = browser.get("/admin/audit.jsonl?from=2020-01-01")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'
    *_, last, waiting, this = map(json.loads, answer.text.splitlines())
    assert (this["actor"], this["action"]) == ("root", "audit.export")
    assert this["detail"] == {"address": ADDRESS, "from": "2020-01-01"}
    assert (last["position"], last["hash"]) == (end.count, end.hash.hex())
    assert (waiting["actor"], waiting["position"]) == ("Şükrü", None)


@pytest.mark.parametrize("path", [AUDIT, "/admin/audit.jsonl"])
def test_nobody_but_superusers_sees_it(web: WebDesk, path: str) -> None:
    for name in ("staff", "ada"):
        web.desk.people.add(name, is_staff=name == "staff")
        administer.set_password(web.desk.db, name, PASSWORD, actor="test")
        browser = web.browser()
        log_in(browser, name)
        assert browser.get(path).status_code == 403
    assert web.browser().get(path).status_code == 303
