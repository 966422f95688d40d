"""Faults: what a message may show, and what it proposes."""

from __future__ import annotations

import pytest

from practicus_mfa.faults import HIDDEN, Fault, InvalidConfiguration, nearest, shown, unknown

KEY = "c2VjcmV0LWtleS1zZWNyZXQta2V5LXNlY3JldC1rZXk="


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mandatory", "mandatory"),
        ("a.b-c_1", "a.b-c_1"),
        (True, "True"),
        (KEY, HIDDEN),
        (KEY.rstrip("="), HIDDEN),
        (f"activeKey:{KEY}", HIDDEN),
        ("two words", HIDDEN),
        ("line\nbreak", HIDDEN),
        ("", HIDDEN),
    ],
)
def test_only_a_short_plain_name_is_shown(name: object, text: str) -> None:
    assert shown(name) == text


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("mandatry", "mandatory"),
        ("MANDATORY", "mandatory"),
        ("enable", "enabled"),
        ("days", None),
        ("", None),
    ],
)
def test_the_nearest_name_is_found_whatever_its_case(name: str, closest: str | None) -> None:
    assert nearest(name, ["enabled", "mandatory", "mandatoryForSysAdmins"]) == closest


def test_where_nothing_is_known_nothing_is_proposed() -> None:
    assert unknown("a.", "b", []).line == "a.b: unknown; nothing is known here"


def test_the_right_place_of_a_name_is_told() -> None:
    assert unknown("", "mfa", ["zzz"], elsewhere="userLogin.mfa").remedy == "did you mean userLogin.mfa?"


def test_a_remedy_of_its_own_replaces_the_usual_one() -> None:
    fault = Fault(path="a", problem="b", remedy="c")
    error = InvalidConfiguration([fault], source="file", remedy="restore it")
    assert (error.message, error.remedy, error.exit_code) == ("file: a: b; c", "restore it", 2)
