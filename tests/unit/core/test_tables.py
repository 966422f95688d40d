"""Other applications' tables: bare tokens, proved by trial, moved at a person's word or by lease."""

from __future__ import annotations

from dataclasses import replace

from practicus_mfa.core import plan as p
from practicus_mfa.core.decide import decide
from practicus_mfa.core.keyring import KeyId, KeyState
from practicus_mfa.core.observed import Mode
from tests.support.world import World
from tests.support.world_parts import ALIEN, OWN, A, B, C
from tests.support.world_stories import SPEC, TABLE, edited, rotated, with_table


def says(world: World, *, ready: KeyId | None = None, done: KeyId | None = None) -> World:
    """Let a person give their words for the table."""
    world.specs = (replace(SPEC, ready_for_key=ready, done_with_key=done),)
    return world


def worked_on(world: World) -> list[tuple[Mode, tuple[str, ...]]]:
    return [(action.mode, action.relations) for action in world.log if isinstance(action, p.Work)]


def waiting(world: World) -> World:
    """Let a rotation to B come as far as it can without a word for the table."""
    edited(world, B, A).settle()
    assert world.rotation
    return world


def test_a_table_that_was_never_looked_at_is_scanned_once() -> None:
    world = with_table()
    assert world.scanned == {TABLE: {A: 2}}
    rotations = len(world.rotations)
    assert world.settle().at_rest
    assert len(world.rotations) == rotations
    assert world.reason("Ready") == "True Ready"


def test_our_rows_rotate_while_the_table_waits_for_its_application() -> None:
    world = waiting(with_table())
    assert {row.true_key for row in world.rows} == {B}
    assert world.live == {B}
    assert world.tables == {TABLE: [A, A]}
    assert world.state_of(A) is KeyState.ROLLING
    plan = decide(world.observe())
    assert (plan.step, plan.waits_for, plan.reason) == (
        p.Step.RETIRE,
        p.For.PERSON,
        "WaitingForReaders",
    )
    assert plan.message == f"Table {TABLE}: once its application reads key {B}, set readyForKeyID to it."
    assert world.reason("ReadersConverged") == "False WaitingForReaders"
    assert world.reason("OldKeyRetirable") == "False ReadersRemain"
    assert world.message("ReadersConverged") == world.message("OldKeyRetirable") == plan.message
    assert world.reason("Ready") == "False WaitingForReaders"


def test_a_table_is_moved_once_its_application_is_said_to_read_the_new_key() -> None:
    world = says(waiting(with_table()), ready=B)
    plan = world.settle()
    assert world.tables == {TABLE: [B, B]}
    assert plan.message == (
        f"Table {TABLE}: once its application no longer writes key {A}, set doneWithKeyID to it."
    )
    assert world.state_of(A) is KeyState.ROLLING


def test_the_word_for_another_key_moves_nothing() -> None:
    world = says(waiting(with_table()), ready=A, done=A)
    plan = world.settle()
    assert world.tables == {TABLE: [A, A]}
    assert "readyForKeyID" in plan.message


def test_a_lease_of_the_application_is_as_good_as_the_word() -> None:
    world = waiting(with_table())
    world.readers[f"table:{TABLE}"] = world.readable
    world.settle()
    assert world.tables == {TABLE: [B, B]}


def test_a_lease_of_another_table_is_not() -> None:
    world = waiting(with_table())
    world.readers["table:app.others"] = world.readable
    world.readers[f"login:{TABLE}"] = world.readable
    world.settle()
    assert world.tables == {TABLE: [A, A]}


def test_a_lease_without_the_new_key_is_not() -> None:
    world = waiting(with_table())
    world.readers[f"table:{TABLE}"] = frozenset({A})
    world.settle()
    assert world.tables == {TABLE: [A, A]}


def test_both_words_end_the_rotation_and_the_old_key_may_go() -> None:
    world = says(waiting(with_table()), ready=B, done=A)
    assert world.settle().at_rest
    assert world.state_of(A) is KeyState.RETIRED
    assert world.reason("OldKeyRetirable") == "True Safe"
    assert world.reason("Ready") == "True Ready"


def test_done_without_ready_is_not_enough() -> None:
    world = says(waiting(with_table()), done=A)
    assert "readyForKeyID" in world.settle().message


def test_what_the_application_wrote_before_it_was_done_is_found_by_trial() -> None:
    world = says(waiting(with_table()), ready=B)
    world.settle()
    world.tables[TABLE].append(A)  # after the pass over it was finished
    says(world, ready=B, done=A)
    assert world.settle().at_rest
    assert world.tables == {TABLE: [B, B, B]}


def test_words_that_are_given_beforehand_let_it_run_through() -> None:
    world = says(edited(with_table(), B, A), ready=B, done=A)
    assert world.settle().at_rest
    assert worked_on(world)[-2:] == [(Mode.MIGRATE, (OWN, TABLE)), (Mode.VERIFY, (OWN, TABLE))]


def test_a_key_that_a_table_needs_is_never_unloaded_while_it_waits() -> None:
    world = waiting(with_table())
    edited(world, B).settle()
    assert world.readable == {A, B}
    assert world.message("OldKeyRetirable").endswith(
        f"Key {A} was removed from values.yaml too early; the keyring still has it."
    )


def test_a_newer_key_waits_until_the_table_has_its_words() -> None:
    world = waiting(with_table())
    edited(world, C, B).settle()
    assert world.write_key == B
    says(world, ready=B, done=A).settle()
    assert world.write_key == C
    says(world, ready=C, done=B)
    assert world.settle().at_rest
    assert world.tables == {TABLE: [C, C]}


def test_two_tables_are_each_asked_for_what_they_lack() -> None:
    world = with_table()
    world.tables["logs"] = [A]
    world.specs = (SPEC, replace(SPEC, table="logs", ready_for_key=B))
    plan = edited(world, B, A).settle()
    assert plan.message == (
        f"Table {TABLE}: once its application reads key {B}, set readyForKeyID to it. "
        f"Table logs: once its application no longer writes key {A}, set doneWithKeyID to it."
    )
    assert world.tables == {TABLE: [A, A], "logs": [B]}


def test_tokens_of_a_table_that_no_key_opens_are_told_and_hold_up_nothing() -> None:
    world = with_table()
    world.tables[TABLE].append(ALIEN)
    says(edited(world, B, A), ready=B, done=A)
    plan = world.settle()
    assert plan.reason == "UnknownKey"
    assert world.state_of(A) is KeyState.RETIRED
    assert world.reason("DataUpToDate") == "False UnknownKey"


def test_a_retired_key_that_unknown_tokens_of_a_table_may_need_is_tried_again() -> None:
    world = says(edited(with_table(), B, A), ready=B, done=A)
    world.settle()
    edited(world, B).settle()
    world.tables[TABLE].append(A)
    world.scanned[TABLE] = {B: 2, "unknown": 1}
    says(edited(world, B, A), ready=B, done=A)
    assert world.settle().at_rest
    assert world.tables == {TABLE: [B, B, B]}


def test_a_table_that_the_policy_names_no_more_is_none_of_ours() -> None:
    world = with_table()
    world.tables[TABLE].append(ALIEN)
    world.scanned[TABLE] = {A: 2, "unknown": 1}
    assert world.reason("Ready") == "False UnknownKey"
    world.specs = ()
    assert world.reason("Ready") == "True Ready"
    assert world.settle().at_rest


def test_a_table_that_comes_back_with_tokens_under_an_old_key_is_not_called_up_to_date() -> None:
    world = with_table()
    world.specs = ()
    tokens = world.tables.pop(TABLE)
    rotated(world, B)
    world.specs, world.tables = (SPEC,), {TABLE: tokens}
    world.excused.add(A)
    assert world.reason("Ready") != "True Ready"
    plan = world.settle()
    assert plan.reason == "UnknownKey", "its key was unloaded while nobody said that it is needed"
    says(edited(world, B, A), ready=B, done=A)
    assert world.settle().at_rest
    assert world.tables == {TABLE: [B, B]}
