"""Requests of the settings page, judged: what a change asks for, and whether it may be.

The login service that writes a request is reached by everybody, so nothing that it says is believed: the
operator judges each request by the MfaPolicy as it stands. The same judgement, made before a request is
written, spares a person the way there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from practicus_mfa.core.parse.faults import InvalidConfiguration, number
from practicus_mfa.core.parse.reader import Section
from practicus_mfa.core.parse.rules import mfa_rules, remember_me_rules
from practicus_mfa.core.parse.spec import policy_from_spec
from practicus_mfa.core.policy import MfaRules, Policy, RememberMeRules, SettingsPage
from practicus_mfa.core.settings_page import SECTIONS, Flat, Value, flat, is_stricter, nested
from practicus_mfa.faults import Fault

GOOD_FOR: Final = timedelta(seconds=60)
"""How old a request may be when it is handled: whoever asked is still there to see what comes of it."""

TOO_OLD: Final = "It was not handled within 60 seconds."
NOT_ALLOWED: Final = "Whoever asked is no active superuser any more."
READ_ONLY: Final = "login.settingsPage is read: the rules are changed in values.yaml alone."
NOTHING: Final = "It asks for no change."
LOOSER: Final = "login.settingsPage is tighten, and less strict than values.yaml: "
"""How the reason begins; the values' paths follow."""

REASONS: Final = frozenset({TOO_OLD, NOT_ALLOWED, READ_ONLY, NOTHING})
"""Reasons that are always in these words."""

LONGEST_REASON: Final = 1_000
"""Characters: faults are named one by one, and a forged request may have any number of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A change that may be made.

    Attributes:
        changes: What is asked for, by path.
        overrides: ``spec.overrides`` as it is to be.
        policy: The policy with it.
        before: All values that were in force, by path.
        after: All values that will be.
    """

    changes: Flat
    overrides: Mapping[str, Any]
    policy: Policy
    before: Mapping[str, Value]
    after: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Refused:
    """A change that may not be made, and why: a sentence for who asked."""

    reason: str


def judged(changes: object, spec: Mapping[str, Any], mode: SettingsPage) -> Accepted | Refused:
    """Return what *changes* come to.

    Args:
        changes: A tree of JSON values, whoever wrote it.
        spec: The MfaPolicy's spec, found valid.
        mode: What the settings page may do.
    """
    if mode is SettingsPage.READ:
        return Refused(READ_ONLY)
    asked = _asked(changes)
    if isinstance(asked, Refused):
        return asked
    present = policy_from_spec(spec)
    values = flat(present.values_mfa, present.values_remember_me)
    if mode is SettingsPage.TIGHTEN:
        looser = [
            path
            for path, value in asked.items()
            if value is not None and value != values[path] and not is_stricter(path, value, values[path])
        ]
        if looser:
            return Refused(f"{LOOSER}{', '.join(looser)}.")
        # What is as in values.yaml anyway must not hold on to it when that becomes stricter.
        asked = {path: None if value == values[path] else value for path, value in asked.items()}
    overrides = _overridden(spec, asked)
    try:
        policy = policy_from_spec({**spec, "overrides": overrides})
    except InvalidConfiguration as error:
        return Refused(_named(error.faults))
    return Accepted(
        changes=asked,
        overrides=overrides,
        policy=policy,
        before=flat(present.mfa, present.remember_me),
        after=flat(policy.mfa, policy.remember_me),
    )


def _asked(changes: object) -> dict[str, Value | None] | Refused:
    """Return what is asked for, each value of its type and within its bounds."""
    faults: list[Fault] = []
    with Section(changes, "", faults) as top:
        mfa_rules(top.section("mfa"), MfaRules())
        days = remember_me_rules(top.section("rememberMe"), RememberMeRules()).days
    if not faults and days < 1:
        # An MfaPolicy may hold it while rememberMe is off; then nobody could switch that on in values.yaml.
        remedy = "the least is 1; to switch it off, set rememberMe.enabled to false"
        faults.append(Fault(path="rememberMe.days", problem=f"{number(days)} is too small", remedy=remedy))
    if faults:
        return Refused(_named(faults))
    assert isinstance(changes, Mapping) or changes is None  # noqa: S101 - it was read without a fault
    found = {
        f"{section}.{name}": value
        for section in SECTIONS
        for name, value in ((changes or {}).get(section) or {}).items()
    }
    return found or Refused(NOTHING)


def _overridden(spec: Mapping[str, Any], asked: Flat) -> dict[str, dict[str, Any]]:
    present = spec.get("overrides") or {}
    wanted = nested(asked)
    merged = {section: {**(present.get(section) or {}), **wanted.get(section, {})} for section in SECTIONS}
    kept = {
        section: {name: value for name, value in values.items() if value is not None}
        for section, values in merged.items()
    }
    return {section: values for section, values in kept.items() if values}


def _named(faults: list[Fault] | tuple[Fault, ...]) -> str:
    text = "; ".join(fault.line for fault in faults)
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"
