from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from practicus_mfa.core import plan as p
from practicus_mfa.core.audit_chain import GENESIS
from practicus_mfa.core.decide import decide
from practicus_mfa.core.status import Manifest, conditions_of, instant, sound_status, status
from tests.support.world import World
from tests.support.world_parts import ALIEN, START, A, B, C, Row
from tests.support.world_stories import SPEC, TABLE, edited, installed, promoted, rotated, with_table

EFFECTIVE = {"mfa": {"enabled": {"value": True, "source": "values"}}}


def published(world: World, before: Manifest | None = None) -> dict[str, Any]:
    seen = world.observe()
    return dict(status(seen, decide(seen), before=before or {}, effective=EFFECTIVE, work="job-1"))


def test_the_status_of_an_installation_at_rest() -> None:
    world = installed()
    found = published(world)
    conditions = found.pop("conditions")
    assert [entry["type"] for entry in conditions][:3] == ["Ready", "Reconciling", "Stalled"]
    assert found == {
        "observedGeneration": 1,
        "effective": EFFECTIVE,
        "activeKeyID": A,
        "rollingKeyID": "",
        "lastScanTime": instant(world.now),
        "keyringGeneration": 2,
        "rolling": 0,
        "users": {"total": 3, "enrolled": 3, "active": 3, "rolling": 0, "unknown": 0, "corrupt": 0},
        "tables": [],
        "readers": {"total": 2, "converged": 2},
        "rotation": {},
        "history": [],
        "auditHead": {"count": 0, "hash": GENESIS.hex()},
    }


def test_before_the_first_keyring_there_is_nothing_to_name() -> None:
    found = published(World())
    assert (found["activeKeyID"], found["keyringGeneration"], found["rotation"]) == ("", 0, {})


def test_rows_are_counted_by_what_is_known_of_their_key() -> None:
    world = promoted(installed(), B)
    world.turn()
    world.work_on(rows=1)
    world.rows += [Row(ALIEN, None, "unknown"), Row(None, None, "corrupt"), Row(None, None, "corrupt")]
    world.rows.append(Row(A))
    assert published(world)["users"] == {
        "total": 7,
        "enrolled": 7,
        "active": 1,
        "rolling": 3,
        "unknown": 1,
        "corrupt": 2,
    }


def test_other_applications_tables_are_counted_as_last_scanned() -> None:
    world = with_table()
    world.tables["logs"] = [A]
    world.specs = (SPEC, SPEC.__class__(table="logs", id_column="id", token_columns=("t",)))
    world.settle()
    edited(world, B, A).settle()
    world.scanned["forgotten"] = {A: 9}
    world.scanned["logs"]["unknown"] = 4
    at = {"scannedAt": instant(world.now)}
    assert published(world)["tables"] == [
        {"table": TABLE, "total": 2, "active": 0, "rolling": 2, "unknown": 0, "corrupt": 0, **at},
        {"table": "logs", "total": 5, "active": 0, "rolling": 1, "unknown": 4, "corrupt": 0, **at},
    ]


def test_rows_to_be_moved_are_summed_over_all_tables() -> None:
    world = edited(with_table(), B, A)
    world.settle()
    world.put_by_hand(Row(A))
    found = published(world)
    assert (found["users"]["rolling"], found["tables"][0]["rolling"]) == (1, 2)
    assert found["rolling"] == 3


def test_readers_are_counted_those_that_lag_apart() -> None:
    world = installed()
    world.readers["login-1"] = frozenset()
    assert published(world)["readers"] == {"total": 2, "converged": 1}


# --- the rotation -----------------------------------------------------------------------------------------


def test_a_rotation_under_way_tells_how_far_it_is() -> None:
    world = promoted(installed(), B)
    world.turn()
    world.work_on(rows=1)
    found = published(world)
    assert found["rotation"] == {
        "id": 1,
        "step": "Migrate",
        "startedAt": "2026-01-01T00:00:00Z",
        "completedAt": None,
        "attempt": 1,
        "migrated": 1,
        "remaining": 2,
        "jobName": "job-1",
    }
    assert found["activeKeyID"] == B
    assert found["rollingKeyID"] == A


def test_before_promotion_every_row_remains() -> None:
    world = edited(installed(), B, A)
    world.turn_until(p.Promote)
    found = published(world)["rotation"]
    assert (found["step"], found["remaining"]) == ("Promote", 3)


def test_the_last_rotation_is_told_when_it_is_over() -> None:
    world = edited(installed(), B, A)
    world.settle()
    world.put_by_hand(Row(A))
    found = published(world)["rotation"]
    assert found == {
        "id": 1,
        "step": "Complete",
        "startedAt": "2026-01-01T00:00:00Z",
        "completedAt": "2026-01-01T00:00:00Z",
        "attempt": 2,
        "migrated": 3,
        "remaining": 1,
        "jobName": "",
    }


def test_the_step_never_goes_back_whatever_a_pass_does_in_between() -> None:
    world = edited(installed(), B, A)
    order = [str(step) for step in p.Step]
    reached = 0
    for _ in range(30):
        found = published(world)["rotation"]
        if found:
            assert order.index(found["step"]) >= reached, found
            reached = order.index(found["step"])
        world.turn()
        world.work_on()
    assert order[reached] == "Complete"


def test_after_retirement_a_rotation_that_waits_for_a_table_is_told_as_retiring() -> None:
    world = edited(with_table(), B, A)
    world.settle()
    assert published(world)["rotation"]["step"] == "Retire"
    world.suspend = True
    world.readers["late"] = frozenset()
    assert published(world)["rotation"]["step"] == "Retire"


def test_a_rotation_without_promotion_converges_before_it_migrates() -> None:
    world = installed()
    world.readers_follow = False
    edited(world, A, B).settle()
    assert published(world)["rotation"]["step"] == "Converge"
    world.refresh_readers()
    world.turn()
    assert published(world)["rotation"]["step"] == "Migrate"
    world.readers["late"] = frozenset()
    assert published(world)["rotation"]["step"] == "Migrate"


def test_a_rotation_that_was_given_up_is_not_told_as_complete() -> None:
    world = promoted(installed(), B)
    world.turn()
    world.work_on(rows=1)
    backup = world.back_up()
    world.settle()
    rotated(world, C)
    world.restore(backup)
    world.turn()
    assert world.rotation is None
    found = published(world)["rotation"]
    assert (found["id"], found["step"]) == (1, "Migrate")


def test_the_last_five_rotations_are_kept_the_newest_first() -> None:
    world = installed()
    for number in range(6):
        key = B if number % 2 == 0 else A
        world.allow_reverse = key
        rotated(world, key)
    found = published(world)["history"]
    assert [past["id"] for past in found] == [6, 5, 4, 3, 2]
    assert found[0] == {
        "id": 6,
        "activeKeyID": A,
        "startedAt": "2026-01-01T00:00:00Z",
        "completedAt": "2026-01-01T00:00:00Z",
        "migrated": 3,
        "attempt": 2,
    }


# --- dates --------------------------------------------------------------------------------------------------


def test_a_condition_that_did_not_change_keeps_its_date() -> None:
    world = installed()
    first = published(world)
    world.now += timedelta(hours=1)
    second = published(world, first)
    assert second["conditions"] == first["conditions"]


def test_a_condition_whose_status_changed_is_dated_anew_another_reason_alone_is_no_change() -> None:
    world = installed()
    first = published(world)
    world.active = None
    world.now += timedelta(hours=1)
    second = published(world, first)
    world.active = A
    world.rolling = A
    world.now += timedelta(hours=1)
    third = published(world, second)

    def dated(found: dict[str, Any], kind: str) -> str:
        return next(
            str(entry["lastTransitionTime"]) for entry in found["conditions"] if entry["type"] == kind
        )

    assert dated(second, "KeysValid") > dated(first, "KeysValid")
    assert dated(third, "KeysValid") == dated(second, "KeysValid")
    assert dated(second, "DatabaseReachable") == dated(first, "DatabaseReachable")


def test_each_condition_tells_the_generation_that_it_was_made_from() -> None:
    assert {entry["observedGeneration"] for entry in published(installed())["conditions"]} == {1}


def test_instants_are_written_as_kubernetes_does() -> None:
    assert instant(START) == "2026-01-01T00:00:00Z"
    assert instant(datetime(2026, 3, 9, 7, 5, 3, 999_999, tzinfo=UTC)) == "2026-03-09T07:05:03Z"


# --- the database is out of reach ---------------------------------------------------------------------------


def test_without_the_database_the_last_numbers_stay_with_their_date() -> None:
    world = installed()
    first = published(world)
    world.down = True
    world.now += timedelta(hours=1)
    second = published(world, first)
    assert {**second, "conditions": ()} == {**first, "conditions": ()}
    assert second["lastScanTime"] == first["lastScanTime"]
    assert second["users"]["enrolled"] == 3


def test_without_the_database_there_are_no_numbers_at_the_first_look() -> None:
    world = World(down=True)
    assert set(published(world)) == {"observedGeneration", "conditions", "effective"}


# --- what was published before ------------------------------------------------------------------------------


def test_a_damaged_status_is_taken_for_none() -> None:
    assert conditions_of({}) == ()
    assert conditions_of({"conditions": "none"}) == ()
    assert conditions_of({"conditions": [7, {"type": "Ready"}]}) == ()
    whole = {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "x"}
    assert conditions_of({"conditions": [whole, None]}) == (whole,)
    world = installed()
    found = published(world, {"conditions": [{"type": "Ready"}]})
    assert found["conditions"][0]["lastTransitionTime"] == instant(world.now)


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"rotation": {}},
        {"rotation": {"migrated": 3, "remaining": 0}, "conditions": "none"},
        {"rotation": None, "conditions": [{"type": "Ready"}]},
        {
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "Ready",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }
            ]
        },
    ],
)
def test_a_status_that_can_be_used_is_read_back_as_it_is(found: dict[str, object]) -> None:
    assert sound_status(found) == found


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        "Ready",
        {"rotation": {"migrated": "3"}},
        {"conditions": [{"type": "Ready", "status": True, "reason": "", "lastTransitionTime": ""}]},
    ],
)
def test_a_damaged_status_is_none(found: object) -> None:
    assert sound_status(found) == {}
