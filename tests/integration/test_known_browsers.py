"""Browsers that a user is known to have: for how long what they proved counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from practicus_mfa.core.policy import MfaRules
from practicus_mfa.login import account, administer, setup_link, throttling
from practicus_mfa.login.recover import recover
from practicus_mfa.login.restore_mfa import restore_mfa
from practicus_mfa.storage import accounts
from tests.support.logging_in import HOME, Desk
from tests.support.people import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from practicus_mfa.login.context import Client
    from practicus_mfa.storage.engine import Database

ANOTHER: Final = "another password of mine"


@pytest.fixture
def desk(db: Database) -> Desk:
    made = Desk(db)
    made.enrolled("ada")
    administer.set_password(db, "ada", PASSWORD, actor="test")
    return made


def new_browser(desk: Desk) -> Client:
    """A browser in which ada has logged in."""
    return replace(HOME, device=desk.log_in("ada").tokens.device)


def is_known(desk: Desk, browser: Client) -> bool:
    with desk.db.read() as connection:
        ada = accounts.account(connection, desk.people.get("ada").id)
        return throttling.known_device(connection, ada, browser) is not None


def test_who_chooses_another_password_is_known_in_this_browser_alone(desk: Desk) -> None:
    elsewhere = new_browser(desk)
    session = desk.log_in("ada")
    here = replace(HOME, device=session.tokens.device)
    acting = replace(desk.current(session).acting, device=here.device)
    account.change_password(desk.ctx, acting, new=ANOTHER)
    assert (is_known(desk, here), is_known(desk, elsewhere)) == (True, False)


def by_an_administrator(desk: Desk) -> None:
    administer.set_password(desk.db, "ada", ANOTHER, actor="root")


def by_a_link(desk: Desk) -> None:
    token = setup_link.issue(desk.db, "ada", actor="root").token
    setup_link.use(desk.ctx, token, password=ANOTHER, client=HOME)


def app_back_after_a_time_of_passwords_alone(desk: Desk) -> None:
    recover(desk.db, "ada", actor="root")
    assert desk.log_in("ada").tokens.device
    restore_mfa(desk.db, "ada", actor="root")


@pytest.mark.parametrize("change", [by_an_administrator, by_a_link, app_back_after_a_time_of_passwords_alone])
def test_what_others_change_leaves_no_browser_known(desk: Desk, change: Callable[[Desk], None]) -> None:
    browser = new_browser(desk)
    change(desk)
    assert not is_known(desk, browser)


def test_a_password_makes_no_browser_known_of_who_has_mfa_that_is_switched_off(desk: Desk) -> None:
    desk.policy(mfa=MfaRules(enabled=False))
    assert desk.log_in("ada").tokens.device is None
    desk.policy(mfa=MfaRules())
    assert desk.log_in("ada").tokens.device
