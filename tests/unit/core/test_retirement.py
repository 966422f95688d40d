from __future__ import annotations

from practicus_mfa.core import plan as p
from practicus_mfa.core.decide import decide
from practicus_mfa.core.keyring import KeyState
from practicus_mfa.core.observed import Mode
from tests.support.world import World
from tests.support.world_parts import ALIEN, OWN, A, B, C, D, Row
from tests.support.world_stories import edited, installed, promoted, rotated


def verified(world: World) -> World:
    """Let a rotation from A to B run until the fence is about to be closed."""
    promoted(world, B).turn_until(p.RetireKeys)
    return world


def test_the_fence_closes_behind_the_old_key_once_every_row_was_tried() -> None:
    world = verified(installed())
    plan = decide(world.observe())
    assert plan.step is p.Step.RETIRE
    assert plan.actions == (p.RetireKeys(world.current.id, frozenset({A})),)
    assert world.current.finished == {(OWN, Mode.MIGRATE): True, (OWN, Mode.VERIFY): True}
    world.turn()
    assert world.live == {B}


def test_the_old_key_may_be_removed_from_values_yaml_when_it_is_retired_and_not_before() -> None:
    world = verified(installed())
    world.turn()
    assert world.state_of(A) is KeyState.ROLLING
    assert world.reason("OldKeyRetirable") == "False RowsRemain"
    assert world.message("OldKeyRetirable") == f"Rows may still need key {A}."
    world.settle()
    assert world.reason("OldKeyRetirable") == "True Safe"
    assert world.message("OldKeyRetirable") == f"No row needs key {A}: it may be removed from values.yaml."


def test_the_key_that_writes_is_in_use_while_another_is_about_to() -> None:
    world = installed()
    world.readers_follow = False
    edited(world, B, A).settle()
    assert world.reason("OldKeyRetirable") == "False RowsRemain"
    assert world.message("OldKeyRetirable") == f"Rows may still need key {A}."


def test_a_retired_key_stays_readable_until_values_yaml_no_longer_names_it() -> None:
    world = edited(installed(), B, A)
    world.settle()
    assert world.state_of(A) is KeyState.RETIRED
    plan = edited(world, B).turn()
    assert plan.step is p.Step.UNLOAD
    assert world.readable == {B}
    assert world.archive == {A}
    assert world.settle().at_rest
    assert world.reason("OldKeyRetirable") == "False NoRollingKey"
    assert world.message("OldKeyRetirable") == "No rolling key is in use."


def test_a_rolling_key_removed_early_stays_in_the_keyring_and_is_named() -> None:
    world = promoted(installed(), B)
    edited(world, B)
    world.turn()
    assert world.readable == {A, B}
    assert world.reason("OldKeyRetirable") == "False RowsRemain"
    assert world.message("OldKeyRetirable") == (
        f"Rows may still need key {A}. Key {A} was removed from values.yaml too early; the keyring still "
        "has it."
    )


def test_a_rolling_key_removed_early_is_unloaded_by_itself_when_no_row_needs_it() -> None:
    world = promoted(installed(), B)
    edited(world, B)
    assert world.settle().at_rest
    assert {row.true_key for row in world.rows} == {B}
    assert world.readable == {B}
    assert world.reason("Ready") == "True Ready"


def test_between_the_promotion_and_the_next_generation_the_key_that_wrote_is_in_use() -> None:
    world = edited(installed(), B)
    world.turn_until(p.Promote)
    world.turn()
    assert world.state_of(A) is KeyState.ACTIVE, "the keyring does not know of the promotion yet"
    assert world.reason("OldKeyRetirable") == "False RowsRemain"


def test_a_key_that_the_fence_lets_through_stays_whatever_else_is_said_of_it() -> None:
    world = edited(installed(), B, A)
    world.settle()
    world.live.add(A)
    edited(world, B).turn()
    assert A in world.readable


def test_a_rolling_key_that_is_about_to_write_is_not_called_staged() -> None:
    world = installed()
    world.put_by_hand(Row(D, fault="unknown"))
    edited(world, A, D).turn()
    edited(world, D, A).turn()
    assert world.state_of(D) is KeyState.ROLLING, "else it could leave although rows were read with it"
    edited(world, A)
    assert world.settle().at_rest
    assert {row.true_key for row in world.rows} == {A}


def test_a_staged_key_that_rows_turn_out_to_need_is_rolling() -> None:
    world = installed(readers=1)
    world.live.add(D)
    world.rows.append(Row(D, D))
    world.readers_follow = False
    edited(world, D, A).settle()
    assert world.state_of(D) is KeyState.STAGED
    edited(world, C, A).turn()
    assert world.state_of(D) is KeyState.ROLLING


def test_an_active_key_replaced_without_being_named_as_rolling_loses_no_row() -> None:
    world = edited(installed(), B)
    world.turn()
    assert f"Key {A} was removed from values.yaml too early" in world.message("OldKeyRetirable")
    assert world.settle().at_rest
    assert {row.true_key for row in world.rows} == {B}


def test_a_secret_that_is_gone_says_nothing_about_keys_removed_early() -> None:
    world = promoted(installed(), B)
    world.secret_missing = True
    assert world.message("OldKeyRetirable") == f"Rows may still need key {A}."


def test_a_retired_key_waits_for_rows_that_nobody_tried_yet() -> None:
    world = edited(installed(), B, A)
    world.settle()
    world.put_by_hand(Row(A))
    world.suspend = True
    edited(world, B).settle()
    assert world.readable == {A, B}
    world.suspend = False
    assert world.settle().at_rest
    assert world.readable == {B}
    assert world.rows[-1].true_key == B


def test_a_rolling_key_that_waits_to_be_tried_may_not_be_removed_yet() -> None:
    world = installed()
    world.put_by_hand(Row(ALIEN))
    world.turn_until(p.Work)
    world.turn()
    edited(world, A, ALIEN)
    assert world.readable == {A}
    assert world.reason("OldKeyRetirable") == "False RowsRemain"
    assert world.settle().at_rest
    assert world.reason("OldKeyRetirable") == "True Safe"


def test_each_key_that_a_rotation_rotated_away_is_retired() -> None:
    world = installed()
    world.put_by_hand(Row(D))
    edited(world, B, D)
    assert world.settle().at_rest
    assert world.retired == {A, D}
    assert {row.true_key for row in world.rows} == {B}


def test_a_retired_key_that_writes_again_is_no_longer_retired() -> None:
    world = rotated(installed(), B)
    world.allow_reverse = A
    rotated(world, A)
    assert world.retired == {B}
    assert world.state_of(A) is KeyState.ACTIVE


# --- a retired key returns ----------------------------------------------------------------------------------


def test_a_retired_key_that_unknown_rows_may_need_is_tried_again() -> None:
    world = rotated(installed(), B)
    world.put_by_hand(Row(A))
    world.settle()
    assert world.rows[-1].fault == "unknown"
    plan = edited(world, B, A).turn()
    assert plan.actions == (p.ReviveKey(A),)
    assert world.settle().at_rest
    assert world.rows[-1].true_key == B
    assert world.reason("Ready") == "True Ready"


def test_a_retired_key_that_opens_none_of_the_unknown_rows_is_tried_once() -> None:
    world = rotated(rotated(installed(), B), C)
    world.put_by_hand(Row(A))
    world.settle()
    edited(world, C, B).settle()
    rotations = len(world.rotations)
    plan = world.settle()
    assert plan.reason == "UnknownKey"
    assert len(world.rotations) == rotations
    assert world.state_of(B) is KeyState.RETIRED
