from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.core.observed import Mode, PassSeen
from practicus_mfa.errors import SupersededError
from practicus_mfa.storage import keys
from practicus_mfa.storage.rotations import (
    HISTORY,
    Milestone,
    complete_rotation,
    history,
    mark,
    next_attempt,
    retarget_rotation,
    start_rotation,
    under_way,
)
from practicus_mfa.storage.shards import (
    Shard,
    Tally,
    advance_shard,
    finish_shard,
    plan_pass,
    read_shards,
    restart_pass,
)
from tests.support.stores import KEY_A, KEY_B, KEY_C, claimed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from practicus_mfa.core.observed import RotationSeen
    from practicus_mfa.storage.engine import Database

RANGES = ((None, "100"), ("100", "200"), ("200", None))
OWN = "mfa_factors"


def _under_way(connection: Connection) -> RotationSeen:
    seen = under_way(connection)
    assert seen is not None
    return seen


# --- the rotation -------------------------------------------------------------------------------------


def test_the_first_rotation_comes_from_no_key(db: Database) -> None:
    with db.write() as connection:
        assert under_way(connection) is None
        rotation = start_rotation(connection, KEY_A)
        seen = _under_way(connection)
    assert (seen.id, seen.to_key, seen.from_key, seen.attempt) == (rotation, KEY_A, None, 0)
    assert seen.started_at is not None
    assert seen.promoted_at is None
    assert seen.passes == ()


def test_a_rotation_comes_from_the_key_that_writes(db: Database) -> None:
    mine = claimed(db)
    keys.set_write_key(db, mine, KEY_A, "canary", lock_timeout=timedelta(seconds=30))
    with db.write() as connection:
        start_rotation(connection, KEY_B)
        assert _under_way(connection).from_key == KEY_A


def test_there_is_one_rotation_at_a_time(db: Database) -> None:
    with db.write() as connection:
        start_rotation(connection, KEY_A)
        with pytest.raises(SupersededError):
            start_rotation(connection, KEY_B)


def test_a_target_is_replaced_before_promotion_and_not_after(db: Database) -> None:
    with db.write() as connection:
        rotation = start_rotation(connection, KEY_A)
        retarget_rotation(connection, rotation, KEY_B)
        assert _under_way(connection).to_key == KEY_B
        mark(connection, rotation, Milestone.PROMOTED)
        with pytest.raises(SupersededError):
            retarget_rotation(connection, rotation, KEY_C)
        assert _under_way(connection).to_key == KEY_B


@pytest.mark.parametrize("milestone", Milestone)
def test_each_instant_is_set_once(db: Database, milestone: Milestone) -> None:
    with db.write() as connection:
        rotation = start_rotation(connection, KEY_A)
    seen = []
    for _ in range(2):
        with db.write() as connection:
            mark(connection, rotation, milestone)
            seen.append(under_way(connection) or history(connection)[0])
    assert seen[0] == seen[1]
    assert getattr(seen[0], f"{milestone}_at") >= seen[0].started_at


def test_attempts_only_go_up(db: Database) -> None:
    with db.write() as connection:
        rotation = start_rotation(connection, KEY_A)
        for told, known in ((1, 1), (1, 1), (3, 3), (2, 3)):
            next_attempt(connection, rotation, told)
            assert _under_way(connection).attempt == known
        complete_rotation(connection, rotation, ())
        with pytest.raises(SupersededError):
            next_attempt(connection, rotation, 4)


def test_a_completed_rotation_becomes_history_and_its_keys_retired(db: Database) -> None:
    with db.write() as connection:
        rotation = start_rotation(connection, KEY_B)
        complete_rotation(connection, rotation, {KEY_A, KEY_C})
        assert under_way(connection) is None
        assert [seen.id for seen in history(connection)] == [rotation]
        assert keys.retired_keys(connection) == {KEY_A, KEY_C}
        keys.revive(connection, KEY_C)
        assert keys.retired_keys(connection) == {KEY_A}
        assert keys.former_keys(connection) == frozenset()


def test_a_key_that_writes_again_is_neither_former_nor_retired(db: Database) -> None:
    mine = claimed(db)
    for key in (KEY_A, KEY_B):
        keys.set_write_key(db, mine, key, "canary", lock_timeout=timedelta(seconds=30))
    with db.write() as connection:
        complete_rotation(connection, start_rotation(connection, KEY_B), {KEY_A})
        assert keys.former_keys(connection) == keys.retired_keys(connection) == {KEY_A}
    keys.set_write_key(db, mine, KEY_A, "canary", lock_timeout=timedelta(seconds=30))
    with db.read() as connection:
        assert keys.former_keys(connection) == {KEY_B}
        assert keys.retired_keys(connection) == frozenset()


def test_history_tells_of_the_last_ones_first(db: Database) -> None:
    with db.write() as connection:
        ids = []
        for _ in range(HISTORY + 2):
            ids.append(start_rotation(connection, KEY_A))
            complete_rotation(connection, ids[-1], ())
        assert [seen.id for seen in history(connection)] == ids[: -HISTORY - 1 : -1]


# --- its passes ---------------------------------------------------------------------------------------


@pytest.fixture
def rotation(db: Database) -> int:
    """A rotation whose migration of our table is cut into three."""
    with db.write() as connection:
        number = start_rotation(connection, KEY_B)
        plan_pass(connection, number, Mode.MIGRATE, OWN, RANGES)
    return number


def _shard(connection: Connection, rotation: int, number: int) -> Shard:
    return read_shards(connection, rotation)[number]


def test_a_pass_is_cut_once(db: Database, rotation: int) -> None:
    with db.write() as connection:
        plan_pass(connection, rotation, Mode.MIGRATE, OWN, ((None, None),))
        shards = read_shards(connection, rotation, Mode.MIGRATE, OWN)
    assert [(shard.number, shard.lower, shard.upper) for shard in shards] == [
        (0, None, "100"),
        (1, "100", "200"),
        (2, "200", None),
    ]
    assert {(shard.position, shard.done, shard.tally) for shard in shards} == {(None, False, Tally())}


def test_passes_are_told_apart(db: Database, rotation: int) -> None:
    with db.write() as connection:
        plan_pass(connection, rotation, Mode.VERIFY, OWN, RANGES[:1])
        plan_pass(connection, rotation, Mode.MIGRATE, 'app."Secrets"', RANGES[:2])
        assert len(read_shards(connection, rotation)) == 6
        assert len(read_shards(connection, rotation, Mode.MIGRATE)) == 5
        assert len(read_shards(connection, rotation, Mode.MIGRATE, 'app."Secrets"')) == 2
        assert {(seen.relation, seen.mode, seen.shards) for seen in _under_way(connection).passes} == {
            (OWN, Mode.MIGRATE, 3),
            (OWN, Mode.VERIFY, 1),
            ('app."Secrets"', Mode.MIGRATE, 2),
        }


def test_a_pass_that_no_longer_holds_begins_anew(db: Database, rotation: int) -> None:
    with db.write() as connection:
        plan_pass(connection, rotation, Mode.VERIFY, OWN, RANGES)
        for shard in read_shards(connection, rotation):
            found = Tally(migrated=7, current=6, unknown=5, corrupt=4)
            advance_shard(connection, shard.id, position=None, to="9", tally=found)
            finish_shard(connection, shard.id, position="9")
        restart_pass(connection, rotation, Mode.MIGRATE, OWN)
        again = read_shards(connection, rotation, Mode.MIGRATE)
        assert [(shard.lower, shard.upper) for shard in again] == list(RANGES)
        assert {(shard.position, shard.done, shard.tally) for shard in again} == {
            (None, False, Tally(migrated=7))
        }
        assert all(shard.done for shard in read_shards(connection, rotation, Mode.VERIFY))


def test_pages_add_up(db: Database, rotation: int) -> None:
    with db.write() as connection:
        shard = _shard(connection, rotation, 0)
        advance_shard(connection, shard.id, position=None, to="50", tally=Tally(migrated=40, unknown=1))
        advance_shard(connection, shard.id, position="50", to="90", tally=Tally(migrated=2, corrupt=3))
        advance_shard(connection, shard.id, position="90", to="95", tally=Tally(current=5))
        finish_shard(connection, shard.id, position="95")
        total = Tally(migrated=42, current=5, unknown=1, corrupt=3)
        assert _shard(connection, rotation, 0) == replace(shard, position="95", tally=total, done=True)
        other = _shard(connection, rotation, 1)
        advance_shard(connection, other.id, position=None, to="150", tally=Tally(migrated=8))
        seen = _under_way(connection)
    assert seen.passes == (
        PassSeen(
            relation=OWN,
            mode=Mode.MIGRATE,
            shards=3,
            done=1,
            migrated=50,
            current=5,
            unknown=1,
            corrupt=3,
        ),
    )
    assert not seen.finished(OWN, Mode.MIGRATE)


def test_a_pass_is_finished_when_every_shard_is(db: Database, rotation: int) -> None:
    with db.write() as connection:
        for shard in read_shards(connection, rotation):
            assert not _under_way(connection).finished(OWN, Mode.MIGRATE)
            finish_shard(connection, shard.id, position=None)
        assert _under_way(connection).finished(OWN, Mode.MIGRATE)


@pytest.mark.parametrize("position", [None, "40", "60"])
def test_a_page_that_another_worker_has_done_is_not_counted_twice(
    db: Database, rotation: int, position: str | None
) -> None:
    with db.write() as connection:
        shard = _shard(connection, rotation, 0)
        advance_shard(connection, shard.id, position=None, to="50", tally=Tally(migrated=40))
    with pytest.raises(SupersededError), db.write() as connection:
        advance_shard(connection, shard.id, position=position, to="70", tally=Tally(migrated=9))
    with pytest.raises(SupersededError), db.write() as connection:
        finish_shard(connection, shard.id, position=position)
    with db.read() as connection:
        assert _shard(connection, rotation, 0) == replace(shard, position="50", tally=Tally(migrated=40))


def test_a_shard_that_is_done_stays_done(db: Database, rotation: int) -> None:
    with db.write() as connection:
        shard = _shard(connection, rotation, 0)
        finish_shard(connection, shard.id, position=None)
    with pytest.raises(SupersededError), db.write() as connection:
        advance_shard(connection, shard.id, position=None, to="50", tally=Tally(migrated=1))
    with pytest.raises(SupersededError), db.write() as connection:
        finish_shard(connection, shard.id, position=None)


def test_a_worker_of_a_pass_that_begins_anew_is_stopped(db: Database, rotation: int) -> None:
    with db.write() as connection:
        shard = _shard(connection, rotation, 0)
        advance_shard(connection, shard.id, position=None, to="50", tally=Tally(migrated=1))
        restart_pass(connection, rotation, Mode.MIGRATE, OWN)
    with pytest.raises(SupersededError), db.write() as connection:
        advance_shard(connection, shard.id, position="50", to="70", tally=Tally(migrated=1))


@pytest.mark.parametrize(("mode", "instant"), [(Mode.MIGRATE, "migrated_at"), (Mode.VERIFY, "verified_at")])
def test_rows_are_through_when_the_last_pass_is(db: Database, mode: Mode, instant: str) -> None:
    with db.write() as connection:
        number = start_rotation(connection, KEY_B)
        plan_pass(connection, number, mode, OWN, RANGES[:2])
        plan_pass(connection, number, mode, "other", RANGES[:1])
        for shard in read_shards(connection, number):
            assert getattr(_under_way(connection), instant) is None
            finish_shard(connection, shard.id, position=None)
        ended = getattr(_under_way(connection), instant)
        assert ended.tzinfo is UTC
        assert ended >= _under_way(connection).started_at
        other = {"migrated_at", "verified_at"} - {instant}
        assert getattr(_under_way(connection), other.pop()) is None
