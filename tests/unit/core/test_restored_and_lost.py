from __future__ import annotations

from dataclasses import replace

import pytest

from practicus_mfa.core import plan as p
from practicus_mfa.core.decide import decide
from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.core.observed import Mode
from tests.support.world import World
from tests.support.world_parts import OTHER, OWN, A, B, C, D, Row
from tests.support.world_stories import edited, installed, promoted, rotated, staged


def is_healed(world: World, key: str) -> None:
    assert {row.true_key for row in world.rows} == {key}
    assert world.reason("Ready") == "True Ready"


# --- the keyring is lost ----------------------------------------------------------------------------------


def test_a_lost_keyring_is_rebuilt_where_the_secret_holds_every_key_that_rows_need() -> None:
    world = installed()
    world.lose_the_keyring()
    assert world.settle().at_rest
    assert world.readable == {A}
    assert world.state_of(A) is KeyState.ACTIVE


def test_a_rebuilt_keyring_has_a_generation_above_the_highest_ever() -> None:
    world = installed()
    world.generation = 40
    world.lose_the_keyring()
    world.turn()
    assert world.keyring
    assert world.keyring.generation == 41


@pytest.mark.parametrize("finished", [True, False])
def test_a_keyring_lost_in_the_middle_of_a_migration_is_rebuilt_with_both_keys(finished: bool) -> None:
    world = promoted(installed(), B)
    world.turn()
    world.work_on(rows=3 if finished else 1)
    world.lose_the_keyring()
    world.turn()
    assert world.readable == {A, B}
    world.settle()
    is_healed(world, B)


def test_a_keyring_lost_while_a_key_is_staged_is_rebuilt_and_the_rotation_goes_on() -> None:
    world = staged(installed(), B)
    world.lose_the_keyring()
    world.readers_follow = True
    assert world.settle().at_rest
    is_healed(world, B)


def test_a_lost_keyring_whose_keys_the_secret_no_longer_holds_is_not_rebuilt() -> None:
    world = installed()
    edited(world, B)
    world.lose_the_keyring()
    plan = world.settle()
    assert world.keyring is None
    assert (plan.step, plan.waits_for, plan.reason) == (
        p.Step.VALIDATE,
        p.For.PERSON,
        "RollingKeyMissing",
    )
    assert world.reason("DataUpToDate") == "False RollingKeyMissing"
    assert world.reason("Ready") == "False RollingKeyMissing"
    assert world.message("Ready") == world.message("DataUpToDate") == plan.message
    assert plan.message == (
        f"The keyring is lost and rows need key {A}, which secretStore does not hold: put key {A} into "
        "rollingKey (the keyring's archive or a backup of values.yaml may have it; where nobody has it any "
        "more, `practicus-mfa recover --keys-lost`)."
    )
    edited(world, B, A)
    assert world.settle().at_rest
    is_healed(world, B)


def test_a_lost_keyring_with_zero_users_still_needs_the_key_that_writes() -> None:
    world = installed(rows=0)
    edited(world, B)
    world.lose_the_keyring()
    assert world.settle().reason == "RollingKeyMissing"


def test_two_keys_that_rows_need_are_asked_for_in_both_fields() -> None:
    world = promoted(installed(), B)
    world.turn()
    world.work_on(rows=1)
    edited(world, C)
    world.lose_the_keyring()
    plan = world.settle()
    assert plan.message == (
        f"The keyring is lost and rows need key {A}, {B}, which secretStore does not hold: set activeKey to "
        f"key {B} and rollingKey to key {A} (the keyring's archive or a backup of values.yaml may have it; "
        "where nobody has it any more, `practicus-mfa recover --keys-lost`)."
    )
    edited(world, C, A)
    assert "set activeKey" in world.settle().message, "one of the two is not enough"
    edited(world, B, A)
    assert world.settle().at_rest
    is_healed(world, B)


def test_more_keys_than_the_secret_can_hold_need_the_keyring_itself() -> None:
    world = promoted(installed(), B)
    world.rows.append(Row(D, D))
    world.live.add(D)
    world.lose_the_keyring()
    plan = world.settle()
    assert plan.message == (
        f"The keyring is lost and rows need key {D}, which secretStore does not hold: restore the keyring "
        "itself from a backup, for secretStore can't hold as many keys (the keyring's archive or a backup of "
        "values.yaml may have it; where nobody has it any more, `practicus-mfa recover --keys-lost`)."
    )


def test_a_lost_keyring_is_rebuilt_from_reversed_keys_too() -> None:
    world = rotated(installed(), B)
    edited(world, A, B)
    world.lose_the_keyring()
    world.settle()
    assert world.state_of(B) is KeyState.ACTIVE
    assert world.reason("KeysValid") == "False ReversedKeys"


def test_a_lost_keyring_with_a_malformed_secret_is_not_rebuilt() -> None:
    world = installed()
    world.secret_missing = True
    world.lose_the_keyring()
    assert world.settle().reason == "RollingKeyMissing"
    assert world.keyring is None


# --- the database is restored -------------------------------------------------------------------------------


def test_a_restored_database_is_told_the_generation_and_every_row_is_looked_at() -> None:
    world = installed()
    backup = world.back_up()
    edited(world, A, D).settle()
    edited(world, A).settle()
    assert world.keyring
    generation = world.keyring.generation
    world.restore(backup)
    assert world.turn().actions == (p.StartRotation(A), p.RecordGeneration(generation))
    assert world.settle().at_rest
    assert [action.mode for action in world.log if isinstance(action, p.Work)][-2:] == [
        Mode.MIGRATE,
        Mode.VERIFY,
    ]
    is_healed(world, A)


def test_an_operator_killed_before_the_generation_is_recorded_comes_there_again() -> None:
    world = installed()
    backup = world.back_up()
    edited(world, A, D).settle()
    world.restore(backup)
    world.turn(crash_after=1)
    assert len([r for r in world.rotations if not r.completed]) == 1
    plan = world.turn()
    assert [type(action) for action in plan.actions] == [p.RecordGeneration]


def test_a_database_restored_while_the_keyring_has_the_old_key_is_brought_under_the_new_one() -> None:
    world = installed()
    backup = world.back_up()
    edited(world, B, A).settle()
    world.restore(backup)
    assert world.settle().at_rest
    is_healed(world, B)


def test_a_database_restored_to_a_key_that_was_unloaded_names_it_and_heals_when_it_comes_back() -> None:
    world = installed()
    backup = world.back_up()
    rotated(world, B)
    world.restore(backup)
    plan = world.settle()
    assert (plan.step, plan.waits_for, plan.reason) == (
        p.Step.MIGRATE,
        p.For.PERSON,
        "RollingKeyMissing",
    )
    assert world.write_key == B, "log-ins that enrol go on with a key that can be read"
    assert [row.true_key for row in world.rows] == [A, A, A]
    assert world.reason("DataUpToDate") == "False RollingKeyMissing"
    assert world.reason("OldKeyRetirable") == "False RowsRemain"
    assert plan.message == world.message("DataUpToDate") == world.message("Ready")
    assert plan.message == (
        f"3 rows need key {A}, which is in neither the keyring nor secretStore: put it into rollingKey (the "
        "keyring's archive or a backup of values.yaml has it), or clear them with "
        "`practicus-mfa users remove-mfa`."
    )
    edited(world, B, A)
    assert world.settle().at_rest
    is_healed(world, B)


def partly_lost() -> World:
    """Return an installation one of whose rows needs a key that nobody has, before a rotation to B."""
    world = installed()
    world.put_by_hand(Row(D, D))
    world.live.add(D)
    return edited(world, B, A)


def test_rows_that_can_be_moved_are_moved_although_others_need_a_lost_key() -> None:
    world = partly_lost()
    plan = world.settle()
    assert [row.true_key for row in world.rows] == [B, B, B, D]
    assert (plan.step, plan.waits_for, plan.reason) == (p.Step.MIGRATE, p.For.PERSON, "RollingKeyMissing")
    assert world.reason("Ready") == "False RollingKeyMissing"
    assert D in world.message("Ready")
    assert world.live == {A, B, D}, "nothing is retired before every row was tried"
    assert world.readable == {A, B}
    edited(world, B, D)
    assert world.settle().at_rest
    edited(world, B).settle()
    is_healed(world, B)


def test_a_row_that_needs_a_lost_key_is_tried_once_and_not_again_and_again() -> None:
    world = partly_lost()
    world.settle()
    world.settle()
    assert len([action for action in world.log if isinstance(action, p.Work)]) == 1


def test_rows_whose_key_is_lost_may_be_cleared_instead() -> None:
    world = partly_lost()
    assert world.settle().message.endswith("or clear them with `practicus-mfa users remove-mfa`.")
    world.rows.pop()
    assert world.settle().at_rest
    is_healed(world, B)


def test_two_keys_that_a_restored_database_needs_may_come_back_one_after_the_other() -> None:
    world = promoted(installed(), B)
    world.turn()
    world.work_on(rows=1)
    backup = world.back_up()
    world.settle()
    rotated(world, C)
    world.restore(backup)
    plan = world.settle()
    assert plan.message.startswith(f"3 rows need key {A}, {B}, which is in neither")
    edited(world, C, A)
    plan = world.settle()
    assert plan.message.startswith(f"1 row needs key {B}, which is in neither")
    edited(world, C, B)
    assert world.settle().at_rest
    is_healed(world, C)


def test_a_rotation_of_the_backup_whose_key_is_lost_is_given_up() -> None:
    world = promoted(installed(), B)
    backup = world.back_up()
    world.settle()
    rotated(world, C)
    world.generation = world.keyring.generation if world.keyring else 0
    world.restore(replace(backup, generation=world.generation))
    plan = world.turn()
    assert plan.actions == (p.CompleteRotation(backup.rotations[-1].id, frozenset()),)
    plan = world.settle()
    assert world.write_key == C
    assert plan.reason == "RollingKeyMissing"
    edited(world, C, A)
    assert world.settle().at_rest
    is_healed(world, C)


def test_what_a_rotation_of_the_backup_had_proved_is_proved_again() -> None:
    world = promoted(installed(), B)
    world.turn_until(p.RetireKeys)
    assert world.current.finished[OWN, Mode.VERIFY]
    backup = world.back_up()
    world.settle()
    edited(world, C, B).settle()
    world.restore(backup)
    plan = world.turn()
    assert plan.actions == (p.CompleteRotation(backup.rotations[-1].id, frozenset()),)
    assert world.settle().at_rest
    is_healed(world, C)


def test_a_key_in_use_is_in_use_although_the_backup_calls_it_retired() -> None:
    world = rotated(installed(), B)
    world.allow_reverse = A
    rotated(world, A)
    backup = world.back_up()
    assert backup.retired == {B}
    world.allow_reverse = B
    edited(world, B, A).settle()
    world.restore(backup)
    plan = world.turn()
    assert plan.actions[0] == p.ReviveKey(B)
    world.active, world.rolling = D, None
    world.turn_until(p.Promote)
    assert B in world.readable


def test_a_restored_database_whose_key_is_gone_goes_on_with_the_keyrings_key_whatever_the_secret() -> None:
    world = installed()
    backup = world.back_up()
    rotated(world, B)
    world.restore(backup)
    world.active = None
    plan = world.settle()
    assert world.write_key == B
    assert plan.reason == "RollingKeyMissing"
    assert world.reason("KeysValid") == "False ActiveKeyMissing"


def test_a_write_key_that_only_the_secret_holds_is_read_with_again_although_the_secret_is_bad() -> None:
    world = installed()
    backup = world.back_up()
    rotated(world, B)
    world.restore(backup)
    world.active, world.rolling = None, A
    assert world.settle().reason == "ActiveKeyMissing"
    assert world.rotation is None
    assert world.write_key == A
    assert {row.true_key for row in world.rows} == {A}


def test_an_absent_key_that_comes_back_in_a_bad_secret_is_read_with_again() -> None:
    world = installed()
    backup = world.back_up()
    rotated(world, B)
    world.restore(backup)
    assert world.settle().reason == "RollingKeyMissing"
    world.active, world.rolling = None, A
    assert world.settle().reason == "ActiveKeyMissing"
    assert {row.true_key for row in world.rows} == {B}


def test_a_target_is_not_dropped_for_a_write_key_that_nobody_has() -> None:
    world = installed()
    backup = world.back_up()
    rotated(world, B)
    world.restore(backup)
    world.readers_follow = False
    edited(world, C).settle()
    world.keyring = (
        Keyring(world.keyring.generation, {B: KeyState.ROLLING, C: KeyState.STAGED})
        if (world.keyring)
        else None
    )
    world.active = None
    world.settle()
    assert world.current.to_key == C
    world.readers_follow = True
    world.settle()
    assert world.write_key == C


def test_an_old_secret_restored_with_its_database_puts_the_old_key_to_work_again() -> None:
    world = installed()
    backup = world.back_up()
    rotated(world, B)
    world.restore(backup)
    edited(world, A)
    assert world.settle().at_rest
    is_healed(world, A)


def test_an_empty_database_under_an_old_keyring_is_a_first_install_with_its_key() -> None:
    world = installed()
    fresh = World(active=A, keyring=world.keyring)
    assert fresh.settle().at_rest
    assert fresh.write_key == A
    assert fresh.generation >= (world.keyring.generation if world.keyring else 0)


def test_an_empty_database_under_an_old_keyring_goes_on_although_the_secret_is_bad() -> None:
    world = installed()
    fresh = World(active=None, keyring=world.keyring)
    assert fresh.settle().reason == "ActiveKeyMissing"
    assert fresh.write_key == A
    assert fresh.state_of(A) is KeyState.ACTIVE


# --- whose database it is -----------------------------------------------------------------------------------


def test_a_second_policy_on_the_same_database_changes_nothing() -> None:
    world = installed()
    world.claim = OTHER
    edited(world, B, A)
    keyring = world.keyring
    plan = world.settle()
    assert (plan.step, plan.waits_for, plan.reason) == (
        p.Step.VALIDATE,
        p.For.PERSON,
        "ClaimedByOther",
    )
    assert plan.actions == ()
    assert (world.keyring, world.write_key) == (keyring, A)
    assert world.reason("Stalled") == "True ClaimedByOther"
    assert world.reason("Ready") == "False ClaimedByOther"
    assert world.message("Stalled") == (
        "The database belongs to policy n/other of cluster c: use another database, or annotate this policy "
        "with mfa.practicus.ai/adopt=true to take it over."
    )


@pytest.mark.parametrize("field", ["cluster", "namespace", "policy"])
def test_a_policy_renamed_or_restored_in_another_cluster_is_another_policy(field: str) -> None:
    world = installed()
    assert world.claim
    world.claim = replace(world.claim, **{field: "before"})  # type: ignore[arg-type]
    assert world.settle().reason == "ClaimedByOther"


def test_adopting_takes_over_with_a_higher_epoch() -> None:
    world = installed()
    world.claim = OTHER
    world.adopt = True
    assert world.settle().at_rest
    assert world.claim.policy == "p"
    assert world.claim.epoch == OTHER.epoch + 1


def test_the_first_claim_has_epoch_one() -> None:
    world = World()
    plan = decide(world.observe())
    (take,) = plan.actions
    assert isinstance(take, p.TakeClaim)
    assert take.claim.epoch == 1


# --- the database is out of reach ---------------------------------------------------------------------------


@pytest.mark.parametrize("keyring", [True, False])
def test_without_the_database_no_keyring_is_made_or_changed(keyring: bool) -> None:
    world = installed()
    if not keyring:
        world.lose_the_keyring()
    edited(world, B, A)
    world.down = True
    before = world.keyring
    plan = world.turn()
    assert (plan.actions, plan.waits_for, plan.reason) == ((), p.For.MACHINE, "DatabaseUnreachable")
    assert plan.message == "no answer"
    assert world.keyring == before
