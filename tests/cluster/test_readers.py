"""Log-in replicas: no key writes before each of them can read it, and nobody waits for one that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.storage.readers import CannotReadWriteKey, register
from tests.support.cluster.reader import ClusterReader, Lease
from tests.support.cluster.steps import NAMES, await_rotated, begin, leave_rows, rotate
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.support.cluster.operating import ClusterInstallation

A, B = generate_key(), generate_key()


@pytest.fixture
def installation(served: ClusterInstallation) -> ClusterInstallation:
    """Users under the key A."""
    begin(served, A)
    return served


def test_a_replica_that_lags_is_named_and_waited_for(installation: ClusterInstallation) -> None:
    with installation.database() as db:
        quick, slow = (
            ClusterReader(installation, db, "replica-1"),
            ClusterReader(installation, db, "replica-2", lags=True),
        )
        with (
            quick.at_work(lambda: quick.verify_users(NAMES)),
            slow.at_work(lambda: slow.verify_users(NAMES)),
        ):
            rotate(installation, B, A)
            until(
                lambda: "1 of 2 readers can't read" in installation.message("ReadersConverged"),
                "the one that lags to be told from the other",
            )
            assert installation.conditions()["ReadersConverged"] == ("False", "WaitingForReaders")
            assert installation.conditions()["Ready"] == ("False", "WaitingForReaders")
            assert installation.message("ReadersConverged").endswith(" yet: replica-2.")
            assert installation.status()["readers"] == {"total": 2, "converged": 1}
            assert installation.status()["activeKeyID"] == A.id
            slow.lags = False
            await_rotated(installation, B)
            assert installation.conditions()["ReadersConverged"] == ("True", "Converged")
        assert quick.failures == slow.failures == []
    installation.check_secrets(NAMES, B)


def test_a_replica_that_died_without_a_word_is_waited_for_until_its_lease_ends(
    installation: ClusterInstallation,
) -> None:
    with installation.database() as db, Lease(db, "replica-1", [A.id]) as lease:
        rotate(installation, B, A)
        installation.await_reason("ReadersConverged", "WaitingForReaders")
        lease.die()
        await_rotated(installation, B)
        # It is not dead after all: it comes back too late to be counted, and is told so.
        assert register(db, "replica-1", [A.id]) == CannotReadWriteKey(B.id)
    installation.check_secrets(NAMES, B)


def test_an_operator_that_comes_to_replicas_at_work_lets_the_key_write_that_they_can_read(
    served: ClusterInstallation,
) -> None:
    served.set_up_database()
    leave_rows(served, A)
    with served.database() as db, Lease(db, "replica-1", [A.id]) as lease:
        rotate(served, B, A)
        served.await_reason("ReadersConverged", "WaitingForReaders")
        assert served.status()["activeKeyID"] == ""
        assert served.keyring()[0].ids == {A.id, B.id}
        lease.read_with([A.id, B.id])
        await_rotated(served, B)
    # The key that opens the rows wrote first; the other one was promoted as ever.
    assert served.status()["rotation"]["migrated"] == len(NAMES)
    assert "KeyPromoted" in served.events()
    served.check_secrets(NAMES, B)


def test_without_replicas_the_active_key_writes_at_once_over_rows_of_the_rolling_key(
    served: ClusterInstallation,
) -> None:
    served.set_up_database()
    leave_rows(served, A)
    rotate(served, B, A)
    await_rotated(served, B)
    assert "KeyPromoted" not in served.events()
    assert served.message("ReadersConverged") == "No reader holds a lease."
    served.check_secrets(NAMES, B)
