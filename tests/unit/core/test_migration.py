from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from practicus_mfa.core import plan as p
from practicus_mfa.core.decide import decide
from practicus_mfa.core.observed import Mode, WorkSeen, WorkState
from practicus_mfa.core.rules.rows_to_move import LONGEST_PAUSE, pause_after
from tests.support.world import World
from tests.support.world_parts import ALIEN, OWN, A, B, Row
from tests.support.world_stories import edited, installed, promoted


def works(world: World) -> list[tuple[Mode, int]]:
    return [(action.mode, action.attempt) for action in world.log if isinstance(action, p.Work)]


def at_work(world: World) -> World:
    """Let the workers begin."""
    world.turn()
    assert world.running
    return world


# --- migrate and verify -----------------------------------------------------------------------------------


def test_rows_are_migrated_and_then_every_one_is_tried() -> None:
    world = edited(installed(), B, A)
    assert world.settle().at_rest
    assert works(world) == [(Mode.MIGRATE, 1), (Mode.VERIFY, 2)]
    assert {row.true_key for row in world.rows} == {B}


def test_the_work_names_the_rotation_the_mode_and_our_table() -> None:
    world = promoted(installed(), B)
    plan = decide(world.observe())
    assert plan.step is p.Step.MIGRATE
    assert plan.actions == (
        p.Work(rotation=world.current.id, mode=Mode.MIGRATE, relations=(OWN,), again=frozenset(), attempt=1),
    )


def test_rows_are_migrated_only_after_promotion() -> None:
    world = edited(installed(), B, A)
    world.settle()
    order = [type(action) for action in world.log if isinstance(action, (p.Promote, p.Work))]
    assert order == [p.Promote, p.Work, p.Work]


def test_while_workers_run_the_plan_waits_and_says_how_many_rows_are_left() -> None:
    world = at_work(promoted(installed(), B))
    plan = decide(world.observe())
    assert (plan.waits_for, plan.reason, plan.actions) == (p.For.MACHINE, "Migrating", ())
    assert plan.message == "Workers are running."
    assert world.reason("DataUpToDate") == "False Migrating"
    assert world.message("DataUpToDate") == f"3 rows are still to be brought under key {B}."
    assert world.reason("Ready") == "False Migrating"


def test_workers_that_can_t_begin_say_why() -> None:
    seen = at_work(promoted(installed(), B)).observe()
    plan = decide(replace(seen, work=replace(seen.work, why="ImagePullBackOff: not found")))
    assert (plan.waits_for, plan.reason) == (p.For.MACHINE, "Migrating")
    assert plan.message == "No worker is at work yet: ImagePullBackOff: not found"


def test_while_rows_are_tried_the_reason_is_verifying() -> None:
    world = at_work(promoted(installed(), B))
    world.work_on()
    at_work(world)
    assert decide(world.observe()).reason == "Verifying"
    assert world.reason("DataUpToDate") == "False Verifying"
    assert world.message("DataUpToDate") == f"Every row is being tried under key {B}."


def test_zero_users_are_migrated_without_any_work() -> None:
    world = edited(installed(rows=0), B, A)
    assert world.settle().at_rest
    assert works(world) == []
    assert world.write_key == B
    assert world.reason("DataUpToDate") == "True UpToDate"
    assert world.message("DataUpToDate") == "There is no row yet."


def test_a_million_rows_are_written_with_separators() -> None:
    world = promoted(installed(), B)
    world.rows = [Row(A, A)] * 1_000_000
    assert world.message("DataUpToDate") == f"1,000,000 rows are still to be brought under key {B}."


def test_an_enrolment_of_before_promotion_that_commits_after_the_last_scan_is_migrated_too() -> None:
    world = at_work(promoted(installed(), B))
    world.work_on()
    world.turn_until(p.RetireKeys)
    world.rows.append(Row(A, A))
    assert world.settle().at_rest
    assert {row.true_key for row in world.rows} == {B}
    again = [action.again for action in world.log if isinstance(action, p.Work)]
    assert again[-1] == {OWN}


def test_a_late_row_that_commits_as_the_fence_closes_keeps_it_open() -> None:
    world = promoted(installed(), B)
    plan = world.turn_until(p.RetireKeys)
    world.rows.append(Row(A, A))
    from tests.support import world_applied

    for action in plan.actions:
        world_applied.apply(world, action)
    assert A in world.live
    assert world.settle().at_rest
    assert world.live == {B}
    assert {row.true_key for row in world.rows} == {B}


def test_a_row_restored_by_hand_with_no_rotation_under_way_is_tried() -> None:
    world = installed()
    world.put_by_hand(Row(A))
    assert world.reason("DataUpToDate") == "False Migrating"
    assert world.reason("Ready") == "False Migrating"
    assert world.settle().at_rest
    assert world.rows[-1].hint == A


# --- workers that die -------------------------------------------------------------------------------------


def test_workers_that_vanished_are_started_again_absence_is_no_proof() -> None:
    world = at_work(promoted(installed(), B))
    world.work_on(rows=1)
    world.stop_work()  # the Job was deleted by hand, or by its TTL
    world.turn()
    assert works(world)[-1] == (Mode.MIGRATE, 2)
    assert world.settle().at_rest
    assert {row.true_key for row in world.rows} == {B}


def test_a_failed_attempt_is_waited_out_and_told_with_the_next_ones_time() -> None:
    world = at_work(promoted(installed(), B))
    world.stop_work(failed=True)
    world.now = world.now.replace(hour=7, minute=30, second=0)
    world.work = WorkSeen(WorkState.FAILED, "work", world.now, "out of memory")
    plan = decide(world.observe())
    assert (plan.waits_for, plan.reason, plan.actions) == (p.For.MACHINE, "Migrating", ())
    assert plan.message == "Attempt 1 failed (out of memory); the next one begins at 07:30:02 UTC."


def test_the_next_attempt_begins_when_its_time_has_come_and_not_before() -> None:
    world = at_work(promoted(installed(), B))
    world.stop_work(failed=True)
    assert world.work.failed_at
    world.now = world.work.failed_at + pause_after(1) - timedelta(seconds=1)
    assert decide(world.observe()).actions == ()
    world.now = world.work.failed_at + pause_after(1)
    (work,) = decide(world.observe()).actions
    assert isinstance(work, p.Work)
    assert work.attempt == 2


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(0, 2), (1, 2), (2, 4), (3, 8), (7, 128), (8, 256), (9, 300), (10_000, 300)]
)
def test_the_pause_doubles_from_two_seconds_to_five_minutes(attempt: int, seconds: int) -> None:
    assert pause_after(attempt) == timedelta(seconds=seconds)
    assert pause_after(attempt) <= LONGEST_PAUSE


def test_from_the_fourth_failure_on_a_person_is_told_although_attempts_go_on() -> None:
    world = promoted(installed(), B)
    for failure in range(1, 5):
        world.turn()
        assert world.running, failure
        world.stop_work(failed=True)
        plan = decide(world.observe())
        assert plan.waits_for is (p.For.PERSON if failure == 4 else p.For.MACHINE)
        world.now += LONGEST_PAUSE
    assert world.reason("Stalled") == "False NotStalled", "the next attempt is due"
    assert world.settle().at_rest


def test_attempts_that_got_a_pass_done_do_not_count_as_failures() -> None:
    world = promoted(installed(), B)
    for _ in range(2):
        world.turn()
        world.stop_work(failed=True)
        world.now += LONGEST_PAUSE
    world.turn()
    world.work_on()
    world.turn()
    assert works(world)[-1] == (Mode.VERIFY, 4)
    world.stop_work(failed=True)
    assert decide(world.observe()).waits_for is p.For.MACHINE


def test_a_failure_that_nobody_dated_is_tried_again_at_once() -> None:
    world = promoted(installed(), B)
    world.work = WorkSeen(WorkState.FAILED, "work", None, "no idea")
    assert isinstance(decide(world.observe()).actions[0], p.Work)


def test_a_database_that_goes_away_in_the_middle_stops_everything_and_then_it_goes_on() -> None:
    world = at_work(promoted(installed(), B))
    world.work_on(rows=1)
    world.down = True
    for _ in range(3):
        assert world.turn().actions == ()
    assert world.reason("Ready") == "False DatabaseUnreachable"
    world.down = False
    assert world.settle().at_rest
    assert {row.true_key for row in world.rows} == {B}


# --- suspend ----------------------------------------------------------------------------------------------


def test_suspend_in_the_middle_stops_the_workers_and_says_what_is_left() -> None:
    world = at_work(promoted(installed(), B))
    world.work_on(rows=1)
    world.suspend = True
    plan = decide(world.observe())
    assert plan.actions == (p.StopWork(),)
    assert (plan.step, plan.waits_for, plan.reason) == (p.Step.MIGRATE, p.For.PERSON, "Suspended")
    assert plan.message == "migration.suspend is true: set it to false to go on."
    assert world.reason("DataUpToDate") == "False Suspended"
    assert world.message("DataUpToDate") == ("2 rows are left; migration.suspend is true: set it to false.")
    assert world.reason("Ready") == "False Suspended"
    assert world.reason("Stalled") == "True Suspended"


def test_while_suspended_nothing_is_begun_and_then_it_goes_on_where_it_was() -> None:
    world = at_work(promoted(installed(), B))
    world.work_on(rows=1)
    world.suspend = True
    world.settle()
    assert decide(world.observe()).actions == ()
    assert [row.true_key for row in world.rows] == [B, A, A]
    world.suspend = False
    assert world.settle().at_rest
    assert {row.true_key for row in world.rows} == {B}


def test_suspend_holds_a_staged_key_back_from_writing() -> None:
    world = installed()
    world.suspend = True
    plan = edited(world, B, A).settle()
    assert world.readable == {A, B}, "the keyring is no part of what is suspended"
    assert world.write_key == A
    assert (plan.step, plan.reason) == (p.Step.STAGE, "Suspended")
    assert world.rotations == []


def test_suspend_with_nothing_to_do_changes_nothing() -> None:
    world = installed()
    world.suspend = True
    assert world.settle().at_rest
    assert world.reason("Ready") == "True Ready"


def test_what_waits_for_a_person_anyway_keeps_its_own_reason_while_suspended() -> None:
    world = installed()
    world.rows.append(Row(ALIEN, A))
    world.live.add(ALIEN)
    world.rows[-1].hint = ALIEN
    world.suspend = True
    edited(world, A).settle()
    plan = decide(world.observe())
    assert (plan.reason, plan.waits_for) == ("RollingKeyMissing", p.For.PERSON)


# --- rows that can't be read --------------------------------------------------------------------------------


def test_a_row_under_a_third_key_is_left_as_it_is_and_holds_up_nothing() -> None:
    world = installed()
    world.put_by_hand(Row(ALIEN))
    plan = edited(world, B, A).settle()
    assert world.write_key == B
    assert world.live == {B}
    assert world.rows[-1] == Row(ALIEN, None, "unknown")
    assert (plan.waits_for, plan.reason) == (p.For.PERSON, "UnknownKey")
    assert world.reason("DataUpToDate") == "False UnknownKey"
    assert world.reason("Ready") == "False UnknownKey"
    assert world.message("DataUpToDate") == (
        "1 row is under a key that is not known: `practicus-mfa verify` names them; put that key into "
        "secretStore.rollingKey, or clear them with `practicus-mfa users remove-mfa`."
    )


def test_a_corrupt_row_is_left_as_it_is_and_holds_up_nothing() -> None:
    world = installed()
    world.put_by_hand(Row(None, A))
    edited(world, B, A).settle()
    assert world.live == {B}
    assert world.rows[-1] == Row(None, None, "corrupt")
    assert world.reason("DataUpToDate") == "False CorruptRows"
    assert world.reason("Ready") == "False CorruptRows"
    assert world.message("DataUpToDate") == (
        "1 row is damaged or moved from another user: `practicus-mfa verify` names them; clear each "
        "with `practicus-mfa users remove-mfa`, or restore it from a backup."
    )


def test_corrupt_rows_are_told_before_unknown_ones() -> None:
    world = installed()
    world.put_by_hand(Row(ALIEN))
    world.put_by_hand(Row(None))
    world.settle()
    assert world.reason("DataUpToDate") == "False CorruptRows"


def test_rows_that_cannot_be_read_do_not_hold_up_the_next_rotation() -> None:
    world = installed()
    world.put_by_hand(Row(ALIEN))
    edited(world, B, A).settle()
    edited(world, A, B)
    world.allow_reverse = A
    world.settle()
    assert world.write_key == A
    assert world.live == {A}


def test_a_key_that_comes_as_the_rolling_key_heals_rows_that_were_unknown() -> None:
    world = installed()
    world.put_by_hand(Row(ALIEN))
    world.settle()
    edited(world, A, ALIEN)
    assert world.settle().at_rest
    assert {row.true_key for row in world.rows} == {A}
    assert world.reason("Ready") == "True Ready"


def test_rows_that_a_person_cleared_let_it_rest() -> None:
    world = installed()
    world.put_by_hand(Row(None))
    world.settle()
    del world.rows[-1]
    assert world.settle().at_rest
    assert world.reason("Ready") == "True Ready"
