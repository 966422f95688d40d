"""What happens in the middle of a rotation: further edits, a key removed too early, suspension."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.objects import SECRETS
from tests.support.cluster.reader import Lease
from tests.support.cluster.steps import (
    NAMES,
    await_counted,
    await_message,
    await_rotated,
    begin,
    policy_jobs,
    rotate,
    suspend,
)
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.pretend_node import PretendNode
    from tests.support.cluster.shared_operator import SharedOperator


A, B, C = generate_key(), generate_key(), generate_key()


@pytest.fixture
def installation(served: ClusterInstallation) -> ClusterInstallation:
    """Users under the key A."""
    begin(served, A)
    return served


@pytest.fixture
def held_node(shared_operator: SharedOperator) -> Iterator[PretendNode]:
    """A node that starts no pod until it is told to."""
    shared_operator.node.held = True
    yield shared_operator.node
    shared_operator.node.held = False


def test_the_rolling_key_removed_too_early_is_kept_and_told_once(installation: ClusterInstallation) -> None:
    with installation.database() as db, Lease(db, "replica-1", [A.id]):
        rotate(installation, B, A)
        installation.await_reason("ReadersConverged", "WaitingForReaders")
        rotate(installation, B)
        early = f" Key {A.id} was removed from values.yaml too early; the keyring still has it."
        await_message(installation, "OldKeyRetirable", f"Rows may still need key {A.id}.{early}")
        assert installation.conditions()["OldKeyRetirable"] == ("False", "RowsRemain")
        until(lambda: "OldKeyRemovedEarly" in installation.events(), "the warning")
    await_rotated(installation, B)
    installation.check_secrets(NAMES, B)
    assert installation.events().count("OldKeyRemovedEarly") == 1
    until(lambda: installation.keyring()[0].ids == {B.id}, "the old key to be unloaded")


def test_three_keys_within_seconds_end_at_the_last(installation: ClusterInstallation) -> None:
    rotate(installation, B, A)
    rotate(installation, C, B)
    await_rotated(installation, C)
    installation.check_secrets(NAMES, C)


def test_an_edit_before_the_promotion_replaces_the_target_and_one_back_leaves_no_trace(
    installation: ClusterInstallation,
) -> None:
    with installation.database() as db, Lease(db, "replica-1", [A.id]):
        rotate(installation, B, A)
        installation.await_reason("ReadersConverged", "WaitingForReaders")
        rotate(installation, C, A)
        until(lambda: installation.keyring()[0].ids == {A.id, C.id}, "the newer key in place of the other")
        await_message(installation, "DataUpToDate", f"Key {C.id} is about to become the active key")
        assert installation.conditions()["DataUpToDate"] == ("False", "Migrating")
        rotate(installation, A)
        await_rotated(installation, A)
        assert installation.keyring()[0].ids == {A.id}
    installation.check_secrets(NAMES, A)
    assert "KeyPromoted" not in installation.events()


def test_an_edit_after_the_promotion_queues_behind_it(
    installation: ClusterInstallation, held_node: PretendNode
) -> None:
    rotate(installation, B, A)
    until(lambda: installation.status().get("activeKeyID") == B.id, "the promotion")
    rotate(installation, C, B)
    until(lambda: f"Key {C.id} is next." in installation.message("DataUpToDate"), "the next key in the queue")
    assert installation.conditions()["DataUpToDate"] == ("False", "Migrating")
    held_node.held = False
    await_rotated(installation, C)
    installation.check_secrets(NAMES, C)
    assert installation.status()["history"][1]["activeKeyID"] == B.id


def test_suspension_holds_a_rotation_before_and_after_the_promotion(
    installation: ClusterInstallation, held_node: PretendNode
) -> None:
    suspend(installation, True)
    installation.apply(B.text, A.text, migration={"suspend": True, "parallelism": 1})
    installation.await_reason("DataUpToDate", "Suspended")
    assert installation.status()["activeKeyID"] == A.id
    assert installation.conditions()["Ready"] == ("False", "Suspended")
    installation.check_secrets(NAMES, A)

    suspend(installation, False)
    until(lambda: len(policy_jobs(installation)) == 1, "a Job")
    suspend(installation, True)
    installation.await_reason("DataUpToDate", "Suspended")
    until(lambda: not policy_jobs(installation), "the Job's end")
    assert installation.status()["activeKeyID"] == B.id

    held_node.held = False
    suspend(installation, False)
    await_rotated(installation, B)
    installation.check_secrets(NAMES, B)


def test_a_rotation_without_users_and_without_replicas_comes_to_its_end(served: ClusterInstallation) -> None:
    served.apply(A.text)
    served.await_ready()
    rotate(served, B, A)
    await_rotated(served, B)
    assert served.conditions()["ReadersConverged"] == ("True", "Converged")
    assert served.message("ReadersConverged") == "No reader holds a lease."
    assert served.conditions()["DataUpToDate"] == ("True", "UpToDate")
    assert policy_jobs(served) == []


def test_a_retired_key_that_is_named_again_starts_no_rotation(installation: ClusterInstallation) -> None:
    rotate(installation, B, A)
    await_rotated(installation, B)
    assert installation.conditions()["OldKeyRetirable"] == ("True", "Safe")
    rotate(installation, B)
    await_message(installation, "OldKeyRetirable", "No rolling key is in use.")
    until(lambda: installation.keyring()[0].ids == {B.id}, "the old key to be unloaded")
    rotation = installation.status()["rotation"]
    where = (SECRETS, installation.namespace, installation.keyring_name)
    keyring = installation.cluster.get(*where)

    rotate(installation, B, A)
    await_rotated(installation, B)
    installation.await_reason("OldKeyRetirable", "Safe")
    await_counted(installation)
    # Two resyncs long nothing is written.
    assert len(set(installation.quiet(5))) == 1
    assert installation.status()["rotation"] == rotation
    assert installation.cluster.get(*where) == keyring
    installation.check_secrets(NAMES, B)
