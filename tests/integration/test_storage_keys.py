from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from practicus_mfa.core.observed import ReaderSeen
from practicus_mfa.errors import SupersededError
from practicus_mfa.storage import keys
from practicus_mfa.storage.claims import guarded_write
from practicus_mfa.storage.readers import CannotReadWriteKey, Expired, Registered, register, renew
from practicus_mfa.storage.rotations import retarget_rotation, start_rotation, under_way
from practicus_mfa.storage.schema import factors, readers, write_key
from practicus_mfa.storage.types import database_instant
from practicus_mfa.storage.writer import (
    NoWriteKeyError,
    own_write_lock,
    read_write_key,
    token_write,
    with_token_write,
)
from tests.support.stores import IDENTITY, KEY_A, KEY_B, KEY_C, add_factor, add_user, claimed, lagging, live
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from practicus_mfa.core.keyring import KeyId
    from practicus_mfa.core.observed import Claim
    from practicus_mfa.storage.engine import Database

PATIENT = timedelta(seconds=30)
SHORT = timedelta(milliseconds=50)


@pytest.fixture
def claim(db: Database) -> Claim:
    """The database is ours and KEY_A writes."""
    mine = claimed(db)
    assert keys.set_write_key(db, mine, KEY_A, "canary a", lock_timeout=PATIENT) == keys.Promoted(None)
    return mine


def _start(db: Database, claim: Claim, to_key: KeyId = KEY_B) -> int:
    with guarded_write(db, claim) as connection:
        return start_rotation(connection, to_key)


def _promote(
    db: Database, claim: Claim, rotation: int, key: KeyId = KEY_B, patience: timedelta = PATIENT
) -> keys.Promoted | keys.NotConverged | keys.LockBusy:
    return keys.promote(
        db, claim, rotation_id=rotation, to_key=key, canary=f"canary {key}", lock_timeout=patience
    )


def _retire(
    db: Database, claim: Claim, rotation: int, *gone: KeyId, patience: timedelta = PATIENT
) -> keys.Retired | keys.RowsRemain | keys.LockBusy:
    return keys.retire(db, claim, gone, rotation_id=rotation, lock_timeout=patience)


def _write_key(db: Database) -> KeyId | None:
    with db.read() as connection:
        return read_write_key(connection)


def _live(db: Database) -> dict[KeyId, str]:
    with db.read() as connection:
        return dict(keys.read_live_keys(connection))


def _expire(db: Database, instance: str) -> None:
    with db.write() as connection:
        connection.execute(
            update(readers).where(readers.c.instance == instance).values(expires_at=database_instant())
        )


# --- the bootstrap ------------------------------------------------------------------------------------


def test_nothing_is_written_before_a_key_is_set(db: Database) -> None:
    with pytest.raises(NoWriteKeyError) as caught, token_write(db):
        pytest.fail("it writes with no key")
    assert caught.value.message == "No key is set up to write with yet."


def test_the_first_write_key(db: Database, claim: Claim) -> None:
    assert _write_key(db) == KEY_A
    assert _live(db) == {KEY_A: "canary a"}
    with token_write(db) as (_, key):
        assert key == KEY_A


def test_setting_it_again_changes_nothing(db: Database, claim: Claim) -> None:
    again = keys.set_write_key(db, claim, KEY_A, "another canary", lock_timeout=PATIENT)
    assert again == keys.Promoted(KEY_A)
    assert _live(db) == {KEY_A: "canary a"}
    with db.read() as connection:
        assert keys.former_keys(connection) == frozenset()


def test_a_row_under_a_key_that_is_not_live_is_refused(db: Database, claim: Claim) -> None:
    with pytest.raises(IntegrityError), db.write() as connection:
        add_factor(connection, add_user(connection), key=KEY_B)
    live(db, claim, KEY_B)
    with db.write() as connection:
        add_factor(connection, add_user(connection), key=KEY_B)


# --- promotion ----------------------------------------------------------------------------------------


def test_a_promotion_is_one_commit(db: Database, claim: Claim) -> None:
    rotation = _start(db, claim)
    assert _promote(db, claim, rotation) == keys.Promoted(KEY_A)
    assert _write_key(db) == KEY_B
    assert _live(db) == {KEY_A: "canary a", KEY_B: f"canary {KEY_B}"}
    with db.read() as connection:
        assert keys.former_keys(connection) == {KEY_A}
        seen = under_way(connection)
    assert seen is not None
    assert seen.promoted_at is not None
    assert seen.from_key == KEY_A


def test_promoting_twice_keeps_the_first_instant(db: Database, claim: Claim) -> None:
    rotation = _start(db, claim)
    _promote(db, claim, rotation)
    with db.read() as connection:
        first = under_way(connection)
    assert _promote(db, claim, rotation) == keys.Promoted(KEY_B)
    with db.read() as connection:
        assert under_way(connection) == first


def test_a_reader_without_the_key_stops_the_promotion(db: Database, claim: Claim) -> None:
    rotation = _start(db, claim)
    register(db, "late", [KEY_A])
    register(db, "good", [KEY_A, KEY_B])
    lagging = (ReaderSeen("late", frozenset({KEY_A})),)
    assert _promote(db, claim, rotation) == keys.NotConverged(lagging)
    assert _write_key(db) == KEY_A
    assert _live(db) == {KEY_A: "canary a"}
    register(db, "late", [KEY_A, KEY_B])
    assert _promote(db, claim, rotation) == keys.Promoted(KEY_A)


def test_a_reader_that_died_does_not_stop_the_promotion_and_can_not_come_back(
    db: Database, claim: Claim
) -> None:
    rotation = _start(db, claim)
    register(db, "dead", [KEY_A])
    _expire(db, "dead")
    assert _promote(db, claim, rotation) == keys.Promoted(KEY_A)
    assert renew(db, "dead") == Expired()
    assert register(db, "dead", [KEY_A]) == CannotReadWriteKey(KEY_B)
    assert isinstance(register(db, "dead", [KEY_A, KEY_B]), Registered)


def test_a_target_that_was_replaced_is_not_promoted(db: Database, claim: Claim) -> None:
    rotation = _start(db, claim)
    with guarded_write(db, claim) as connection:
        retarget_rotation(connection, rotation, KEY_C)
    with pytest.raises(SupersededError):
        _promote(db, claim, rotation, KEY_B)
    assert _write_key(db) == KEY_A
    assert KEY_B not in _live(db)


def test_only_the_owner_promotes(db: Database, claim: Claim) -> None:
    rotation = _start(db, claim)
    with pytest.raises(SupersededError):
        _promote(db, IDENTITY, rotation)
    assert _write_key(db) == KEY_A


def test_a_promotion_waits_for_a_writer_only_so_long(db: Database, claim: Claim) -> None:
    rotation = _start(db, claim)
    with token_write(db):
        assert _promote(db, claim, rotation, patience=SHORT) == keys.LockBusy()
    assert _write_key(db) == KEY_A
    assert _promote(db, claim, rotation) == keys.Promoted(KEY_A)


def _waiting_for_advisory_lock(db: Database) -> Callable[[], bool]:
    def waits() -> bool:
        with db.read() as connection:
            return bool(
                connection.execute(
                    text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
                ).scalar_one()
            )

    return waits


def test_a_writer_that_began_before_is_waited_for_and_a_later_one_sees_the_new_key(
    postgres_db: Database,
) -> None:
    db = postgres_db
    mine = claimed(db)
    keys.set_write_key(db, mine, KEY_A, "canary", lock_timeout=PATIENT)
    rotation = _start(db, mine)
    promoted: list[object] = []
    sealed_with: list[KeyId] = []
    promoter = threading.Thread(target=lambda: promoted.append(_promote(db, mine, rotation)))
    follower = threading.Thread(target=lambda: sealed_with.append(with_token_write(db, lambda _, key: key)))
    with token_write(db) as (connection, key):
        promoter.start()
        until(_waiting_for_advisory_lock(db), "the promotion waits for the writer")
        follower.start()  # it must not overtake the promotion
        add_factor(connection, add_user(connection), key=key)
        assert (promoted, sealed_with) == ([], [])
    promoter.join()
    follower.join()
    assert promoted == [keys.Promoted(KEY_A)]
    assert sealed_with == [KEY_B]


@pytest.mark.parametrize("act", ["register", "renew"])
def test_who_comes_during_a_promotion_sees_it(postgres_db: Database, act: str) -> None:
    db = postgres_db
    mine = claimed(db)
    keys.set_write_key(db, mine, KEY_A, "canary", lock_timeout=PATIENT)
    if act == "renew":
        lagging(db, "late", KEY_A)
    outcome: list[object] = []
    late = threading.Thread(
        target=lambda: outcome.append(renew(db, "late") if act == "renew" else register(db, "late", [KEY_A]))
    )
    with guarded_write(db, mine) as connection:
        own_write_lock(connection)
        late.start()
        until(_waiting_for_advisory_lock(db), "the reader waits for the promotion")
        keys.add_live_keys(connection, {KEY_B: "canary"})
        connection.execute(update(write_key).values(key_id=KEY_B))
    late.join()
    assert outcome == [CannotReadWriteKey(KEY_B)]


# --- retirement ---------------------------------------------------------------------------------------


@pytest.fixture
def promoted(db: Database, claim: Claim) -> int:
    """KEY_B writes, KEY_A is past."""
    rotation = _start(db, claim)
    assert _promote(db, claim, rotation) == keys.Promoted(KEY_A)
    return rotation


def test_a_key_that_no_row_needs_is_retired(db: Database, claim: Claim, promoted: int) -> None:
    assert _retire(db, claim, promoted, KEY_A) == keys.Retired()
    assert set(_live(db)) == {KEY_B}
    with db.read() as connection:
        seen = under_way(connection)
    assert seen is not None
    assert seen.retired_at is not None
    # Once more, after a crash between the commit and what came next.
    assert _retire(db, claim, promoted, KEY_A) == keys.Retired()
    with db.read() as connection:
        assert under_way(connection) == seen


def test_a_late_write_under_a_retired_key_is_refused_by_the_database(
    db: Database, claim: Claim, promoted: int
) -> None:
    _retire(db, claim, promoted, KEY_A)
    with pytest.raises(IntegrityError), db.write() as connection:
        add_factor(connection, add_user(connection), key=KEY_A)


def test_a_key_that_a_row_needs_stays_with_all_the_others(db: Database, claim: Claim, promoted: int) -> None:
    live(db, claim, KEY_C)
    with db.write() as connection:
        add_factor(connection, add_user(connection), key=KEY_A)
    assert _retire(db, claim, promoted, KEY_A, KEY_C) == keys.RowsRemain()
    assert set(_live(db)) == {KEY_A, KEY_B, KEY_C}


@pytest.mark.parametrize("cleared", [None, ""])
def test_a_row_that_was_cleared_by_hand_needs_no_key(
    db: Database, claim: Claim, promoted: int, cleared: str | None
) -> None:
    with db.write() as connection:
        factor = add_factor(connection, add_user(connection), token=cleared, key=KEY_A)
    assert _retire(db, claim, promoted, KEY_A) == keys.Retired()
    with db.read() as connection:
        row = connection.execute(select(factors).where(factors.c.id == factor)).one()
    assert (row.token, row.key_id) == (cleared, None)


def test_the_write_key_is_not_retired(db: Database, claim: Claim, promoted: int) -> None:
    with pytest.raises(SupersededError):
        _retire(db, claim, promoted, KEY_A, KEY_B)
    assert set(_live(db)) == {KEY_A, KEY_B}


def test_only_the_owner_retires(db: Database, claim: Claim, promoted: int) -> None:
    with pytest.raises(SupersededError):
        _retire(db, IDENTITY, promoted, KEY_A)
    assert set(_live(db)) == {KEY_A, KEY_B}


def test_an_enrolment_that_is_not_committed_yet_holds_up_the_retirement(
    db: Database, claim: Claim, promoted: int
) -> None:
    with db.write() as connection:
        add_factor(connection, add_user(connection), key=KEY_A)
        assert _retire(db, claim, promoted, KEY_A, patience=SHORT) == keys.LockBusy()
    assert _retire(db, claim, promoted, KEY_A) == keys.RowsRemain()


def test_a_write_whose_key_is_retired_meanwhile_is_made_again_with_the_current_one(
    postgres_db: Database,
) -> None:
    db = postgres_db
    mine = claimed(db)
    keys.set_write_key(db, mine, KEY_B, "canary", lock_timeout=PATIENT)
    stale = iter([KEY_A])
    attempts: list[KeyId] = []

    def write(connection: Connection, key: KeyId) -> int:
        attempts.append(key)
        return add_factor(connection, add_user(connection), key=next(stale, key))

    factor = with_token_write(db, write)
    assert attempts == [KEY_B, KEY_B]
    with db.read() as connection:
        row = connection.execute(select(factors).where(factors.c.id == factor)).one()
        assert row.key_id == KEY_B
        assert connection.execute(select(func.count()).select_from(factors)).scalar_one() == 1


def test_a_write_is_made_again_only_once(db: Database, claim: Claim) -> None:
    attempts: list[KeyId] = []

    def write(connection: Connection, key: KeyId) -> int:
        attempts.append(key)
        return add_factor(connection, add_user(connection), key=KEY_C)

    with pytest.raises(SupersededError):
        with_token_write(db, write)
    assert len(attempts) == 2


def test_another_violated_constraint_is_not_tried_again(db: Database, claim: Claim) -> None:
    attempts: list[KeyId] = []

    def write(connection: Connection, key: KeyId) -> int:
        attempts.append(key)
        return add_factor(connection, add_user(connection), key=key, fault="corrupt")

    with pytest.raises(IntegrityError):
        with_token_write(db, write)
    assert len(attempts) == 1
