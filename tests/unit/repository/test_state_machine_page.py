"""The page about the state machine tells the steps and the rules as the decision has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from practicus_mfa.core.decide import FOUNDATIONS, LEFT_OVER, ROTATION, Rule
from practicus_mfa.core.keyring import KeyState
from practicus_mfa.core.plan import Step

PAGE: Final = Path(__file__).parents[3].joinpath("docs", "explanation", "state-machine.md").read_text("utf-8")


def _section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("title", "rules"),
    [("**Foundations**", FOUNDATIONS), ("**The rotation:**", ROTATION)],
    ids=["foundations", "rotation"],
)
def test_the_rules_stand_there_in_their_order(title: str, rules: tuple[Rule, ...]) -> None:
    part = _section("The rules, in their order").partition(title)[2].partition("\n**")[0]
    assert re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) == [rule.__name__ for rule in rules]


def test_the_rules_that_are_left_over_stand_there() -> None:
    (line,) = re.findall(r"^\*\*Left over\*\*.*$", PAGE, re.MULTILINE)
    assert re.findall(r"`(\w+)`", line) == [rule.__name__ for rule in LEFT_OVER]


def test_picture_and_table_know_every_step_and_no_other() -> None:
    picture = _section("The picture")
    drawn = {name for arrow in re.findall(r"^ +(\w+) --> (\w+):", picture, re.MULTILINE) for name in arrow}
    assert drawn == set(Step)
    told = re.findall(r"^\| ([A-Z]\w+) \|", _section("Step by step"), re.MULTILINE)
    assert set(told) == set(Step) - {Step.IDLE}


def test_every_state_of_a_key_stands_there() -> None:
    told = re.findall(r"^\| (\w+) \|", _section("The states of a key"), re.MULTILINE)
    assert told == list(KeyState)
