from __future__ import annotations

import pytest

from practicus_mfa.core.decide import decide
from practicus_mfa.core.events import Event, events
from practicus_mfa.core.observed import WorkSeen, WorkState
from practicus_mfa.core.status import Manifest, status
from tests.support.world import World
from tests.support.world_parts import ALIEN, A, B, C, Row
from tests.support.world_stories import edited, installed, promoted, rotated, with_table

ALL_OF_A_ROTATION = [
    "RotationStarted",
    "ReadersConverged",
    "KeyPromoted",
    "MigrationCompleted",
    "OldKeyRetired",
]


def published(world: World, before: Manifest, effective: Manifest | None = None) -> Manifest:
    seen = world.observe()
    return status(seen, decide(seen), before=before, effective=effective or {"mfa": {}})


def between(before: Manifest, after: Manifest) -> tuple[Event, ...]:
    return events(before, after, WorkSeen(), failed_before=False)


def watched(world: World, passes: int = 40, every: int = 1) -> list[Event]:
    """Return what is told while passes run, of which only each so many is looked at."""
    before = published(world, {})
    told: list[Event] = []
    for number in range(passes):
        world.turn()
        world.work_on()
        if number % every == 0:
            after = published(world, before)
            told += between(before, after)
            before = after
    return told


def reasons(told: list[Event] | tuple[Event, ...]) -> list[str]:
    return [event.reason for event in told]


def test_a_rotation_tells_each_of_its_steps_once() -> None:
    world = edited(installed(), B, A)
    assert watched(world) == [
        Event("RotationStarted", "Rotation 1 began."),
        Event("ReadersConverged", "Rotation 1: Every reader can read with the keys in use."),
        Event("KeyPromoted", f"Key {B} is the active key now."),
        Event(
            "MigrationCompleted",
            "Rotation 1: Every row that can be read is under the active key. 3 rows were re-encrypted.",
        ),
        Event("OldKeyRetired", "Rotation 1: No row needs an older key; the database refuses them."),
    ]


@pytest.mark.parametrize("every", [2, 3, 5, 39])
def test_steps_between_two_looks_are_told_all_the_same(every: int) -> None:
    assert sorted(reasons(watched(edited(installed(), B, A), every=every))) == sorted(ALL_OF_A_ROTATION)


def test_a_rotation_of_one_row_tells_it_as_one() -> None:
    told = watched(edited(installed(rows=1), B, A))
    assert told[3].message.endswith(" 1 row was re-encrypted.")


def test_nothing_is_told_twice_nor_after_a_restart() -> None:
    world = edited(installed(), B, A)
    world.settle()
    after = published(world, {})
    assert between(after, published(world, after)) == ()


def test_nothing_is_told_of_an_installation_at_rest() -> None:
    assert watched(installed()) == []


def test_the_first_write_key_is_no_promotion() -> None:
    world = installed(rows=0)
    assert between({}, published(world, {})) == ()


def test_a_first_install_beside_an_old_key_tells_of_no_promotion() -> None:
    world = World(active=B, rolling=A, rows=[Row(A)])
    assert "KeyPromoted" not in reasons(watched(world, every=39))
    assert world.write_key == B


def test_readers_are_not_said_to_have_converged_while_one_lags() -> None:
    world = installed()
    world.readers_follow = False
    edited(world, A, B)
    assert reasons(watched(world)) == ["RotationStarted"]
    world.readers_follow = True
    assert reasons(watched(world)) == ["ReadersConverged", "MigrationCompleted", "OldKeyRetired"]


def test_the_old_key_is_not_said_to_be_retired_while_a_table_waits() -> None:
    world = edited(with_table(), B, A)
    assert reasons(watched(world)) == ALL_OF_A_ROTATION[:4]


def test_a_rotation_that_was_given_up_retired_nothing() -> None:
    world = promoted(installed(), B)
    world.turn()
    world.work_on(rows=1)
    backup = world.back_up()
    world.settle()
    rotated(world, C)
    before = published(world, {})
    world.restore(backup)
    world.turn()
    assert "OldKeyRetired" not in reasons(between(before, published(world, before)))


def test_a_rolling_key_removed_too_early_is_told_once_as_a_warning() -> None:
    world = promoted(installed(), B)
    before = published(world, {})
    edited(world, B)
    after = published(world, before)
    (told,) = between(before, after)
    assert told.reason == "OldKeyRemovedEarly"
    assert told.warning
    assert told.message == (
        f"Rows may still need key {A}. Key {A} was removed from values.yaml too early; the keyring still "
        "has it."
    )
    assert between(after, published(world, after)) == ()


@pytest.mark.parametrize(
    ("row", "reason"), [(Row(ALIEN), "UnknownKeyFound"), (Row(None), "CorruptRowsFound")]
)
def test_rows_that_cannot_be_read_are_told_once_as_a_warning(row: Row, reason: str) -> None:
    world = installed()
    before = published(world, {})
    world.put_by_hand(row)
    world.settle()
    after = published(world, before)
    told = [event for event in between(before, after) if event.warning]
    assert reasons(told) == [reason]
    assert told[0].message == world.message("DataUpToDate")
    assert between(after, published(world, after)) == ()


def test_who_tells_the_same_again_says_so_and_another_occasion_is_another() -> None:
    world = edited(installed(), B, A)
    first: list[Event] = []
    again: list[Event] = []
    second: list[Event] = []
    before = published(world, {})
    for _ in range(40):
        world.turn()
        world.work_on()
        after = published(world, before)
        first += between(before, after)
        # Somebody who was killed before he could publish, and whoever comes after him, a moment later.
        again += between(before, published(world, before))
        before = after
    world = edited(world, C, B)
    for _ in range(40):
        world.turn()
        world.work_on()
        after = published(world, before)
        second += between(before, after)
        before = after
    assert reasons(first) == reasons(second) == ALL_OF_A_ROTATION

    def occasions(told: list[Event]) -> list[tuple[str, str]]:
        return [(event.reason, event.occasion) for event in told]

    assert occasions(first) == occasions(again)
    assert not set(occasions(first)) & set(occasions(second))


def test_a_failed_attempt_is_told_once_as_a_warning() -> None:
    failed = WorkSeen(WorkState.FAILED, "job-1", None, "out of memory")
    assert events({}, {}, failed, failed_before=False) == (
        Event("MigrationJobFailed", "job-1: out of memory", warning=True),
    )
    assert events({}, {}, failed, failed_before=True) == ()
    assert events({}, {}, WorkSeen(WorkState.RUNNING, "job-1"), failed_before=False) == ()


def test_a_policy_that_changed_is_told_and_the_first_one_is_not() -> None:
    world = installed()
    first = published(world, {}, {"mfa": {"mandatory": False}})
    assert between({}, first) == ()
    second = published(world, first, {"mfa": {"mandatory": True}})
    assert between(first, second) == (Event("PolicyChanged", "The policy in force changed."),)
    assert between(second, published(world, second, {"mfa": {"mandatory": True}})) == ()


def test_a_damaged_status_before_is_taken_for_none() -> None:
    world = edited(installed(), B, A)
    world.settle()
    after = published(world, {})
    damaged: Manifest = {"rotation": {"id": 1, "step": "Nowhere"}, "conditions": 7, "activeKeyID": B}
    assert reasons(between(damaged, after)) == ["ReadersConverged", "MigrationCompleted", "OldKeyRetired"]
    assert reasons(between(damaged, {**after, "rotation": {"id": 1, "step": "Complete"}}))[1] == (
        "MigrationCompleted"
    )


def effective(mandatory: bool, source: str, days: int = 30) -> Manifest:
    return {
        "mfa": {"mandatory": {"value": mandatory, "source": source}},
        "rememberMe": {"days": {"value": days, "source": "values"}},
    }


def told_of(before: Manifest, after: Manifest, told: Manifest | None = None) -> list[str]:
    found = events(before, after, WorkSeen(WorkState.IDLE), failed_before=False, told=told)
    return [event.message for event in found]


def test_what_changed_of_the_policy_is_named_with_its_source() -> None:
    before: Manifest = {"effective": effective(False, "values")}
    assert told_of(before, {"effective": effective(True, "override", 7)}) == [
        (
            "The policy in force changed: mfa.mandatory is true by the settings page, "
            "rememberMe.days is 7 by values.yaml."
        )
    ]
    # The same value of another source is a change too.
    assert told_of(before, {"effective": effective(False, "override")}) == [
        "The policy in force changed: mfa.mandatory is false by the settings page."
    ]


def test_what_was_told_with_a_name_is_not_told_again() -> None:
    before: Manifest = {"effective": effective(False, "values")}
    after: Manifest = {"effective": effective(True, "override", 7)}
    told = {"mfa.mandatory": True, "rememberMe.days": 7}
    assert told_of(before, after, told) == []
    assert told_of(before, after, {"mfa.mandatory": True}) == [
        "The policy in force changed: rememberMe.days is 7 by values.yaml."
    ]
    assert len(told_of(before, after, {"mfa.mandatory": False, "rememberMe.days": 8})) == 1


@pytest.mark.parametrize("damaged", [7, {"mfa": 7}, {"mfa": {"mandatory": 7}}], ids=str)
def test_a_damaged_policy_in_a_status_is_told_without_details(damaged: object) -> None:
    before: Manifest = {"effective": effective(False, "values")}
    assert told_of(before, {"effective": damaged}) == ["The policy in force changed."]
