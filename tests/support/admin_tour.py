"""Every page of the administrators, and the way to it, for axe, for all widths and for pictures.

The site's rotation must be held up (:mod:`tests.support.held_up_rotation`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update

from practicus_mfa.clock import utc_now
from practicus_mfa.core.settings_requests import TOO_OLD
from practicus_mfa.storage import policy_requests, schema
from tests.support.admin_browser import USERS
from tests.support.admin_ways import (
    as_staff,
    at,
    confirm,
    confirm_as_staff,
    confirm_by_code,
    edit_conflict,
    enter,
    later,
    new_wrong,
    not_for_staff,
    nothing_chosen,
    result,
    result_to_look_at,
    send,
    setup_link,
    under_way,
    user,
)
from tests.support.login_tour import Stop
from tests.support.office import BROKEN, LONGEST, MOVING, STOPPED

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.admin_ways import Way
    from tests.support.login_people import LoginPeople


def _no_such_member(page: Page, people: LoginPeople) -> None:
    at("/admin/groups/finance")(page, people)
    page.locator("#username").fill("nobody")
    send(page)


def _wrong_setting(page: Page, people: LoginPeople) -> None:
    at("/admin/settings")(page, people)
    page.locator("[name='rememberMe.days']").fill("many")
    send(page)


def _risky_setting(page: Page, people: LoginPeople) -> None:
    """While no key opens the MFA of any administrator; afterwards it is as it was."""
    at("/admin/settings")(page, people)
    page.locator("[name='mfa.mandatoryForSysAdmins']").check()
    rows, factors = schema.users, schema.factors
    administrators = select(rows.c.id).where(rows.c.is_staff | rows.c.is_superuser)
    with people.db.write() as connection:
        those = factors.c.user_id.in_(administrators), factors.c.key_id.is_not(None)
        query = select(factors.c.id, factors.c.token, factors.c.key_id, factors.c.fault).where(*those)
        found = connection.execute(query).all()
        connection.execute(
            update(factors).where(*those).values(token="x" * 164, key_id=None, fault="unknown")
        )
    try:
        send(page)
    finally:
        with people.db.write() as connection:
            for row in found:
                as_before = update(factors).where(factors.c.id == row.id)
                connection.execute(as_before.values(token=row.token, key_id=row.key_id, fault=row.fault))


def _asked(outcome: str, message: str = "", *, age: timedelta = timedelta()) -> Way:
    """A change of the settings that was asked for, and what the operator said to it; '' for nothing yet."""

    def reach(page: Page, people: LoginPeople) -> None:
        there = enter(page, people)
        with people.db.write() as connection:
            number = policy_requests.ask(
                connection,
                author_id=people.id_of(there.root),
                author=there.root.username,
                changes={"mfa": {"mandatory": True, "gracePeriodDays": 14}},
            )
            rows = schema.policy_requests
            made = update(rows).where(rows.c.id == number)
            connection.execute(made.values(at=utc_now() - age))
            if outcome:
                policy_requests.close(connection, number, outcome=outcome, message=message)
        # One that waits loads itself anew: not while it is looked at.
        page.goto(f"/admin/settings?request={number}&still=1")

    return reach


ADMIN_TOUR: Final = (
    Stop("users", "admin/users.html", at(USERS)),
    Stop("users-found", "admin/users.html", at(f"{USERS}?search=hamilton")),
    Stop("users-long-name", "admin/users.html", at(f"{USERS}?search=subsidiary")),
    Stop("users-nobody", "admin/users.html", at(f"{USERS}?search=nobody+at+all&show=disabled")),
    Stop("users-nothing-chosen", "admin/users.html", nothing_chosen),
    Stop("confirm", "admin/confirm.html", confirm),
    Stop("confirm-code", "admin/confirm.html", confirm_by_code),
    Stop("confirm-as-staff", "admin/confirm.html", confirm_as_staff),
    Stop("result", "admin/run.html", result),
    Stop("result-to-look-at", "admin/run.html", result_to_look_at),
    Stop("under-way", "admin/run.html", under_way),
    Stop("user", "admin/user.html", user(STOPPED)),
    Stop("user-undecryptable", "admin/user.html", user(BROKEN)),
    Stop("user-long-name", "admin/user.html", user(LONGEST)),
    Stop("user-as-staff", "admin/user.html", as_staff),
    Stop("user-edit", "admin/user_edit.html", user(MOVING, "/edit")),
    Stop("user-edit-conflict", "admin/user_edit.html", edit_conflict),
    Stop("user-new", "admin/user_new.html", at(f"{USERS}/new")),
    Stop("user-new-wrong", "admin/user_new.html", new_wrong),
    Stop("setup-link-sure", "admin/sure.html", later(user(MOVING, "/setup-link"))),
    Stop("setup-link", "admin/setup_link.html", setup_link),
    Stop("groups", "admin/groups.html", at("/admin/groups")),
    Stop("group", "admin/group.html", at("/admin/groups/engineers")),
    Stop("group-nobody", "admin/group.html", _no_such_member),
    Stop("group-delete", "admin/sure.html", at("/admin/groups/finance/delete")),
    Stop("settings", "admin/settings.html", at("/admin/settings")),
    Stop("settings-wrong", "admin/settings.html", _wrong_setting),
    Stop("settings-risk", "admin/settings_sure.html", _risky_setting),
    Stop("settings-refused", "admin/settings_request.html", _asked("refused", TOO_OLD)),
    Stop("settings-changed", "admin/settings_request.html", _asked("applied")),
    Stop("settings-unanswered", "admin/settings_request.html", _asked("", age=timedelta(minutes=2))),
    Stop("settings-waiting", "admin/settings_request.html", _asked("")),
    Stop("audit", "admin/audit.html", at("/admin/audit")),
    Stop("audit-found", "admin/audit.html", at(f"/admin/audit?whom={STOPPED}")),
    Stop("audit-nothing", "admin/audit.html", at("/admin/audit?who=nobody+at+all")),
    Stop("not-for-staff", "message.html", not_for_staff),
)
"""Ordered as the menu is."""
