"""Requests of the settings page: every value in every mode, and what a forged request may hold."""

from __future__ import annotations

from typing import Any, Final

import pytest

from practicus_mfa.core.parse.spec import policy_from_spec, published
from practicus_mfa.core.policy import SettingsPage
from practicus_mfa.core.settings_page import PATHS, Value, flat, is_stricter, known, nested, told
from practicus_mfa.core.settings_requests import (
    LONGEST_REASON,
    NOTHING,
    READ_ONLY,
    Accepted,
    Refused,
    judged,
)

EDIT, TIGHTEN, READ = SettingsPage.EDIT, SettingsPage.TIGHTEN, SettingsPage.READ

LADDER: Final[dict[str, list[Value]]] = {
    "mfa.enabled": [False, True],
    "mfa.mandatory": [False, True],
    "mfa.mandatoryForSysAdmins": [False, True],
    "mfa.gracePeriodDays": [36_500, 14, 1, 0],
    "rememberMe.enabled": [True, False],
    "rememberMe.days": [36_500, 30, 7, 1],
    "rememberMe.disabledForSysAdmins": [False, True],
}
"""Values of each path, each stricter than the ones before it."""

STEPS: Final = [
    (path, values, value, LADDER[path].index(value) - LADDER[path].index(values))
    for path in LADDER
    for values in LADDER[path]
    for value in LADDER[path]
]
"""A path, what values.yaml says, what is asked for, and how much stricter that is."""


def spec_of(path: str, value: Value, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of a spec
    return {**nested({path: value}), **more}


def accepted(changes: object, spec: dict[str, Any], mode: SettingsPage = EDIT) -> Accepted:
    found = judged(changes, spec, mode)
    assert isinstance(found, Accepted), found
    return found


def refused(changes: object, spec: dict[str, Any] | None = None, mode: SettingsPage = EDIT) -> str:
    found = judged(changes, spec or {}, mode)
    assert isinstance(found, Refused), found
    return found.reason


def test_the_ladder_has_every_value_of_the_page() -> None:
    assert tuple(LADDER) == PATHS


@pytest.mark.parametrize(("path", "values", "value", "stricter"), STEPS)
def test_what_is_stricter(path: str, values: Value, value: Value, stricter: int) -> None:
    assert is_stricter(path, value, values) is (stricter > 0)


@pytest.mark.parametrize(("path", "values", "value", "stricter"), STEPS)
def test_every_valid_value_may_be_written_where_the_page_edits(
    path: str, values: Value, value: Value, stricter: int
) -> None:
    found = accepted(nested({path: value}), spec_of(path, values))
    assert found.overrides == nested({path: value})
    assert (found.before[path], found.after[path]) == (values, value)
    assert found.policy.overridden == {path}


@pytest.mark.parametrize(("path", "values", "value", "stricter"), STEPS)
def test_where_it_tightens_nothing_may_be_looser_than_values_yaml(
    path: str, values: Value, value: Value, stricter: int
) -> None:
    spec = spec_of(path, values)
    if stricter < 0:
        assert f"and less strict than values.yaml: {path}." in refused(nested({path: value}), spec, TIGHTEN)
        return
    # What is as in values.yaml is no override: it would outlive a stricter values.yaml.
    assert accepted(nested({path: value}), spec, TIGHTEN).overrides == (
        nested({path: value}) if stricter else {}
    )


@pytest.mark.parametrize(("path", "values", "value", "stricter"), STEPS)
@pytest.mark.parametrize("mode", [EDIT, TIGHTEN])
def test_every_value_may_return_to_values_yaml(
    path: str, values: Value, value: Value, stricter: int, mode: SettingsPage
) -> None:
    spec = spec_of(path, values, overrides=nested({path: value}))
    found = accepted(nested({path: None}), spec, mode)
    assert found.overrides == {}
    assert (found.before[path], found.after[path]) == (value, values)


@pytest.mark.parametrize("path", PATHS)
def test_where_it_only_reads_nothing_may_be_written_or_returned(path: str) -> None:
    for value in [*LADDER[path], None]:
        spec = spec_of(path, LADDER[path][0], overrides=nested({path: LADDER[path][-1]}))
        assert refused(nested({path: value}), spec, READ) == READ_ONLY


def test_other_overrides_stay() -> None:
    spec = {"overrides": {"mfa": {"mandatory": True, "enabled": None}, "rememberMe": {"days": 7}}}
    found = accepted({"mfa": {"gracePeriodDays": 3}, "rememberMe": {"days": None}}, spec)
    assert found.overrides == {"mfa": {"mandatory": True, "gracePeriodDays": 3}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"session": {"hours": 1}}, "session: unknown; known here: mfa, rememberMe"),
        ({"migration": {"suspend": True}}, "migration: unknown"),
        ({"mfa": {"mandatry": True}}, "mfa.mandatry: unknown; did you mean mandatory?"),
        ({"mfa": {"mandatory": "yes"}}, "mfa.mandatory: text where true or false is expected"),
        ({"mfa": {"mandatory": 1}}, "mfa.mandatory: a whole number where true or false is expected"),
        ({"mfa": {"gracePeriodDays": True}}, "mfa.gracePeriodDays: true or false where a whole number"),
        ({"mfa": {"gracePeriodDays": 1.5}}, "mfa.gracePeriodDays: a number with a fraction"),
        ({"mfa": {"gracePeriodDays": -1}}, "mfa.gracePeriodDays: -1 is too small; the least is 0"),
        ({"rememberMe": {"days": 36_501}}, "rememberMe.days: 36501 is too big; the most is 36500"),
        ({"rememberMe": {"days": 0}}, "rememberMe.days: 0 is too small; the least is 1"),
        ({"rememberMe": {"days": 0, "enabled": False}}, "rememberMe.days: 0 is too small"),
        ({"mfa": [], "rememberMe": 7}, "mfa: a list where a section is expected"),
        ("everything", "the whole: text where a section is expected"),
        ([], "the whole: a list where a section is expected"),
        ({}, NOTHING),
        (None, NOTHING),
        ({"mfa": None}, NOTHING),
        ({"mfa": {}, "rememberMe": {}}, NOTHING),
    ],
)
def test_what_is_no_change_of_the_page_is_refused(changes: object, reason: str) -> None:
    for mode in (EDIT, TIGHTEN):
        assert reason in refused(changes, mode=mode)


def test_one_wrong_value_spoils_the_whole_change() -> None:
    assert "secretStoreRef" in refused({"mfa": {"mandatory": True}, "secretStoreRef": {"name": "mine"}})


def test_a_reason_is_short_and_quotes_no_name_that_may_be_a_secret() -> None:
    reason = refused({f"gAAAA{number}" * 9: 1 for number in range(500)})
    assert len(reason) <= LONGEST_REASON + 1
    assert "gAAAA" not in reason


def test_a_return_to_what_values_yaml_may_not_say_any_more_is_refused() -> None:
    spec = {"rememberMe": {"enabled": True, "days": 0}, "overrides": {"rememberMe": {"days": 7}}}
    assert "spec.rememberMe.days: 0 is too small" in refused({"rememberMe": {"days": None}}, spec)


def test_a_change_is_told_in_words() -> None:
    spec = {"overrides": {"rememberMe": {"days": 7}}}
    found = accepted({"mfa": {"mandatory": True}, "rememberMe": {"days": None}}, spec)
    assert told(found.before, found.after, found.changes) == (
        "mfa.mandatory is true (was false), rememberMe.days is 30 as in values.yaml (was 7)"
    )


def test_the_database_is_told_which_values_are_overridden_and_what_values_yaml_says() -> None:
    policy = policy_from_spec({"mfa": {"gracePeriodDays": 3}, "overrides": {"mfa": {"mandatory": True}}})
    told_of: Any = published(policy)
    assert told_of["mfa"]["mandatory"] is True
    assert told_of["overridden"] == ["mfa.mandatory"]
    assert told_of["values"]["mfa"]["mandatory"] is False
    assert flat(policy.values_mfa, policy.values_remember_me)["mfa.gracePeriodDays"] == 3


@pytest.mark.parametrize(
    "changes", [None, 7, [], {}, {"mfa": 7}, {"mfa": {"mandatory": "x", "no": 1}}], ids=str
)
def test_of_what_is_no_change_nothing_is_repeated(changes: object) -> None:
    assert known(changes) == {}


def test_of_a_change_what_can_be_a_value_is_repeated() -> None:
    changes = {"mfa": {"mandatory": None, "gracePeriodDays": -1, "x": 1}, "rememberMe": {"days": 10**9}}
    assert known(changes) == {"mfa.mandatory": None, "mfa.gracePeriodDays": -1}
