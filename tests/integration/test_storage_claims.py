from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.errors import EXIT_RETRY, SupersededError
from practicus_mfa.storage.claims import (
    Claimed,
    ClaimedByOther,
    guarded_write,
    read_claim,
    read_generation,
    record_generation,
    take_claim,
)
from practicus_mfa.storage.faults import BusyError
from tests.support.stores import IDENTITY, add_user, claimed

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

OTHER_PROCESS = replace(IDENTITY, owner="operator-2")
OTHER_POLICY = replace(IDENTITY, namespace="elsewhere", owner="operator-9")
SHORT = timedelta(milliseconds=50)


def test_the_first_one_owns_the_database(db: Database) -> None:
    with db.read() as connection:
        assert read_claim(connection) is None
        assert read_generation(connection) == 0
    assert take_claim(db, IDENTITY) == Claimed(replace(IDENTITY, epoch=1))
    with db.read() as connection:
        assert read_claim(connection) == replace(IDENTITY, epoch=1)


def test_the_owner_keeps_its_claim(db: Database) -> None:
    assert take_claim(db, IDENTITY) == take_claim(db, IDENTITY)


def test_another_process_of_the_policy_takes_over_and_the_first_one_is_fenced(db: Database) -> None:
    first = claimed(db)
    assert take_claim(db, OTHER_PROCESS) == Claimed(replace(OTHER_PROCESS, epoch=2))
    with pytest.raises(SupersededError) as caught, guarded_write(db, first):
        pytest.fail("it acts although another one has taken over")
    assert caught.value.message == "Another operator has taken over this database."
    assert caught.value.exit_code == EXIT_RETRY


def test_a_process_that_comes_back_has_a_new_epoch(db: Database) -> None:
    first = claimed(db)
    claimed(db, OTHER_PROCESS)
    assert take_claim(db, IDENTITY) == Claimed(replace(IDENTITY, epoch=3))
    with pytest.raises(SupersededError), guarded_write(db, first):
        pytest.fail("a claim of long ago counts again")


def test_a_second_policy_does_not_get_the_database(db: Database) -> None:
    first = claimed(db)
    assert take_claim(db, OTHER_POLICY) == ClaimedByOther(first)
    with guarded_write(db, first):
        pass


def test_a_second_policy_adopts_the_database(db: Database) -> None:
    first = claimed(db)
    assert take_claim(db, OTHER_POLICY, adopt=True) == Claimed(replace(OTHER_POLICY, epoch=2))
    with pytest.raises(SupersededError), guarded_write(db, first):
        pytest.fail("the first policy still acts")


def test_nobody_acts_before_the_first_claim(db: Database) -> None:
    with pytest.raises(SupersededError), guarded_write(db, IDENTITY):
        pytest.fail("it acts without a claim")


def test_a_take_over_waits_for_the_transaction_under_way(db: Database) -> None:
    first = claimed(db)
    outcome: list[object] = []
    taker = threading.Thread(target=lambda: outcome.append(take_claim(db, OTHER_PROCESS)))
    with guarded_write(db, first) as connection:
        taker.start()
        with pytest.raises(BusyError), db.write(lock_timeout=SHORT) as impatient:
            impatient.exec_driver_sql(
                "SELECT 1" if db.is_sqlite else "SELECT 1 FROM practicus_mfa.mfa_claim FOR UPDATE"
            )
        add_user(connection)
        assert outcome == []
    taker.join()
    assert outcome == [Claimed(replace(OTHER_PROCESS, epoch=2))]


def test_the_highest_generation_is_remembered(db: Database) -> None:
    claim = claimed(db)
    for told, known in ((3, 3), (2, 3), (4, 4)):
        with guarded_write(db, claim) as connection:
            record_generation(connection, told)
            assert read_generation(connection) == known
    claimed(db, OTHER_PROCESS)
    with db.read() as connection:
        assert read_generation(connection) == 4
