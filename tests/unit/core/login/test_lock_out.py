"""Changes that could lock administrators out: every pair of rules, with everybody who may be affected."""

from __future__ import annotations

from itertools import product
from typing import Final

import pytest

from practicus_mfa.core.login.lock_out import Risk, Standing, leads_all_to_enrolment, risks
from practicus_mfa.core.policy import MfaRules

NOBODY: Final = Standing(administrators=0, enrolled=0, readable=False)
NONE_ENROLLED: Final = Standing(administrators=3, enrolled=0, readable=False)
UNREADABLE: Final = Standing(administrators=3, enrolled=2, readable=False)
WELL: Final = Standing(administrators=3, enrolled=1, readable=True)

SWITCHES: Final = (False, True)
RULES: Final = [
    MfaRules(enabled=enabled, mandatory=mandatory, mandatory_for_sys_admins=for_admins)
    for enabled, mandatory, for_admins in product(SWITCHES, SWITCHES, SWITCHES)
]

OFF, FREE, ALL, ADMINS = (
    MfaRules(enabled=False),
    MfaRules(),
    MfaRules(mandatory=True),
    MfaRules(mandatory_for_sys_admins=True),
)
ALL_BUT_OFF: Final = MfaRules(enabled=False, mandatory=True)


@pytest.mark.parametrize("standing", [NOBODY, WELL], ids=["nobody", "well"])
def test_where_nobody_can_be_locked_out_nothing_is_asked(standing: Standing) -> None:
    for before, after in product(RULES, RULES):
        assert risks(before, after, standing) == ()


@pytest.mark.parametrize("standing", [NONE_ENROLLED, UNREADABLE], ids=["none enrolled", "unreadable"])
def test_what_stays_or_becomes_less_strict_is_no_risk(standing: Standing) -> None:
    for rules in RULES:
        assert risks(rules, rules, standing) == ()
        assert risks(rules, OFF, standing) == ()
    assert risks(ALL, FREE, standing) == ()
    assert risks(ALL, ADMINS, standing) == ()
    assert risks(ADMINS, ALL, standing) == ()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (FREE, ALL, True),
        (FREE, ADMINS, True),
        (OFF, ALL, True),
        (ALL_BUT_OFF, ALL, True),
        (OFF, FREE, False),
        (OFF, ALL_BUT_OFF, False),
        (FREE, FREE, False),
    ],
)
def test_mfa_that_no_administrator_has_is_warned_of(
    before: MfaRules, after: MfaRules, expected: bool
) -> None:
    assert (risks(before, after, NONE_ENROLLED) == (Risk.NOBODY_ENROLLED,)) is expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (OFF, FREE, True),
        (OFF, ALL, True),
        (ALL_BUT_OFF, ALL, True),
        (FREE, ALL, True),
        (FREE, ADMINS, True),
        (OFF, ALL_BUT_OFF, False),
        (FREE, FREE, False),
    ],
)
def test_codes_that_nobody_can_check_are_warned_of(before: MfaRules, after: MfaRules, expected: bool) -> None:
    assert (risks(before, after, UNREADABLE) == (Risk.UNREADABLE,)) is expected


def test_days_alone_are_never_a_risk() -> None:
    for standing in (NONE_ENROLLED, UNREADABLE):
        before = MfaRules(mandatory=True, grace_period_days=7)
        assert risks(before, MfaRules(mandatory=True), standing) == ()


def test_all_are_led_to_enrolment_where_mfa_is_on_mandatory_and_without_grace() -> None:
    assert [rules for rules in RULES if leads_all_to_enrolment(rules)] == [
        MfaRules(mandatory=True),
        MfaRules(mandatory=True, mandatory_for_sys_admins=True),
    ]
    assert not leads_all_to_enrolment(MfaRules(mandatory=True, grace_period_days=1))
