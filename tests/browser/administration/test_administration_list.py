"""Finding users among a hundred thousand: filters, search, sorting, pages, the file; the way back."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from practicus_mfa.storage import schema
from tests.support.admin_browser import (
    cells,
    choose,
    found,
    go_to_list,
    listed,
    look_for,
    main_text,
    tick,
    ticked,
)
from tests.support.browser import path_of, press
from tests.support.crew import BARE, BROKEN, MOVING, THERE, crew

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from sqlalchemy import ColumnElement

    from tests.support.login_people import LoginPeople


def number_of(people: LoginPeople, *which: ColumnElement[bool]) -> int:
    with people.db.read() as connection:
        return int(connection.execute(select(func.count(schema.users.c.id)).where(*which)).scalar_one())


def in_order(names: list[str], *, descending: bool = False) -> None:
    assert names == sorted(names, reverse=descending)


def test_each_filter_shows_whom_it_is_for(window: Page, people: LoginPeople) -> None:
    users = crew(people, "filter")
    staff = people.add(username="filter-staff", is_staff=True).username
    go_to_list(window, search="filter")
    everybody = {*users.names, staff}
    for name, wanted in {
        "On rolling key": {users.one(MOVING)},
        "Without MFA": {users.one(BARE)},
        "Undecryptable": {users.one(BROKEN)},
        "Administrators": {staff},
        "Disabled": {users.one(BROKEN)},
        "Stopped": {users.one(THERE)},
        "All": everybody,
    }.items():
        press(window, name)
        assert set(listed(window)) == wanted, name
        assert window.locator(".filters [aria-current]").inner_text() == name
        assert window.get_by_label("Search", exact=True).input_value() == "filter"
    assert cells(window, users.one(MOVING))["MFA fernet active"] == "False"
    assert cells(window, users.one(THERE))["MFA fernet active"] == "True"
    assert cells(window, users.one(BROKEN))["MFA fernet active"] == "undecryptable"
    assert cells(window, users.one(BARE))["MFA fernet active"] == "-"


@pytest.mark.parametrize(
    ("name", "column"), [("Disabled", "is_active"), ("Administrators", "is_staff"), ("All", "")]
)
def test_of_a_hundred_thousand_all_are_counted(
    window: Page, people: LoginPeople, name: str, column: str
) -> None:
    rows = schema.users.c
    which = {
        "is_active": (~rows.is_active,),
        "is_staff": (rows.is_staff | rows.is_superuser,),
        "": (),
    }[column]
    go_to_list(window)
    press(window, name, within=".filters")
    number = number_of(people, *which)
    assert found(window) == (f"{number:,} users" if name == "All" else f"{number:,} users found")
    assert number_of(people) > 100_000
    assert f"of {number_of(people):,} enrolled" in window.locator(".summary").inner_text()


def test_a_search_finds_beginnings_of_words_and_all_of_them(window: Page, people: LoginPeople) -> None:
    go_to_list(window)
    look_for(window, "hopp DENİZ")
    rows = schema.users.c
    wanted = rows.name.startswith("Deniz Hopper")
    assert found(window) == f"{number_of(people, wanted):,} users found"
    assert {cells(window, name)["Name"][:12] for name in listed(window)[:5]} == {"Deniz Hopper"}
    (one,) = listed(window)[:1]
    look_for(window, cells(window, one)["E-mail"])
    assert listed(window) == [one]
    look_for(window, "opper")
    assert "No user fits." in main_text(window)
    assert listed(window) == []
    press(window, "Show all users")
    assert path_of(window) == "/admin/users"
    assert len(listed(window)) == 50


def test_a_columns_name_sorts_by_it_and_once_more_the_other_way_round(
    window: Page, people: LoginPeople
) -> None:
    crew(people, "sort", bare=3)
    go_to_list(window, search="sort")
    people.add(username="sort-email", email="zoe@example.org", name="A")
    press(window, "User name")
    in_order(listed(window), descending=True)
    assert window.locator("th.name[aria-sort]").get_attribute("aria-sort") == "descending"
    press(window, "User name")
    in_order(listed(window))
    press(window, "Name")
    in_order([cells(window, name)["Name"] for name in listed(window)])
    press(window, "E-mail")
    press(window, "E-mail")
    assert listed(window)[0] == "sort-email"
    press(window, "Last log-in")
    assert len(listed(window)) == 7


def test_the_last_log_ins_are_sorted_and_who_never_did_comes_last(window: Page, people: LoginPeople) -> None:
    rows = schema.users.c
    of_them = rows.name.startswith("Grace Hopper")
    with people.db.read() as connection:
        times = select(rows.username).where(of_them).order_by(rows.last_login_at)
        names = list(connection.execute(times).scalars())
    go_to_list(window, search="grace hopper")
    press(window, "Last log-in")
    assert listed(window) == names[:50]
    press(window, "Last log-in")
    assert listed(window) == names[:-51:-1]
    go_to_list(window, search="hopper", sort="last_login")
    assert "never" not in window.locator("td.last").all_inner_texts()


def test_pages_lead_on_and_back_to_the_very_same_rows(window: Page) -> None:
    go_to_list(window, search="smith")
    first = listed(window)
    assert window.get_by_role("link", name="Previous", exact=True).count() == 0
    press(window, "Next")
    second = listed(window)
    press(window, "Next")
    third = listed(window)
    in_order([*first, *second, *third])
    assert len({*first, *second, *third}) == 150
    press(window, "Previous")
    assert listed(window) == second
    window.go_back()
    assert listed(window) == third
    press(window, "First page")
    assert listed(window) == first


def test_from_a_user_and_from_a_result_one_gets_back_to_the_place(window: Page) -> None:
    go_to_list(window, search="lovelace", show="without-mfa", sort="email", descending="1")
    press(window, "Next")
    place, names = path_of(window), listed(window)
    press(window, names[7])
    press(window, "← Users")
    assert (path_of(window), listed(window)) == (place, names)
    tick(window, *names[3:6])
    choose(window, "Unlock")
    press(window, "Cancel")
    assert (path_of(window), listed(window)) == (place, names)
    tick(window, *names[3:6])
    choose(window, "Unlock", bar="bottom")
    press(window, "Unlock")
    press(window, "Back")
    assert (path_of(window), listed(window)) == (place, names)
    # A mistake keeps the place and the ticks.
    tick(window, *names[3:6])
    choose(window, "Choose …")
    assert (ticked(window), listed(window)) == (names[3:6], names)


@pytest.mark.parametrize("place", [{}, {"search": "öztürk", "show": "disabled"}])
def test_the_file_has_as_many_lines_as_the_list_has_users(window: Page, place: dict[str, str]) -> None:
    go_to_list(window, **place)
    (number,) = re.findall("[0-9,]+", found(window))
    first = listed(window)[:3]
    with window.expect_download() as started:
        window.get_by_role("link", name="Download CSV").click()
    assert started.value.suggested_filename == "users.csv"
    with Path(started.value.path()).open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert f"{len(lines):,}" == number
    assert [line["username"] for line in lines[:3]] == first
