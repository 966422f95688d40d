"""Mistakes in the two lines of values.yaml: each has a reason of its own, and none harms anybody."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.objects import SECRETS
from tests.support.cluster.reader import Lease
from tests.support.cluster.steps import (
    NAMES,
    await_message,
    await_rotated,
    begin,
    delete_secret,
    edit_policy,
    edit_secret,
    keep_keys_by_hand,
    rotate,
    secret_store,
)

if TYPE_CHECKING:
    from tests.support.cluster.operating import ClusterInstallation

A, B, C = generate_key(), generate_key(), generate_key()

MALFORMED = [
    (B.text[:-6], "secretStore.activeKey is not base64"),
    (f" {B.text}\n", "secretStore.activeKey has white space around it."),
    (f"'{B.text}'", "secretStore.activeKey has quotes around it."),
    (b64encode(B.text.encode()).decode(), "secretStore.activeKey is encoded with base64 twice"),
    ("a bad key!", "secretStore.activeKey"),
]


@pytest.fixture
def installation(served: ClusterInstallation) -> ClusterInstallation:
    """Users under the key A."""
    begin(served, A)
    return served


def test_a_key_that_is_mistyped_in_the_secret_is_named_and_harms_nothing(
    installation: ClusterInstallation,
) -> None:
    keep_keys_by_hand(installation)
    for written, message in MALFORMED:
        edit_secret(installation, written, A.text)
        await_message(installation, "KeysValid", message)
        assert installation.conditions()["KeysValid"] == ("False", "MalformedKey")
        assert installation.conditions()["Stalled"] == ("True", "MalformedKey")
        assert written not in str(installation.status())
        assert installation.status()["activeKeyID"] == A.id
    edit_secret(installation, A.text, A.text)
    installation.await_reason("KeysValid", "SameKey")
    edit_secret(installation, "", A.text)
    installation.await_reason("KeysValid", "ActiveKeyMissing")
    installation.enrol("newcomer")
    edit_secret(installation, b"\xff\xfe", A.text)
    installation.await_reason("Ready", "Misconfigured")
    assert "data.activeKey: not text in base64" in installation.message("Ready")
    installation.check_secrets([*NAMES, "newcomer"], A)

    edit_secret(installation, B.text, A.text)
    await_rotated(installation, B)
    installation.check_secrets([*NAMES, "newcomer"], B)


def test_a_rolling_key_alone_at_a_first_install_is_no_first_key(served: ClusterInstallation) -> None:
    served.apply("", A.text)
    served.await_reason("KeysValid", "OnlyRollingKey")
    assert served.conditions()["Ready"] == ("False", "OnlyRollingKey")
    assert served.cluster.get(SECRETS, served.namespace, served.keyring_name) is None

    begin(served, A)
    served.check_secrets(NAMES, A)


def test_going_back_to_a_former_key_needs_that_keys_id(installation: ClusterInstallation) -> None:
    rotate(installation, B, A)
    await_rotated(installation, B)

    for rolling, allowed in ((None, ""), (B, ""), (B, C.id)):
        migration = {"allowReverse": allowed} if allowed else {}
        installation.apply(A.text, rolling.text if rolling else "", migration=migration)
        installation.await_reason("KeysValid", "ReversedKeys")
        generation = installation.policy()["metadata"]["generation"]
        assert installation.conditions()["Ready"] == ("False", "ReversedKeys"), generation
        assert installation.status()["activeKeyID"] == B.id
    installation.check_secrets(NAMES, B)

    installation.apply(A.text, B.text, migration={"allowReverse": A.id})
    await_rotated(installation, A)
    installation.check_secrets(NAMES, A)


def test_a_policy_that_is_ahead_of_its_secret_waits_for_it(installation: ClusterInstallation) -> None:
    edit_policy(installation, secretStoreRef={"activeKeyID": B.id, "rollingKeyID": A.id})
    installation.await_reason("KeysValid", "SecretStale")
    assert installation.conditions()["Ready"] == ("False", "SecretStale")
    assert installation.conditions()["Stalled"][0] == "False"
    assert installation.keyring()[0].ids == {A.id}

    edit_secret(installation, B.text, A.text)
    await_rotated(installation, B)
    installation.check_secrets(NAMES, B)


def test_a_deleted_secret_is_missed_and_what_was_staged_goes_on_once_it_is_back(
    installation: ClusterInstallation,
) -> None:
    delete_secret(installation, secret_store(installation))
    installation.await_reason("KeysValid", "SecretMissing")
    installation.enrol("newcomer")

    with installation.database() as db, Lease(db, "replica-1", [A.id]):
        rotate(installation, B, A)
        installation.await_reason("ReadersConverged", "WaitingForReaders")
        delete_secret(installation, secret_store(installation))
        installation.await_reason("KeysValid", "SecretMissing")
        # Nothing is lost with it: the keyring holds both keys.
        assert installation.keyring()[0].ids == {A.id, B.id}
    # The reader is gone, and still nobody asks for the new key.
    installation.await_reason("ReadersConverged", "Converged")
    assert installation.status()["activeKeyID"] == A.id
    installation.check_secrets([*NAMES, "newcomer"], A)

    edit_secret(installation, B.text, A.text)
    await_rotated(installation, B)
    installation.check_secrets([*NAMES, "newcomer"], B)
