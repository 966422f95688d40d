"""Ninety days of guessing at one user's codes, by somebody who knows the password and has many addresses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from practicus_mfa.core.login.rules import Step
from practicus_mfa.crypto.totp import parse_secret
from practicus_mfa.login import administer, enrolment
from practicus_mfa.login.context import Client
from practicus_mfa.login.enrolment import Enrolled, Half
from practicus_mfa.login.second_factor import WrongCode
from practicus_mfa.login.session_start import Continue, LoggedIn
from practicus_mfa.login.throttling import Stopped
from practicus_mfa.storage import accounts
from tests.support.logging_in import HOME, Desk
from tests.support.people import PASSWORD

if TYPE_CHECKING:
    from practicus_mfa.core.login.account import Account
    from practicus_mfa.storage.engine import Database

DAYS: Final = 90
TRIES_A_DAY: Final = 12
"""Times a day that the attacker comes back, each from another address, until he is told to wait."""


BROWSERS: Final = 8
FREE: Final = 5
"""Wrong codes that are looked at before the first wait."""


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


def test_ninety_days_of_guessing_get_a_hundred_tries_and_never_keep_the_owner_out(desk: Desk) -> None:
    desk.enrolled("ada")
    administer.set_password(desk.db, "ada", PASSWORD, actor="test")
    owner = replace(HOME, device=desk.log_in("ada").tokens.device)
    judged = 0
    for day in range(DAYS):
        for hour in range(TRIES_A_DAY):
            pass_time(desk, timedelta(hours=24 / TRIES_A_DAY))
            attacker = Client(address=f"203.0.{day}.{hour}", address_real=True)
            judged += tries_of_one_visit(desk, attacker)
        assert isinstance(desk.log_in("ada", client=owner), LoggedIn), f"day {day}"
    assert judged == 100


def test_browsers_that_a_password_made_known_get_no_tries_at_the_codes_that_come_later(desk: Desk) -> None:
    desk.people.add("ada")
    administer.set_password(desk.db, "ada", PASSWORD, actor="test")
    attacker = Client(address="203.0.113.1", address_real=True)
    known = [
        replace(attacker, device=desk.log_in("ada", client=attacker).tokens.device) for _ in range(BROWSERS)
    ]
    mine = replace(HOME, device=desk.log_in("ada").tokens.device)
    half = Half(token=desk.half("ada", Step.REMEMBER, client=mine))
    desk.secret = parse_secret(enrolment.begin(desk.ctx, accounted(desk), half).secret_text)
    enrolled = enrolment.confirm(desk.ctx, half, code=desk.code(), remembered=False, client=mine)
    assert isinstance(enrolled, Enrolled)
    desk.later(timedelta(seconds=30))
    judged = 0
    for browser in known:
        judged += tries_of_one_visit(desk, browser)
        desk.hold_stops()
    assert judged == FREE, "they are counted together"
    owner = replace(HOME, device=enrolled.tokens.device or mine.device)
    assert isinstance(desk.log_in("ada", client=owner), LoggedIn), "whose own browser is known"


def accounted(desk: Desk) -> Account:
    with desk.db.read() as connection:
        found = accounts.account(connection, desk.people.get("ada").id)
    assert found is not None
    return found


def tries_of_one_visit(desk: Desk, attacker: Client) -> int:
    """Guess until told to wait; return how many guesses were looked at."""
    answer = desk.start("ada", client=attacker)
    assert isinstance(answer, Continue)
    assert answer.step is Step.CODE
    right = {desk.code(steps=steps) for steps in range(-12, 13)}
    guesses = (guess for number in range(1_000) if (guess := f"{number:06}") not in right)
    for count, guess in enumerate(guesses):
        match desk.give_code(answer.half_token, guess, client=attacker):
            case WrongCode():
                continue
            case Stopped():
                return count
            case other:
                raise AssertionError(other)
    raise AssertionError


def pass_time(desk: Desk, span: timedelta) -> None:
    """Let time pass: what is stored gets older, no clock is turned back."""
    desk.later(span)
    for column in ("last_at", "stopped_until", "expires_at"):
        desk.age("mfa_attempts", column, span)
