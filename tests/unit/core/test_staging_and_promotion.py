from __future__ import annotations

import pytest

from practicus_mfa.core import plan as p
from practicus_mfa.core.decide import decide
from practicus_mfa.core.keyring import KeyId, KeyState
from tests.support.world import World
from tests.support.world_parts import A, B, C, D, Row
from tests.support.world_stories import edited, installed, promoted, rotated, staged


def promotions(world: World) -> list[KeyId]:
    return [action.to_key for action in world.log if isinstance(action, p.Promote)]


# --- stage ----------------------------------------------------------------------------------------------


def test_a_new_key_is_staged_for_reading_only() -> None:
    world = staged(installed(), B)
    assert world.state_of(B) is KeyState.STAGED
    assert world.state_of(A) is KeyState.ACTIVE
    world.enrol()
    assert world.rows[-1].true_key == A


def test_staging_is_done_again_after_a_crash_between_database_and_keyring() -> None:
    world = edited(installed(), B, A)
    generation = world.generation
    world.turn(crash_after=1)  # the generation is recorded, the keyring is not written
    assert world.generation == generation + 1
    assert world.readable == {A}
    assert world.settle().at_rest
    assert world.write_key == B


def test_the_targets_id_is_recorded_with_the_rotation() -> None:
    world = staged(installed(), B)
    assert world.current.to_key == B
    assert world.current.from_key == A


def test_each_generation_is_above_the_highest_that_the_database_knows() -> None:
    world = installed()
    world.generation = 40
    edited(world, B, A).turn()
    assert world.keyring
    assert world.keyring.generation == 41


def test_a_new_generation_is_brought_to_the_readers_at_once() -> None:
    world = edited(installed(), B, A)
    plan = world.turn()
    assert world.keyring
    assert plan.actions[-1] == p.NudgeReaders(world.keyring.generation)


# --- converge -------------------------------------------------------------------------------------------


def test_a_reader_that_lags_holds_up_the_promotion() -> None:
    world = staged(installed(), B)
    plan = decide(world.observe())
    assert (plan.step, plan.waits_for, plan.reason) == (
        p.Step.CONVERGE,
        p.For.MACHINE,
        "WaitingForReaders",
    )
    assert world.keyring
    assert plan.actions == (p.NudgeReaders(world.keyring.generation),)
    assert world.reason("ReadersConverged") == "False WaitingForReaders"
    assert world.reason("Ready") == "False WaitingForReaders"
    assert world.reason("Reconciling") == "True WaitingForReaders"
    assert world.message("ReadersConverged") == (
        f"2 of 2 readers can't read with every key of keyring generation {world.keyring.generation} yet: "
        "login-0, login-1."
    )


def test_one_reader_of_many_that_lags_is_enough() -> None:
    world = staged(installed(), B)
    world.readers["login-0"] = world.readable
    world.settle()
    assert world.write_key == A
    assert "1 of 2 readers" in world.message("ReadersConverged")
    assert "login-0" not in world.message("ReadersConverged")


def test_five_readers_that_lag_are_named_and_the_rest_is_counted() -> None:
    world = staged(installed(readers=7), B)
    assert world.message("ReadersConverged").endswith(
        "login-0, login-1, login-2, login-3, login-4 and 2 more."
    )
    world = staged(installed(readers=5), B)
    assert world.message("ReadersConverged").endswith("login-0, login-1, login-2, login-3, login-4.")


def test_readers_that_caught_up_let_the_key_write() -> None:
    world = staged(installed(), B)
    world.refresh_readers()
    assert world.settle().at_rest
    assert promotions(world) == [B]


def test_a_reader_that_died_without_a_word_holds_up_nothing_once_its_lease_has_expired() -> None:
    world = staged(installed(), B)
    world.readers["login-0"] = world.readable
    del world.readers["login-1"]
    assert world.settle().at_rest
    assert world.write_key == B


def test_without_login_replicas_a_rotation_runs_through() -> None:
    world = edited(installed(readers=0), B, A)
    assert world.settle().at_rest
    assert world.message("ReadersConverged") == "No reader holds a lease."


def test_readers_that_can_read_with_every_key_in_use_are_counted() -> None:
    world = installed()
    assert world.reason("ReadersConverged") == "True Converged"
    assert world.message("ReadersConverged") == "All 2 readers can read with every key in use."
    assert installed(readers=1).message("ReadersConverged") == "The reader can read with every key in use."


def test_a_reader_that_lags_with_no_rotation_under_way_is_still_told() -> None:
    world = installed()
    world.readers["login-1"] = frozenset()
    plan = decide(world.observe())
    assert plan.reason == "WaitingForReaders"
    assert world.reason("Ready") == "False WaitingForReaders"


def test_a_reader_need_not_read_with_a_retired_key() -> None:
    world = installed()
    edited(world, B, A).settle()
    assert world.state_of(A) is KeyState.RETIRED
    world.readers["login-1"] = frozenset({B})
    assert decide(world.observe()).at_rest
    assert world.reason("ReadersConverged") == "True Converged"


# --- promote --------------------------------------------------------------------------------------------


def test_promotion_is_one_act_and_the_key_that_wrote_becomes_rolling() -> None:
    world = edited(installed(), B, A)
    plan = world.turn_until(p.Promote)
    assert plan.step is p.Step.PROMOTE
    assert plan.actions == (p.Promote(world.current.id, B),)
    world.turn()
    assert world.write_key == B
    world.turn()
    assert world.state_of(A) is KeyState.ROLLING
    assert world.state_of(B) is KeyState.ACTIVE


@pytest.mark.parametrize("crash_after", range(12))
def test_an_operator_killed_at_any_write_of_a_rotation_goes_on(crash_after: int) -> None:
    world = edited(installed(), B, A)
    for _ in range(crash_after):
        world.turn(crash_after=1)
        world.work_on()
    world.turn(crash_after=0)
    assert world.settle().at_rest
    assert {row.true_key for row in world.rows} == {B}
    assert promotions(world) == [B]


def test_a_reader_that_lags_after_promotion_does_not_hold_up_the_rows() -> None:
    world = promoted(installed(), B)
    world.readers_follow = False
    world.readers["login-9"] = frozenset({A})
    world.settle()
    assert {row.true_key for row in world.rows} == {B}


# --- edits that come before a rotation is over -----------------------------------------------------------


def test_a_newer_edit_before_promotion_replaces_the_target() -> None:
    world = staged(installed(), B)
    edited(world, C, A)
    world.settle()
    assert world.current.to_key == C
    assert world.readable == {A, C}, "nothing was written under B: it needs no proof to leave"
    world.refresh_readers()
    world.readers_follow = True
    assert world.settle().at_rest
    assert promotions(world) == [C]
    assert len(world.rotations) == 1


def test_an_edit_back_to_the_present_key_before_promotion_ends_without_a_promotion() -> None:
    world = staged(installed(), B)
    edited(world, A)
    world.readers_follow = True
    assert world.settle().at_rest
    assert promotions(world) == []
    assert world.write_key == A
    assert world.readable == {A}
    assert world.reason("Ready") == "True Ready"


def test_a_target_that_was_replaced_and_is_named_as_rolling_stays_until_it_is_proved() -> None:
    world = staged(installed(), B)
    edited(world, C, B)
    world.settle()
    assert world.state_of(B) is KeyState.ROLLING
    world.readers_follow = True
    assert world.settle().at_rest
    assert world.write_key == C
    assert world.state_of(B) is KeyState.RETIRED


def test_a_newer_edit_after_promotion_queues_behind_the_rotation() -> None:
    world = promoted(installed(), B)
    edited(world, C, B)
    world.turn()
    assert world.message("DataUpToDate") == (
        f"3 rows are still to be brought under key {B}. Key {C} is next."
    )
    assert world.settle().at_rest
    assert promotions(world) == [B, C]
    assert [rotation.to_key for rotation in world.rotations] == [B, C]


def test_a_to_b_to_c_within_seconds_loses_no_row() -> None:
    world = installed()
    edited(world, B, A).turn()
    edited(world, C, B)
    assert world.settle().at_rest
    assert {row.true_key for row in world.rows} == {C}
    assert world.reason("Ready") == "True Ready"


def test_each_enrolment_during_a_rotation_is_under_the_key_that_writes_and_ends_under_the_new_one() -> None:
    world = edited(installed(), B, A)
    for _ in range(15):
        world.turn()
        world.enrol()
        world.work_on(rows=2)
    assert world.settle().at_rest
    assert len(world.rows) == 18
    assert {row.true_key for row in world.rows} == {B}


# --- a rolling key beside the active key that writes ------------------------------------------------------


def test_a_rolling_key_that_is_new_joins_for_reading_and_rows_are_tried_with_it() -> None:
    world = installed()
    world.put_by_hand(Row(D, fault="unknown"))
    edited(world, A, D)
    assert world.settle().at_rest
    assert promotions(world) == []
    assert {row.true_key for row in world.rows} == {A}
    assert world.state_of(D) is KeyState.RETIRED
    assert world.reason("Ready") == "True Ready"


def test_readers_converge_on_a_rolling_key_before_rows_are_tried_with_it() -> None:
    world = installed()
    world.readers_follow = False
    plan = edited(world, A, D).settle()
    assert plan.reason == "WaitingForReaders"
    assert not any(isinstance(action, p.Work) for action in world.log)
    assert world.reason("DataUpToDate") == "False Verifying"


def test_a_rolling_key_that_is_retired_and_needed_by_no_row_starts_nothing() -> None:
    world = rotated(installed(), B)
    rotations = len(world.rotations)
    edited(world, B, A)
    assert world.settle().at_rest
    assert len(world.rotations) == rotations
    assert world.readable == {B}
    assert world.reason("OldKeyRetirable") == "True Safe"


def test_a_rolling_key_that_comes_while_rows_are_moved_waits_for_the_end() -> None:
    world = promoted(installed(), B)
    world.turn()
    edited(world, B, D)
    world.turn()
    assert world.readable == {A, B}
    assert world.reason("OldKeyRetirable") == "False RowsRemain"
    assert world.settle().at_rest
    assert world.state_of(D) is KeyState.RETIRED
