from __future__ import annotations

import pytest

from practicus_mfa.core import plan as p
from practicus_mfa.core.keyring import KeyState
from practicus_mfa.core.observed import MalformedKey
from tests.support.world import World
from tests.support.world_parts import A, B, Row
from tests.support.world_stories import installed


def kinds(world: World) -> list[str]:
    return [type(action).__name__ for action in world.log]


def test_a_first_install_ends_ready_with_the_active_key_writing() -> None:
    world = World(active=A)
    plan = world.settle()
    assert plan.at_rest
    assert world.write_key == A
    assert world.keyring
    assert dict(world.keyring.states) == {A: KeyState.ACTIVE}
    assert world.reason("Ready") == "True Ready"
    assert world.reason("DataUpToDate") == "True UpToDate"
    assert world.reason("OldKeyRetirable") == "False NoRollingKey"


def test_the_claim_comes_first_then_the_keyring_then_the_write_key() -> None:
    world = World(active=A)
    world.settle()
    assert kinds(world) == ["TakeClaim", "WriteKeyring", "SetFirstWriteKey", "WriteKeyring", "NudgeReaders"]


def test_a_first_install_without_users_starts_no_rotation() -> None:
    world = World(active=A)
    world.settle()
    assert world.rotations == []


def test_without_readers_the_active_key_writes_and_the_rolling_key_is_migrated_away() -> None:
    world = World(active=B, rolling=A, rows=[Row(A), Row(A)])
    assert world.settle().at_rest
    assert world.write_key == B
    assert [row.true_key for row in world.rows] == [B, B]
    assert world.state_of(A) is KeyState.RETIRED
    assert world.reason("OldKeyRetirable") == "True Safe"


def test_beside_readers_the_key_that_opens_the_rows_writes_until_all_can_read_the_new_one() -> None:
    world = World(active=B, rolling=A, rows=[Row(A), Row(A)], readers={"login-0": frozenset()})
    world.turn_until(p.SetFirstWriteKey)
    world.turn()
    assert world.write_key == A
    assert world.settle().at_rest
    assert world.write_key == B
    assert any(isinstance(action, p.Promote) for action in world.log)


def test_beside_readers_the_active_key_writes_where_it_opens_as_many_rows() -> None:
    world = World(active=B, rolling=A, rows=[Row(A), Row(B)], readers={"login-0": frozenset()})
    plan = world.turn_until(p.SetFirstWriteKey)
    assert plan.actions == (p.SetFirstWriteKey(B),)


@pytest.mark.parametrize("rows", [[], [Row(None)]])
def test_beside_readers_the_active_key_writes_where_no_row_says_otherwise(rows: list[Row]) -> None:
    world = World(active=B, rolling=A, rows=rows, readers={"login-0": frozenset()})
    assert world.turn_until(p.SetFirstWriteKey).actions == (p.SetFirstWriteKey(B),)


def test_the_first_write_key_waits_for_readers_that_have_not_loaded_the_keyring() -> None:
    world = World(active=A, readers={"login-0": frozenset()}, readers_follow=False)
    plan = world.settle()
    assert world.write_key is None
    assert plan.waits_for is p.For.MACHINE
    assert world.reason("ReadersConverged") == "False WaitingForReaders"
    assert p.NudgeReaders(1) in plan.actions
    world.readers_follow = True
    assert world.settle().at_rest
    assert world.write_key == A


def test_only_a_rolling_key_at_a_first_install_has_its_own_reason_and_remedy() -> None:
    world = World(active=None, rolling=A)
    plan = world.settle()
    assert world.keyring is None
    assert plan.waits_for is p.For.PERSON
    assert world.reason("KeysValid") == "False OnlyRollingKey"
    assert world.reason("Ready") == "False OnlyRollingKey"
    assert world.message("Ready") == (
        "Only secretStore.rollingKey is set: at a first install put the key in activeKey."
    )


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        (World(secret_missing=True), "SecretMissing"),
        (World(active=None), "ActiveKeyMissing"),
        (World(active=MalformedKey("bad")), "MalformedKey"),
        (World(active=A, rolling=A), "SameKey"),
    ],
)
def test_a_first_install_with_bad_keys_writes_no_keyring_and_says_why(world: World, reason: str) -> None:
    plan = world.settle()
    assert world.keyring is None
    assert plan.reason == reason
    assert world.reason("KeysValid") == f"False {reason}"
    assert world.reason("Stalled") == f"True {reason}"


def test_a_secret_that_comes_after_the_policy_is_waited_for_without_a_person() -> None:
    world = World(active=A, expected=(B, None))
    plan = world.settle()
    assert world.keyring is None
    assert (plan.waits_for, plan.reason) == (p.For.MACHINE, "SecretStale")
    assert world.reason("Stalled") == "False NotStalled"
    assert world.reason("Reconciling") == "True SecretStale"
    world.active = B
    assert world.settle().at_rest


def test_keys_that_break_between_the_first_keyring_and_the_first_write_key_hold_it_up() -> None:
    world = World(active=A)
    world.turn()
    world.turn()
    world.active = MalformedKey("secretStore.activeKey is no key.")
    plan = world.settle()
    assert (world.write_key, plan.waits_for, plan.reason) == (None, p.For.PERSON, "MalformedKey")
    world.active = A
    assert world.settle().at_rest


def test_a_first_keyring_whose_key_was_replaced_before_it_wrote_forgets_it() -> None:
    world = World(active=A)
    world.turn()
    world.turn()
    assert world.state_of(A) is KeyState.STAGED
    world.active = B
    assert world.settle().at_rest
    assert world.readable == {B}
    assert world.archive == {A}


@pytest.mark.parametrize("crash_after", range(8))
def test_an_operator_killed_at_any_write_of_the_bootstrap_goes_on(crash_after: int) -> None:
    world = World(active=B, rolling=A, rows=[Row(A)])
    for _ in range(crash_after):
        world.turn(crash_after=1)
        world.turn(crash_after=0)
    assert world.settle().at_rest
    assert world.write_key == B
    assert [row.true_key for row in world.rows] == [B]


def test_a_new_process_of_the_same_policy_takes_the_claim_with_a_higher_epoch() -> None:
    world = installed()
    assert world.claim
    world.claim = type(world.claim)(cluster="c", namespace="n", policy="p", owner="before", epoch=7)
    world.settle()
    assert (world.claim.owner, world.claim.epoch) == ("me", 8)
