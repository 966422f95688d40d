from __future__ import annotations

import pytest

from practicus_mfa.core import plan as p
from practicus_mfa.core.conditions import Condition, Truth, summary
from practicus_mfa.core.decide import Plan
from practicus_mfa.core.observed import Administrators
from practicus_mfa.core.policy import MfaRules, Policy
from tests.support.world import World
from tests.support.world_parts import ALIEN, A, B, Row
from tests.support.world_stories import edited, installed, promoted

EVERY = (
    *("Ready", "Reconciling", "Stalled", "KeysValid", "DatabaseReachable", "ReadersConverged"),
    *("DataUpToDate", "PolicySafe", "OldKeyRetirable"),
)


@pytest.mark.parametrize("down", [False, True])
def test_every_condition_is_always_there_the_summing_up_ones_first(down: bool) -> None:
    world = installed()
    world.down = down
    assert tuple(world.published()) == EVERY


def test_an_installation_at_rest() -> None:
    assert list(installed().published().values()) == [
        Condition("Ready", Truth.TRUE, "Ready", "Policy and keys are in force."),
        Condition("Reconciling", Truth.FALSE, "Idle", ""),
        Condition("Stalled", Truth.FALSE, "NotStalled", ""),
        Condition("KeysValid", Truth.TRUE, "Valid", "The keys are valid."),
        Condition("DatabaseReachable", Truth.TRUE, "Reachable", "The database answers."),
        Condition(
            "ReadersConverged", Truth.TRUE, "Converged", "All 2 readers can read with every key in use."
        ),
        Condition("DataUpToDate", Truth.TRUE, "UpToDate", "All 3 rows are under the active key."),
        Condition("PolicySafe", Truth.TRUE, "Safe", "Administrators who are enrolled: 1 of 1."),
        Condition("OldKeyRetirable", Truth.FALSE, "NoRollingKey", "No rolling key is in use."),
    ]


def test_without_the_database_what_depends_on_it_is_unknown() -> None:
    world = installed()
    world.down = True
    found = world.published()
    assert found["DatabaseReachable"] == Condition(
        "DatabaseReachable", Truth.FALSE, "DatabaseUnreachable", "no answer"
    )
    for kind in ("ReadersConverged", "DataUpToDate", "PolicySafe", "OldKeyRetirable"):
        assert found[kind] == Condition(
            kind, Truth.UNKNOWN, "DatabaseUnreachable", "The database is out of reach."
        )
    assert found["KeysValid"].status is Truth.TRUE
    assert found["Ready"] == Condition("Ready", Truth.FALSE, "DatabaseUnreachable", "no answer")
    assert found["Reconciling"].status is Truth.TRUE
    assert found["Stalled"].status is Truth.FALSE


def test_a_database_out_of_reach_counts_more_than_bad_keys() -> None:
    world = installed()
    world.down, world.active = True, None
    assert world.reason("Ready") == "False DatabaseUnreachable"
    assert world.reason("KeysValid") == "False ActiveKeyMissing"


def test_one_row_is_told_as_one() -> None:
    world = installed(rows=1)
    assert world.message("DataUpToDate") == "The row is under the active key."
    world = promoted(world, B)
    assert world.message("DataUpToDate") == f"1 row is still to be brought under key {B}."


# --- summing up, as kstatus reads it ------------------------------------------------------------------------


def test_ready_reconciling_and_stalled_never_contradict_each_other() -> None:
    world = edited(installed(), B, A)
    world.put_by_hand(Row(ALIEN))
    for _ in range(30):
        found = world.published()
        truths = [found[kind].status is Truth.TRUE for kind in ("Ready", "Reconciling", "Stalled")]
        assert sum(truths) == 1
        world.turn()
        world.work_on()
    assert world.reason("Stalled") == "True UnknownKey"


def test_a_pass_that_has_something_to_do_is_not_ready_although_nothing_is_wrong() -> None:
    world = edited(installed(), B, A)
    world.settle()
    edited(world, B)
    assert world.reason("Ready") == "False Progressing"
    assert world.message("Ready") == "Step Unload is under way."
    assert world.reason("Reconciling") == "True Progressing"
    assert world.message("Reconciling") == "Step Unload is under way."


def test_ready_needs_every_condition_although_the_plan_rests() -> None:
    broken = Condition("ReadersConverged", Truth.FALSE, "WaitingForReaders", "One lags.")
    sound = [Condition(kind, Truth.TRUE, "", "") for kind in EVERY if kind != broken.type]
    ready, reconciling, stalled = summary((*sound, broken), Plan(p.Step.IDLE))
    assert ready == Condition("Ready", Truth.FALSE, "WaitingForReaders", "One lags.")
    assert (reconciling.status, stalled.status) == (Truth.TRUE, Truth.FALSE)


def test_a_new_key_is_not_ready_from_the_first_look_on() -> None:
    world = edited(installed(), B, A)
    assert world.reason("Ready") == "False Migrating"
    assert world.message("Ready") == f"Key {B} is about to become the active key; then rows follow."


def test_the_first_key_is_told_before_it_writes() -> None:
    world = World()
    world.turn()
    assert world.message("DataUpToDate") == f"Key {A} is about to become the active key; then rows follow."


def test_a_key_that_is_about_to_write_is_told() -> None:
    world = edited(installed(), B, A)
    world.turn_until(p.Promote)
    assert world.message("DataUpToDate") == f"Key {B} is about to become the active key; then rows follow."


def test_what_waits_for_a_person_is_stalled_and_no_longer_reconciling() -> None:
    world = installed()
    world.active = None
    assert world.reason("Stalled") == "True ActiveKeyMissing"
    assert world.message("Stalled") == world.message("KeysValid")
    assert world.reason("Reconciling") == "False WaitingForPerson"
    assert world.message("Reconciling") == ""


# --- is the policy safe? ------------------------------------------------------------------------------------


def test_without_an_administrator_the_policy_is_not_safe() -> None:
    world = installed()
    world.administrators = Administrators(0, 0)
    assert world.reason("PolicySafe") == "False NoAdministrator"
    assert world.message("PolicySafe") == (
        "No active administrator exists: create one with `practicus-mfa users create NAME --superuser`."
    )
    assert world.reason("Ready") == "True Ready", "it warns, it holds nothing up"


@pytest.mark.parametrize(
    ("rules", "safe"),
    [
        (MfaRules(mandatory=True), False),
        (MfaRules(mandatory_for_sys_admins=True), False),
        (MfaRules(), True),
        (MfaRules(enabled=False, mandatory=True, mandatory_for_sys_admins=True), True),
    ],
)
def test_mandatory_mfa_without_an_enrolled_administrator_is_not_safe(rules: MfaRules, safe: bool) -> None:
    world = installed()
    world.administrators = Administrators(2, 0)
    world.policy = Policy(mfa=rules)
    assert world.reason("PolicySafe") == ("True Safe" if safe else "False NoAdministratorEnrolled")
    if not safe:
        assert world.message("PolicySafe") == (
            "MFA is mandatory and no administrator is enrolled: have one log in and enrol."
        )
    world.administrators = Administrators(2, 1)
    assert world.reason("PolicySafe") == "True Safe"
