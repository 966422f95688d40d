"""Every action of the menu, above and below the list, for the ticked and for all that are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import select

from practicus_mfa.storage import schema
from tests.support.admin_browser import (
    choose,
    confirm,
    counts,
    found,
    go_to_list,
    look_for,
    main_text,
    named,
    said,
    tick,
)
from tests.support.browser import heading, path_of, press
from tests.support.crew import BARE, BROKEN, MOVING, THERE, Crew, crew, keys
from tests.support.login_people import Person

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.login_people import LoginPeople

MANY: Final = 52
"""More than are done within the request."""


@dataclass(frozen=True)
class Case:
    """An action, and what comes of it for the one user of each sort and for those without MFA.

    Attributes:
        name: What the menu calls it.
        meaning: What the confirmation says of it, in part.
        outcomes: What the result calls what came of it, by sort.
    """

    name: str
    meaning: str
    outcomes: dict[str, str]


def _all_but(sort: str, outcome: str, others: str) -> dict[str, str]:
    return {each: outcome if each == sort else others for each in (BARE, BROKEN, MOVING, THERE)}


UNDECRYPTABLE: Final = "undecryptable: no key opens it, nothing was changed"

CASES: Final = (
    Case("Remove MFA setup", "stop working", _all_but(BARE, "has no MFA", "MFA removed")),
    Case(
        "Migrate MFA fernet key to active",
        "encrypted with the active key",
        {
            BARE: "has no MFA",
            BROKEN: UNDECRYPTABLE,
            MOVING: "migrated to the active key",
            THERE: "was on the active key already",
        },
    ),
    Case("Unlock", "they may try again at once", _all_but(THERE, "unlocked", "was not stopped")),
    Case("Disable", "can't log in any more", _all_but(BROKEN, "was disabled already", "disabled")),
    Case("Enable", "may log in again", _all_but(BROKEN, "enabled", "was enabled already")),
    Case("End sessions", "logged out everywhere", _all_but(THERE, "sessions ended", "had no session to end")),
)
BY_NAME: Final = {case.name: case for case in CASES}


def check_database(case: Case, people: LoginPeople, users: Crew) -> None:
    """What the action is for has happened to these users, and nothing else."""
    rolling, active = keys(people)
    one, everybody = users.one, set(users.names)
    migrated = case.name.startswith("Migrate")
    moving, there = {one(MOVING)}, {one(THERE)}
    with_mfa = set() if case.name == "Remove MFA setup" else everybody - {n for n in users.names if BARE in n}
    assert users.with_mfa() == with_mfa
    assert users.under(rolling) == (moving if with_mfa and not migrated else set())
    assert users.under(active) == ((there | moving if migrated else there) if with_mfa else set())
    is_active = {"Disable": set(), "Enable": everybody}.get(case.name, everybody - {one(BROKEN)})
    assert users.active() == is_active
    assert users.stopped() == (0 if case.name in {"Unlock", "Remove MFA setup"} else 1)
    assert users.sessions() == (0 if case.name in {"Remove MFA setup", "Disable", "End sessions"} else 1)


def counted(case: Case, users: Crew) -> dict[str, str]:
    numbers: dict[str, int] = {}
    for name in users.names:
        outcome = case.outcomes[next(sort for sort in case.outcomes if sort in name)]
        numbers[outcome] = numbers.get(outcome, 0) + 1
    return {outcome: str(number) for outcome, number in numbers.items()}


@pytest.mark.parametrize("name", BY_NAME)
def test_it_is_done_to_the_ticked_from_the_menu_above(window: Page, people: LoginPeople, name: str) -> None:
    case = BY_NAME[name]
    users = crew(people, f"top{CASES.index(case)}", bare=2)
    go_to_list(window, search=users.word)
    chosen = [name for name in users.names if not name.endswith("bare-0002")]
    tick(window, *chosen)
    choose(window, case.name)
    assert heading(window) == case.name
    assert f"{case.name} for 4 users?" in main_text(window)
    assert case.meaning in main_text(window)
    assert named(window) == chosen
    press(window, case.name)
    assert said(window) == "Done, for 4 users."
    done = Crew(people, users.word, tuple(chosen))
    assert counts(window) == counted(case, done)
    check_database(case, people, done)
    press(window, "Back")
    assert path_of(window) == f"/admin/users?search={users.word}"


@pytest.mark.parametrize("name", BY_NAME)
def test_it_is_done_to_all_that_are_found_from_the_menu_below(
    window: Page, people: LoginPeople, name: str
) -> None:
    case = BY_NAME[name]
    users = crew(people, f"all{CASES.index(case)}", bare=MANY - 3)
    go_to_list(window)
    look_for(window, users.word)
    assert found(window) == f"{MANY} users found"
    choose(window, case.name, whom=f"all {MANY} users found", bar="bottom")
    assert f"{case.name} for {MANY} users?" in main_text(window)
    assert named(window) == list(users.names[:10])
    assert "and 42 more" in main_text(window)
    confirm(window, case.name)
    assert said(window) == f"Done, for {MANY} users."
    assert counts(window) == counted(case, users)
    check_database(case, people, users)


def test_what_needs_a_look_is_named_and_leads_to_the_user(window: Page, people: LoginPeople) -> None:
    users = crew(people, "look")
    go_to_list(window, search="look")
    choose(window, "Migrate MFA fernet key to active", whom="all 4 users on this page", bar="bottom")
    confirm(window, "Migrate MFA fernet key to active")
    assert named(window) == [f"{users.one(BROKEN)}: {UNDECRYPTABLE}"]
    press(window, users.one(BROKEN))
    assert heading(window) == users.one(BROKEN)
    assert "no key opens it" in main_text(window)


def test_thousands_are_migrated_beside_the_page_which_follows_it_to_the_end(
    window: Page, people: LoginPeople
) -> None:
    users = crew(people, "crowd", moving=3_000)
    rolling, active = keys(people)
    go_to_list(window, search="crowd", show="rolling")
    choose(window, "Migrate MFA fernet key to active", whom="all 3,000 users found")
    last = Person(max(name for name in users.names if MOVING in name))
    with people.db.write() as connection:
        # It can't end before it was seen under way.
        connection.execute(
            select(schema.factors).where(schema.factors.c.user_id == people.id_of(last)).with_for_update()
        )
        press(window, "Migrate MFA fernet key to active")
        for shown in ("progress[max='3000']", "text=of 3,000 users so far.", "text=Stop reloading"):
            window.locator(shown).wait_for()
    # Nobody presses anything: the page loads itself anew.
    window.get_by_text("Done, for 3,000 users.").wait_for()
    assert counts(window) == {"migrated to the active key": "3,000"}
    assert (users.under(rolling), len(users.under(active))) == (set(), 3_001)
    assert window.locator("progress").count() == 0


def test_nothing_is_done_without_users_an_action_or_a_yes(window: Page, people: LoginPeople) -> None:
    users = crew(people, "calm")
    go_to_list(window, search="calm")
    choose(window, "Disable")
    assert "Tick the users" in window.get_by_role("alert").inner_text()
    assert window.locator("#action-top").input_value() == "disable"
    tick(window, users.one(THERE))
    choose(window, "Choose …", bar="bottom")
    assert window.get_by_role("alert").inner_text() == "Choose an action."
    choose(window, "Disable")
    press(window, "Cancel")
    assert path_of(window) == "/admin/users?search=calm"
    assert len(users.active()) == 3
