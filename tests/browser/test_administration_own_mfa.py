"""An administrator removes the own MFA where it is mandatory: it is set up anew before anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.admin_browser import choose, go_to_list, main_text, tick
from tests.support.browser import give_code, heading, log_in, path_of, press, shown_secret

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.login_people import LoginPeople


@pytest.mark.policy(mfa={"mandatoryForSysAdmins": True})
def test_it_is_set_up_anew_before_anything_else(page: Page, people: LoginPeople) -> None:
    person = people.add(is_superuser=True)
    log_in(page, person)
    go_to_list(page, search=person.username)
    tick(page, person.username)
    choose(page, "Remove MFA setup")
    assert "your MFA is removed, too" in main_text(page)
    press(page, "Remove MFA setup")
    assert path_of(page) == "/enroll"
    page.goto("/admin/users")
    assert path_of(page) == "/enroll"
    person.secret = shown_secret(page)
    give_code(page, person.code())
    assert heading(page) == "Save your recovery codes"
    page.goto("/admin/users")
    assert heading(page) == "Users"
