"""The list of users in a browser: what it shows, how it is walked, and what is done to many from it."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import update

from practicus_mfa.core.login.rights import Action
from practicus_mfa.login import bulk
from practicus_mfa.storage import audit, factors, schema
from practicus_mfa.storage.users import NewUser, create_many
from tests.support.at_the_admin_pages import (
    USERS,
    a_while_later,
    administrator,
    cells,
    choose,
    confirm,
    listed,
    texts,
)
from tests.support.at_the_pages import wrong
from tests.support.people import NEW, PASSWORD, audited
from tests.support.web_client import Page, WebDesk

if TYPE_CHECKING:
    import httpx


def add_many(web: WebDesk, number: int) -> list[str]:
    names = [f"user{at:03}" for at in range(number)]
    with web.desk.db.write() as connection:
        create_many(connection, [NewUser(username=name) for name in names])
    return names


def enrolled(web: WebDesk, name: str) -> bool:
    with web.desk.db.read() as connection:
        return bool(factors.of_user(connection, web.desk.people.get(name).id))


# The list


def test_the_short_address_leads_to_the_list(web: WebDesk) -> None:
    answer = administrator(web).get("/admin")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/users")


def test_the_list_says_of_each_user_who_it_is_and_how_the_mfa_is(web: WebDesk) -> None:
    browser = administrator(web)
    web.desk.people.add("ada", email="ada@example.com", name="Ada Lovelace", is_active=False)
    web.desk.people.add("eve", key=NEW)
    web.desk.people.add("mal", key=NEW, is_staff=True)
    with web.desk.db.write() as connection:
        for name, values in (("eve", {}), ("mal", {"fault": "unknown"})):
            user = web.desk.people.get(name)
            of_user = schema.factors.c.user_id == user.id
            connection.execute(update(schema.factors).where(of_user).values(key_id=None, **values))
    page = browser.get(USERS)
    assert listed(page) == ["ada", "eve", "mal", "root"]
    assert cells(page, "ada") == {
        "E-mail": "ada@example.com",
        "Name": "Ada Lovelace",
        "Role": "–",  # noqa: RUF001 - as it is shown
        "Active": "False",
        "MFA": "False",
        "MFA fernet active": "-",
        "Last log-in": "never",
    }
    shown = {name: cells(page, name) for name in ("eve", "mal", "root")}
    assert [one["MFA"] for one in shown.values()] == ["True"] * 3
    assert [one["MFA fernet active"] for one in shown.values()] == ["False", "undecryptable", "True"]
    assert [one["Role"] for one in shown.values()] == ["–", "Staff", "Superuser"]  # noqa: RUF001
    assert shown["root"]["Last log-in"].endswith("UTC")
    assert "3 of 4 enrolled · 1 on the rolling key · 1 undecryptable" in texts(page)
    for show, names in (
        ("rolling", ["eve"]),
        ("without-mfa", ["ada"]),
        ("undecryptable", ["mal"]),
        ("administrators", ["mal", "root"]),
        ("disabled", ["ada"]),
        ("stopped", []),
        ("nonsense", ["ada", "eve", "mal", "root"]),
    ):
        assert listed(browser.get(f"{USERS}?show={show}")) == names, show
    assert listed(browser.get(f"{USERS}?search=lovel+ada")) == ["ada"]
    assert "No user fits." in texts(browser.get(f"{USERS}?search=nobody"))


def test_the_menu_stands_above_and_below_with_the_documents_words(web: WebDesk) -> None:
    page = administrator(web).get(USERS)
    options = re.findall(r'<option value="([^"]+)"[^>]*>([^<]+)<', page.text)
    names = [name for value, name in options if value in set(Action)]
    assert names == [*names[: len(names) // 2]] * 2
    assert names[:2] == ["Remove MFA setup", "Migrate MFA fernet key to active"]
    assert page.text.count(">Select action<") == 2
    assert "Select root" in Page(page.text).texts, "a row's box has a name that is read out"


def test_pages_are_walked_in_both_directions_and_sorted(web: WebDesk) -> None:
    browser = administrator(web)
    names = sorted([*add_many(web, 120), "root"])
    with web.desk.db.write() as connection:
        for name, email in (("user000", "z@example.com"), ("user119", "y@example.com")):
            row = schema.users.c.username == name
            connection.execute(update(schema.users).where(row).values(email=email))
    first = browser.get(USERS)
    second = browser.get(link(first, "Next"))
    third = browser.get(link(second, "Next"))
    assert [*listed(first), *listed(second), *listed(third)] == names
    assert listed(browser.get(link(third, "Previous"))) == listed(second)
    assert listed(browser.get(link(third, "First page"))) == listed(first)
    assert ">Next<" not in third.text
    assert ">Previous<" not in first.text
    assert 'aria-sort="ascending"' in first.text
    backwards = browser.get(link(first, "User name"))
    assert 'aria-sort="descending"' in backwards.text
    assert listed(backwards)[:2] == ["user119", "user118"]
    by_mail = browser.get(link(browser.get(link(first, "E-mail")), "E-mail"))
    assert listed(by_mail)[:2] == ["user000", "user119"]
    assert listed(browser.get(f"{USERS}?at=forged")) == listed(first)


def link(page: httpx.Response, text: str) -> str:
    (found,) = re.findall(rf'<a [^>]*href="([^"]*)"[^>]*>{text}</a>', page.text.replace("&amp;", "&"))
    return str(found)


def test_the_file_holds_whom_the_list_shows_and_no_formula(web: WebDesk) -> None:
    browser = administrator(web)
    add_many(web, 60)
    for name, text in (
        ("ada", "=HYPERLINK(1)"),
        ("eve", "+1"),
        ("mal", "-1"),
        ("zoe", "@x"),
        # A spreadsheet where a comma is a decimal point separates cells by semicolons.
        ("bob", 'Bob; "=HYPERLINK(1)'),
        ("kim", "Kim; Ops - x=1"),
        # Some take the wide signs of Chinese and Japanese for the narrow ones.
        ("wei", "\uff1d1+1"),
        ("mei", "Mei; \uff0b1"),
    ):
        web.desk.people.add(name, name=text, email="a@example.com")
    answer = browser.get(link(browser.get(USERS), "Download CSV"))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="users.csv"'
    rows = {row["username"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert len(rows) == 69
    assert [rows[name]["name"] for name in ("ada", "eve", "mal", "zoe", "bob", "kim", "wei", "mei")] == [
        "'=HYPERLINK(1)",
        "'+1",
        "'-1",
        "'@x",
        "Bob;' \"=HYPERLINK(1)",
        "Kim; Ops - x=1",
        "'\uff1d1+1",
        "Mei;' \uff0b1",
    ]
    assert (rows["root"]["mfa"], rows["root"]["mfa_fernet_active"]) == ("true", "true")
    assert (rows["ada"]["mfa"], rows["ada"]["mfa_fernet_active"]) == ("false", "")
    some = browser.get(link(browser.get(f"{USERS}?search=user00&descending=1"), "Download CSV"))
    found = [row["username"] for row in csv.DictReader(io.StringIO(some.text))]
    assert found == [f"user00{at}" for at in range(9, -1, -1)]
    with web.desk.db.read() as connection:
        told = audit.read(connection, action="users.export")
    assert [line.detail.get("filter") for line in told] == [{"search": "user00"}, {}]
    assert [line.actor for line in told] == ["root", "root"]


# What is done to many


@pytest.mark.parametrize("bar", ["top", "bottom"])
def test_an_action_is_confirmed_and_its_outcome_told(web: WebDesk, bar: str) -> None:
    browser = administrator(web)
    ada, alan = web.desk.people.add("ada", key=NEW), web.desk.people.add("alan")
    page = choose(browser, Action.REMOVE_MFA, ada, alan, bar=bar, path=f"{USERS}?search=a&show=")
    assert page.status_code == 200
    assert "Remove MFA setup for 2 users?" in texts(page)
    assert {"ada", "alan"} <= set(Page(page.text).texts)
    assert "Their authenticator apps and recovery codes stop working" in texts(page)
    assert 'name="proof"' not in page.text, "the log-in is a moment ago"
    assert enrolled(web, "ada"), "nothing is done before it is confirmed"
    done = confirm(browser, page)
    assert "Done, for 2 users." in Page(done.text).notes
    assert "MFA removed 1 has no MFA 1" in texts(done)
    assert not enrolled(web, "ada")
    assert f"{USERS}?search=a" in Page(done.text).links, "back to the very same rows"
    assert ("root", "mfa.remove", "ada", "done") in audited(web.desk.db)


def test_a_migration_of_what_no_key_opens_is_not_said_to_be_done(web: WebDesk) -> None:
    browser = administrator(web)
    mal, mo, eve = (web.desk.people.add(name, key=NEW) for name in ("mal", "mo", "eve"))
    with web.desk.db.write() as connection:
        of_them = schema.factors.c.user_id.in_([mal.id, mo.id])
        connection.execute(update(schema.factors).where(of_them).values(token="broken", key_id=None))
    for chosen, said, state in (
        ([mal], "Nothing could be migrated: no key opens the MFA data of 1 user.", "state warn"),
        ([mal, mo, eve], "Nothing could be migrated: no key opens the MFA data of 2 users.", "state warn"),
        ([eve], "Done, for 1 user.", "state on"),
    ):
        done = confirm(browser, choose(browser, Action.MIGRATE_KEY, *chosen))
        assert said in Page(done.text).notes
        assert state in done.text


def test_an_action_without_users_or_users_without_an_action_are_nothing(web: WebDesk) -> None:
    browser, ada = administrator(web), web.desk.people.add("ada")
    for answer, said in (
        (choose(browser, "", ada), "Choose an action."),
        (choose(browser, Action.DISABLE), "Tick the users that the action is for"),
        (choose(browser, ""), "Choose an action, and tick the users"),
        (choose(browser, "drop-table", ada), "Choose an action."),
    ):
        assert answer.status_code == 422
        assert said in Page(answer.text).alerts[0]
    fields = Page(choose(browser, "", ada).text).form(f"{USERS}/action").fields
    assert fields[f"u{ada.id}"] == "1", "the ticks stay"
    assert (
        Page(choose(browser, Action.DISABLE).text).form(f"{USERS}/action").fields["action-top"] == "disable"
    )
    gone = browser.post(f"{USERS}/action", {**fields, "action-top": "unlock", f"u{ada.id}": "", "u999": "1"})
    assert gone.status_code == 200, "one of the two is there"
    assert "Unlock for 1 user?" in texts(gone)


def test_all_of_a_page_and_all_that_are_found_can_be_chosen(web: WebDesk) -> None:
    browser = administrator(web)
    add_many(web, 70)
    page = choose(browser, Action.DISABLE, which="page", path=f"{USERS}?search=user0")
    assert "Disable for 50 users?" in texts(page)
    assert "user009" in Page(page.text).texts
    assert "user010" not in Page(page.text).texts
    assert "and 40 more" in texts(page)
    assert "Done, for 50 users." in Page(confirm(browser, page).text).notes
    page = choose(browser, Action.ENABLE, which="all", path=f"{USERS}?search=user0&show=disabled")
    assert "Enable for 50 users?" in texts(page)
    page = choose(browser, Action.DISABLE, which="all", path=f"{USERS}?search=user0")
    assert "Disable for 70 users?" in texts(page)
    running = confirm(browser, page)
    assert running.headers["refresh"] == "2"
    assert "0 of 70 users so far." in Page(running.text).notes
    (still,) = [there for there in Page(running.text).links if "still=1" in there]
    assert "refresh" not in browser.get(still).headers
    while bulk.step(web.desk.runner):
        pass
    over = browser.get(still)
    assert "Done, for 70 users." in Page(over.text).notes
    assert "disabled 20 was disabled already 50" in texts(over)
    assert "refresh" not in over.headers


def test_a_code_is_asked_for_where_the_last_one_is_long_ago_and_nothing_chosen_is_lost(web: WebDesk) -> None:
    browser = administrator(web)
    ada = web.desk.people.add("ada", key=NEW)
    a_while_later(web)
    page = choose(browser, Action.REMOVE_MFA, ada)
    assert 'name="proof"' in page.text
    for code in ("", wrong(web)):
        page = browser.submit(page, f"{USERS}/run", proof=code)
        assert page.status_code == 401
        assert 'aria-describedby="error"' in page.text
        assert "Remove MFA setup for 1 user?" in texts(page)
        assert enrolled(web, "ada")
    done = confirm(browser, page, proof=web.desk.code())
    assert "Done, for 1 user." in Page(done.text).notes
    assert not enrolled(web, "ada")
    assert 'name="proof"' not in choose(browser, Action.UNLOCK, ada).text
    assert browser.get("/account").status_code == 200


def test_who_has_no_app_gives_the_password(web: WebDesk) -> None:
    browser = administrator(web, mfa=False)
    ada = web.desk.people.add("ada")
    a_while_later(web)
    page = choose(browser, Action.DISABLE, ada)
    assert 'type="password"' in page.text
    page = browser.submit(page, f"{USERS}/run", proof="wrong")
    assert Page(page.text).alerts == ["The password is wrong."]
    assert "Done, for 1 user." in Page(confirm(browser, page, proof=PASSWORD).text).notes
    assert not web.desk.people.get("ada").is_active


def test_staff_are_told_before_and_after_whom_they_may_not_act_on(web: WebDesk) -> None:
    boss = web.desk.people.add("boss", key=NEW, is_superuser=True)
    browser = administrator(web, "staff", superuser=False)
    ada = web.desk.people.add("ada", key=NEW)
    page = choose(browser, Action.REMOVE_MFA, ada, boss)
    assert "1 of them is an administrator, who stays untouched" in texts(page)
    done = confirm(browser, page)
    assert "MFA removed 1 refused: only superusers do that 1" in texts(done)
    assert f"{USERS}/{boss.id}" in Page(done.text).links
    assert (enrolled(web, "ada"), enrolled(web, "boss")) == (False, True)
    by_all = choose(browser, Action.DISABLE, which="all")
    assert "2 of them are administrators" in texts(by_all)


def test_the_own_account_among_the_chosen_is_pointed_out(web: WebDesk) -> None:
    browser = administrator(web)
    web.desk.people.add("ada")
    web.desk.people.add("boss", is_superuser=True)
    root = web.desk.people.get("root")
    for which, users in (("ticked", [root]), ("all", []), ("page", [])):
        page = choose(browser, Action.DISABLE, *users, which=which)
        assert "Your own account is among them: it stays as it is." in texts(page), which
    assert "refused: your own account" in texts(confirm(browser, choose(browser, Action.DISABLE, root)))
    assert "Your own account" not in texts(choose(browser, Action.DISABLE, web.desk.people.get("ada")))


def test_back_leads_to_filter_search_sort_and_page(web: WebDesk) -> None:
    browser = administrator(web)
    add_many(web, 120)
    start = f"{USERS}?show=without-mfa&search=user&sort=email&descending=1"
    second = browser.get(link(browser.get(start), "Next"))
    address = link(second, "User name")
    assert "at=" not in address, "another order begins at its beginning"
    here = parse_qs(urlsplit(link(second, "Download CSV")).query)
    assert here == {"show": ["without-mfa"], "search": ["user"], "sort": ["email"], "descending": ["1"]}
    user = web.desk.people.get(listed(second)[0])
    path = second.url.raw_path.decode()
    done = confirm(browser, choose(browser, Action.UNLOCK, user, path=path))
    assert listed(browser.get(link(done, "Back"))) == listed(second)
    shown = browser.get(link(second, user.username))
    assert listed(browser.get(link(shown, "← Users"))) == listed(second)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_other_page_makes_an_administrator_download_anything(web: WebDesk, site: str) -> None:
    browser = administrator(web)
    before = audited(web.desk.db)
    for path, page in ((f"{USERS}.csv", USERS), ("/admin/audit.jsonl", "/admin/audit")):
        answer = browser.get(f"{path}?search=x&who=x", **{"Sec-Fetch-Site": site})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"{page}?")
    assert audited(web.desk.db) == before


def test_what_no_name_can_have_is_not_searched_for(web: WebDesk) -> None:
    browser, ada = administrator(web), web.desk.people.add("ada")
    web.desk.people.add("bob")
    narrowed = f"{USERS}?search=a%00d%1Ba"
    assert listed(browser.get(narrowed)) == ["ada"]
    file = browser.get(narrowed.replace(USERS, f"{USERS}.csv"))
    assert [line.split(",")[0] for line in file.text.splitlines()] == ["username", "ada"]
    done = confirm(browser, choose(browser, Action.DISABLE, ada, which="all", path=narrowed))
    assert "Done, for 1 user." in texts(done)


def test_a_run_that_there_is_not_is_not_found(web: WebDesk) -> None:
    browser = administrator(web)
    for run in ("1", "x", "9" * 30):
        assert browser.get(f"{USERS}/runs/{run}").status_code == 404


def test_a_form_of_another_log_in_does_nothing_and_says_so(web: WebDesk) -> None:
    browser = administrator(web)
    ada = web.desk.people.add("ada", key=NEW)
    page = choose(browser, Action.REMOVE_MFA, ada)
    for path in ("action", "run"):
        fields = {**Page(page.text).form(f"{USERS}/run").fields, "form_token": "of another log-in"}
        answer = browser.follow(browser.post(f"{USERS}/{path}", fields))
        assert "Nothing was done: choose again." in Page(answer.text).notes[0]
    assert enrolled(web, "ada")
