from __future__ import annotations

from typing import TYPE_CHECKING

from practicus_mfa.crypto.keys import generate_key

if TYPE_CHECKING:
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.pretend_node import PretendNode

USERS = [f"user-{number}" for number in range(200)]


def test_an_applied_policy_becomes_ready_and_a_changed_key_moves_every_row(
    installation: ClusterInstallation, node: PretendNode
) -> None:
    first, second = generate_key(), generate_key()
    with installation.operator():
        installation.apply(first.text)
        installation.await_ready()
        installation.enrol(*USERS)
        installation.apply(second.text, first.text)
        installation.await_ready()
    installation.check_secrets(USERS, second)
    status = installation.status()
    assert status["activeKeyID"] == second.id
    assert status["users"] | {"total": 0} == {
        "total": 0,
        "enrolled": 200,
        "active": 200,
        "rolling": 0,
        "unknown": 0,
        "corrupt": 0,
    }
    assert installation.conditions()["OldKeyRetirable"] == ("True", "Safe")
    assert installation.events() == [
        "RotationStarted",
        "ReadersConverged",
        "KeyPromoted",
        "MigrationCompleted",
        "OldKeyRetired",
    ]
