"""Policies: two on one database, renamed, deleted and made anew, and what they refer to missing or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from practicus_mfa.core.manifests import ADOPT
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.objects import POLICIES, SECRETS
from tests.support.cluster.steps import (
    NAMES,
    await_counted,
    await_rotated,
    begin,
    delete_policy,
    delete_secret,
    edit_policy,
    policy_jobs,
    rotate,
    write_secret,
)
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.shared_operator import SharedOperator

A, B = generate_key(), generate_key()


@pytest.fixture
def installation(served: ClusterInstallation) -> ClusterInstallation:
    """Users under the key A."""
    begin(served, A)
    return served


def _annotations(installation: ClusterInstallation) -> dict[str, str]:
    found: dict[str, str] = installation.policy()["metadata"].get("annotations", {})
    return found


def _adopt(installation: ClusterInstallation) -> None:
    patch = {"metadata": {"annotations": {ADOPT: "true"}}}
    installation.cluster.merge(POLICIES, installation.namespace, installation.name, patch)


def _keyring(installation: ClusterInstallation) -> object:
    return installation.cluster.get(SECRETS, installation.namespace, installation.keyring_name)


def test_a_second_policy_changes_nothing_until_it_is_allowed_to_take_the_database_over(
    installation: ClusterInstallation, shared_operator: SharedOperator
) -> None:
    # The same name in another namespace: also what a restore in another cluster looks like.
    with shared_operator.installation(
        installation.database_url, name=installation.name, namespace=shared_operator.namespaces[1]
    ) as second:
        rotate(second, B, A)
        second.await_reason("Stalled", "ClaimedByOther")
        assert second.conditions()["Ready"] == ("False", "ClaimedByOther")
        assert f"belongs to policy {installation.namespace}/{installation.name}" in second.message("Ready")
        assert _keyring(second) is None
        assert installation.conditions()["Ready"] == ("True", "Ready")
        installation.check_secrets(NAMES, A)

        rotate(second, A)
        _adopt(second)
        await_rotated(second, A)
        until(lambda: ADOPT not in _annotations(second), "the annotation to be removed")
        installation.await_reason("Stalled", "ClaimedByOther")
        # The claim does not go back and forth.
        assert len(set(second.quiet(5))) == 1
        assert second.conditions()["Ready"] == ("True", "Ready")
        second.check_secrets(NAMES, A)


def test_a_renamed_policy_is_another_one_and_may_adopt_the_database(
    installation: ClusterInstallation, shared_operator: SharedOperator
) -> None:
    delete_policy(installation)
    with shared_operator.installation(
        installation.database_url, name=f"{installation.name}-renamed"
    ) as renamed:
        rotate(renamed, A)
        renamed.await_reason("Stalled", "ClaimedByOther")
        _adopt(renamed)
        await_rotated(renamed, A)
        rotate(renamed, B, A)
        await_rotated(renamed, B)
        renamed.check_secrets(NAMES, B)


def test_a_deleted_policy_leaves_data_and_keyring_and_one_of_its_name_goes_on(
    installation: ClusterInstallation,
) -> None:
    keyring = _keyring(installation)
    delete_policy(installation)
    assert _keyring(installation) == keyring
    installation.check_secrets(NAMES, A)
    installation.enrol("newcomer")

    rotate(installation, A)
    await_rotated(installation, A)
    assert _keyring(installation) == keyring
    assert installation.events() == []
    rotate(installation, B, A)
    await_rotated(installation, B)
    installation.check_secrets([*NAMES, "newcomer"], B)


def test_a_policy_deleted_in_the_middle_takes_its_jobs_along_and_another_of_its_name_ends_the_rotation(
    installation: ClusterInstallation, shared_operator: SharedOperator
) -> None:
    shared_operator.node.held = True
    try:
        rotate(installation, B, A)
        until(lambda: len(policy_jobs(installation)) == 1, "a Job")
        delete_policy(installation)
        until(lambda: policy_jobs(installation) == [], "the Job's end")
        assert installation.keyring()[0].ids == {A.id, B.id}
        installation.check_secrets(NAMES, A)
    finally:
        shared_operator.node.held = False
    rotate(installation, B, A)
    await_rotated(installation, B)
    assert installation.conditions()["OldKeyRetirable"] == ("True", "Safe")
    installation.check_secrets(NAMES, B)


def test_the_databases_secret_may_go_be_wrong_and_come_back(installation: ClusterInstallation) -> None:
    # Or they are counted after all, by a pass that is under way.
    await_counted(installation)
    secret, counted = f"{installation.name}-database", installation.status()["users"]
    delete_secret(installation, secret)
    installation.await_reason("DatabaseReachable", "DatabaseUnreachable")
    assert f"{secret}, which is to hold the database's URL, does not exist" in installation.message("Ready")
    assert installation.conditions()["Ready"] == ("False", "DatabaseUnreachable")
    assert installation.conditions()["DataUpToDate"] == ("Unknown", "DatabaseUnreachable")
    assert installation.status()["users"] == counted

    user, _, rest = installation.database_url.partition("@")
    write_secret(installation, secret, {"url": f"{user}-is-not-it@{rest}"})
    until(lambda: "password" in installation.message("DatabaseReachable"), "the database to refuse it")
    assert "is-not-it" not in str(installation.policy())
    assert installation.conditions()["Stalled"][0] == "False"
    write_secret(installation, secret, {"wrong": "entry"})
    write_secret(installation, secret, {"url": ""})
    until(
        lambda: "no database URL in the entry url" in installation.message("Ready"), "the entry to be missed"
    )

    write_secret(installation, secret, {"url": installation.database_url})
    await_rotated(installation, A)
    rotate(installation, B, A)
    await_rotated(installation, B)
    installation.check_secrets(NAMES, B)


def test_what_the_definition_lets_through_and_the_operator_can_not_use_is_misconfigured(
    installation: ClusterInstallation,
) -> None:
    # PostgreSQL folds Ä as well; the definition's language folds only what is ASCII.
    tables = [
        {"table": name, "idColumn": "id", "tokenColumns": ["token"]} for name in ("app.Ärzte", "app.ärzte")
    ]
    edit_policy(installation, migration={"tables": tables})
    installation.await_reason("Stalled", "Misconfigured")
    assert installation.conditions()["Ready"] == ("False", "Misconfigured")
    assert "the same table as" in installation.message("Ready")
    assert installation.status()["activeKeyID"] == A.id
    edit_policy(installation, migration={"tables": None})
    await_rotated(installation, A)

    # So is a keyring that somebody has written into.
    write_secret(installation, installation.keyring_name, {"keyring.yaml": "no keyring"})
    installation.await_reason("Stalled", "Misconfigured")
    assert installation.keyring_name in installation.message("Ready")
    delete_secret(installation, installation.keyring_name)
    await_rotated(installation, A)
    installation.check_secrets(NAMES, A)
