"""Groups in a browser: for superusers alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from practicus_mfa.storage import groups, schema
from practicus_mfa.storage.users import NewUser, create_many
from tests.support.at_the_admin_pages import a_while_later, administrator, texts
from tests.support.at_the_pages import wrong
from tests.support.people import audited
from tests.support.web_client import Page, WebDesk

if TYPE_CHECKING:
    import httpx

GROUPS = "/admin/groups"
OPS = f"{GROUPS}/ops"


def members(web: WebDesk) -> dict[str, int]:
    with web.desk.db.read() as connection:
        return dict(groups.all_groups(connection))


def shown(page: httpx.Response) -> list[str]:
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', page.text)


def test_a_group_is_made_filled_emptied_and_deleted(web: WebDesk) -> None:
    browser = administrator(web)
    web.desk.people.add("Ada", name="Ada Lovelace")
    page = browser.get(GROUPS)
    assert "There is no group yet." in texts(page)
    page = browser.follow(browser.submit(page, GROUPS, name="ops"))
    assert "The group was made." in Page(page.text).notes
    assert shown(page) == ["ops"]
    page = browser.follow(browser.submit(browser.get(OPS), OPS, username=" ada "))
    assert "The user is a member now." in Page(page.text).notes
    assert shown(page) == ["Ada"]
    assert "1 member" in texts(page)
    page = browser.follow(browser.submit(page, OPS, button=("remove", "Ada")))
    assert "The user is no member any more." in Page(page.text).notes
    assert members(web) == {"ops": 0}
    asked = browser.get(f"{OPS}/delete")
    assert "Its members stay users." in texts(asked)
    page = browser.follow(browser.submit(asked, f"{OPS}/delete"))
    assert "The group was deleted." in Page(page.text).notes
    assert members(web) == {}
    assert [line[1:3] for line in audited(web.desk.db) if line[0] == "root" and "group" in line[1]] == [
        ("group.create", "ops"),
        ("group.add", "Ada"),
        ("group.remove", "Ada"),
        ("group.delete", "ops"),
    ]
    # A page that was open when somebody else was faster.
    again = browser.follow(browser.submit(asked, f"{OPS}/delete"))
    assert "The group was deleted." in Page(again.text).notes
    assert browser.get(OPS).status_code == 404


@pytest.mark.parametrize("name", ["", "a b", "a,b", "ş", "x" * 65, "a/b", ".", ".."])
def test_a_name_that_no_group_can_have_is_said_at_its_field(web: WebDesk, name: str) -> None:
    browser = administrator(web)
    page = browser.submit(browser.get(GROUPS), GROUPS, name=name)
    assert page.status_code == 422
    assert "Take 1 to 64 letters" in Page(page.text).alerts[0]
    assert 'aria-invalid="true"' in page.text
    assert Page(page.text).form(GROUPS).fields["name"] == name
    assert members(web) == {}


def test_a_taken_name_and_an_unknown_user_are_told(web: WebDesk) -> None:
    browser = administrator(web)
    browser.submit(browser.get(GROUPS), GROUPS, name="ops")
    page = browser.submit(browser.get(GROUPS), GROUPS, name="ops")
    assert page.status_code == 409
    assert Page(page.text).alerts == ["There is a group of that name already."]
    for name in ("nobody", "", "a\u0000b"):
        page = browser.submit(browser.get(OPS), OPS, username=name)
        assert page.status_code == 422
        assert Page(page.text).alerts == ["There is no user of that name."]
    assert members(web) == {"ops": 0}


def test_members_are_walked_page_by_page(web: WebDesk) -> None:
    browser = administrator(web)
    names = [f"user{at:03}" for at in range(120)]
    with web.desk.db.write() as connection:
        ids = create_many(connection, [NewUser(username=name) for name in names])
        groups.create(connection, "ops")
        groups.add(connection, "ops", list(ids.values()))
    first = browser.get(OPS)
    assert "120 members" in texts(first)
    second = browser.get(link(first, "Next"))
    third = browser.get(link(second, "Next"))
    assert [*shown(first), *shown(second), *shown(third)] == names
    assert shown(browser.get(link(third, "Previous"))) == shown(second)
    assert shown(browser.get(link(second, "Previous"))) == shown(first)
    assert ">Next<" not in third.text
    assert ">Previous<" not in first.text
    assert browser.get(f"{OPS}?after=%00&before=").status_code == 200


def link(page: httpx.Response, text: str) -> str:
    (found,) = re.findall(rf'href="([^"]*)">{text}</a>', page.text)
    return str(found)


def test_a_code_is_asked_for_and_nothing_typed_is_lost(web: WebDesk) -> None:
    browser = administrator(web)
    web.desk.people.add("ada")
    with web.desk.db.write() as connection:
        groups.create(connection, "ops")
    a_while_later(web)
    page = browser.submit(browser.get(GROUPS), GROUPS, name="finance", proof=wrong(web))
    assert (page.status_code, members(web)) == (401, {"ops": 0})
    assert Page(page.text).form(GROUPS).fields["name"] == "finance"
    page = browser.submit(browser.get(OPS), OPS, username="ada", proof=wrong(web))
    assert (page.status_code, members(web)) == (401, {"ops": 0})
    page = browser.submit(page, OPS, proof=web.desk.code())
    assert members(web) == {"ops": 1}
    shown_ = browser.follow(page)
    a_while_later(web)
    asked = browser.submit(shown_, OPS, button=("remove", "ada"))
    assert "Remove ada from ops" in texts(asked)
    assert members(web) == {"ops": 1}
    refused = browser.submit(asked, OPS, proof=wrong(web))
    assert (refused.status_code, members(web)) == (401, {"ops": 1})


def test_who_is_no_superuser_any_more_changes_nothing(web: WebDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    # Between the gate and the act: the form's own check comes after the gate's look.
    browser = administrator(web)
    web.desk.people.add("ada")
    with web.desk.db.write() as connection:
        groups.create(connection, "ops")
    forms = [(browser.get(path), path) for path in (GROUPS, OPS, f"{OPS}/delete")]
    from practicus_mfa.web import step_up

    take = step_up.take

    def demoted(visit: object) -> object:
        row = schema.users.c.username == "root"
        with web.desk.db.write() as connection:
            connection.execute(update(schema.users).where(row).values(is_superuser=False, is_staff=True))
        return take(visit)  # type: ignore[arg-type]

    monkeypatch.setattr(step_up, "take", demoted)
    for page, path in forms:
        typed = {GROUPS: {"name": "finance"}, OPS: {"username": "ada"}}.get(path, {})
        with web.desk.db.write() as connection:
            row = schema.users.c.username == "root"
            connection.execute(update(schema.users).where(row).values(is_superuser=True))
        assert browser.fill(page, path, typed).status_code == 403, path
    assert members(web) == {"ops": 0}
