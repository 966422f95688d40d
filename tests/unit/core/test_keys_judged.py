from __future__ import annotations

import pytest

from practicus_mfa.core import plan as p
from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import KeyReading, MalformedKey
from tests.support.world import World
from tests.support.world_parts import A, B, C
from tests.support.world_stories import edited, installed, promoted, rotated, staged

BAD_ACTIVE = MalformedKey("secretStore.activeKey has quotes around it: take them away.")
BAD_ROLLING = MalformedKey("secretStore.rollingKey is base64 of a key: give the key itself.")

EMPTY = (
    "secretStore.activeKey is empty: put the active key back, or make one with `practicus-mfa keys generate`."
)
SAME = (
    "secretStore.activeKey and rollingKey are the same key: empty rollingKey, or put the previous key there."
)


def held_still(world: World) -> None:
    """Nothing was lost and nothing was taken up: rows are read and written as before."""
    before = (world.keyring, world.write_key)
    world.settle()
    assert (world.keyring, world.write_key) == before
    rows = len(world.rows)
    world.enrol()
    assert len(world.rows) == rows + 1


@pytest.mark.parametrize(
    ("active", "rolling", "reason", "message"),
    [
        (
            None,
            None,
            "ActiveKeyMissing",
            EMPTY,
        ),
        (
            None,
            A,
            "ActiveKeyMissing",
            EMPTY,
        ),
        (BAD_ACTIVE, None, "MalformedKey", BAD_ACTIVE.why),
        (BAD_ACTIVE, A, "MalformedKey", BAD_ACTIVE.why),
        (A, BAD_ROLLING, "MalformedKey", BAD_ROLLING.why),
        (BAD_ACTIVE, BAD_ROLLING, "MalformedKey", f"{BAD_ACTIVE.why} {BAD_ROLLING.why}"),
        (
            B,
            B,
            "SameKey",
            SAME,
        ),
    ],
)
def test_a_fault_in_the_keys_is_named_and_harms_nothing(
    active: KeyReading, rolling: KeyReading, reason: str, message: str
) -> None:
    world = installed()
    world.active, world.rolling = active, rolling
    plan = world.settle()
    assert plan.waits_for is p.For.PERSON
    assert world.reason("KeysValid") == f"False {reason}"
    assert world.message("KeysValid") == message
    assert world.reason("Ready") == f"False {reason}"
    assert world.message("Ready") == message
    assert world.reason("DataUpToDate") == "True UpToDate"
    held_still(world)


def test_a_secret_that_was_deleted_is_named_and_harms_nothing() -> None:
    world = installed()
    world.secret_missing = True
    world.settle()
    assert world.reason("KeysValid") == "False SecretMissing"
    assert world.message("KeysValid") == (
        "Secret secret-store does not exist: create it with the keys activeKey and rollingKey."
    )
    held_still(world)


@pytest.mark.parametrize("expected", [(B, A), (B, None), (None, A), (A, B)])
def test_a_secret_that_is_behind_the_policy_is_waited_for(
    expected: tuple[KeyId | None, KeyId | None],
) -> None:
    world = installed()
    world.expected = expected
    plan = world.settle()
    assert plan.waits_for is p.For.MACHINE
    assert world.reason("KeysValid") == "False SecretStale"
    assert world.reason("Ready") == "False SecretStale"
    assert world.message("KeysValid") == (
        f"Secret secret-store does not hold the keys that the policy names (active {expected[0]}, rolling "
        f"{expected[1]}): apply both from the same values.yaml."
    )
    held_still(world)


def test_a_secret_that_holds_what_the_policy_names_is_valid() -> None:
    world = installed()
    world.expected = (A, None)
    assert world.settle().at_rest
    assert world.reason("KeysValid") == "True Valid"
    assert world.message("KeysValid") == "The keys are valid."


def test_a_stale_secret_says_nothing_about_keys_that_may_leave() -> None:
    world = installed()
    edited(world, B, A).settle()
    world.active, world.rolling, world.expected = B, None, (C, B)
    world.settle()
    assert world.readable == {A, B}


@pytest.mark.parametrize("keys", [(B, None), (C, B)], ids=["the line emptied", "the next rotation"])
def test_between_the_two_edits_of_an_upgrade_the_old_key_may_still_go(
    keys: tuple[KeyId, KeyId | None],
) -> None:
    # Helm changes the Secret, then the policy; the API server lets the second go by this condition alone.
    world = installed()
    edited(world, B, A).settle()
    assert world.reason("OldKeyRetirable") == "True Safe"
    edited(world, *keys).expected = (B, A)
    world.settle()
    assert world.reason("KeysValid") == "False SecretStale"
    assert world.reason("OldKeyRetirable") == "False NoRollingKey"


def test_keys_that_break_after_the_end_leave_a_retired_key_where_it_is() -> None:
    world = installed()
    edited(world, B, A).settle()
    world.active, world.rolling = BAD_ACTIVE, None
    world.settle()
    assert world.readable == {A, B}


def test_an_emptied_active_key_leaves_a_retired_key_that_is_no_longer_named_free_to_go() -> None:
    world = installed()
    edited(world, B, A).settle()
    world.active, world.rolling = None, None
    world.settle()
    assert world.readable == {B}


# --- while a key is staged, or after promotion ----------------------------------------------------------


def test_keys_that_break_while_a_key_is_staged_hold_the_promotion() -> None:
    world = staged(installed(), B)
    world.active = BAD_ACTIVE
    world.readers_follow = True
    plan = world.settle()
    assert world.write_key == A
    assert (plan.step, plan.reason) == (p.Step.VALIDATE, "MalformedKey")
    assert world.readable == {A, B}
    world.active = B
    assert world.settle().at_rest
    assert world.write_key == B


def test_keys_that_break_after_promotion_do_not_stop_the_migration() -> None:
    world = promoted(installed(), B)
    world.active = BAD_ACTIVE
    plan = world.settle()
    assert {row.true_key for row in world.rows} == {B}
    assert plan.reason == "MalformedKey"
    assert world.reason("DataUpToDate") == "True UpToDate"


# --- reversed keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rolling", [None, B])
def test_a_rollback_to_the_former_key_is_named_and_harms_nothing(rolling: KeyId | None) -> None:
    world = rotated(installed(), B)
    edited(world, A, rolling)
    plan = world.settle()
    assert plan.waits_for is p.For.PERSON
    assert world.reason("KeysValid") == "False ReversedKeys"
    assert world.message("KeysValid") == (
        f"secretStore.activeKey is the former key {A} (a rollback, or the two keys swapped): restore the "
        f'newer key {B}, or set migration.allowReverse to "{A}" to go back to it.'
    )
    assert world.write_key == B
    assert world.readable == {B}
    held_still(world)


def test_a_rollback_in_the_middle_of_the_migration_does_not_stop_it() -> None:
    world = promoted(installed(), B)
    edited(world, A)
    plan = world.settle()
    assert {row.true_key for row in world.rows} == {B}
    assert plan.reason == "ReversedKeys"


def test_allow_reverse_with_the_keys_id_lets_a_former_key_write_again() -> None:
    world = rotated(installed(), B)
    edited(world, A, B)
    world.allow_reverse = A
    assert world.settle().at_rest
    assert world.write_key == A
    assert {row.true_key for row in world.rows} == {A}
    assert world.reason("KeysValid") == "True Valid"


def test_allow_reverse_is_no_switch_it_permits_the_key_that_it_names() -> None:
    world = rotated(rotated(installed(), B), C)
    edited(world, A)
    world.allow_reverse = B
    world.settle()
    assert world.reason("KeysValid") == "False ReversedKeys"
    assert world.write_key == C


def test_allow_reverse_that_is_left_there_does_not_reverse_anything_later() -> None:
    world = rotated(installed(), B)
    world.allow_reverse = A
    assert world.settle().at_rest
    assert world.write_key == B


def test_keys_are_judged_without_a_database_as_far_as_they_can_be() -> None:
    world = rotated(installed(), B)
    edited(world, A)
    world.down = True
    assert world.reason("KeysValid") == "True Valid"
    world.active = BAD_ACTIVE
    assert world.reason("KeysValid") == "False MalformedKey"
