"""The keyring's Secrets on a real API server, with no more rights than the operator's role gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.errors import SupersededError, UsageError
from practicus_mfa.kube.connect import connect
from practicus_mfa.kube.faults import ForbiddenError
from practicus_mfa.reconciler.cluster.keyring_secrets import KeyringSecrets

if TYPE_CHECKING:
    from practicus_mfa.kube.client import Cluster as Client
    from tests.support.cluster.access import Cluster

KEYS = [FernetKey(bytes([number]) * 32) for number in range(4)]
HELD = HeldKeys(KEYS)
STAGED, ACTIVE, RETIRED = KeyState.STAGED, KeyState.ACTIVE, KeyState.RETIRED
NAMES = ("mfa-keyring", "mfa-keyring-archive")


@pytest.fixture
def client(cluster: Cluster, namespace: str) -> Client:
    named = [f"--resource-name={name}" for name in NAMES]
    rights = {"write": ["--verb=get,patch", *named], "make": ["--verb=create"]}
    cluster.kubectl("create", "serviceaccount", "operator", "-n", namespace)
    for name, right in rights.items():
        cluster.kubectl("create", "role", name, "-n", namespace, "--resource=secrets", *right)
        grant = ["rolebinding", name, f"--role={name}", f"--serviceaccount={namespace}:operator"]
        cluster.kubectl("create", *grant, "-n", namespace)
    return connect(kubeconfig=cluster.kubeconfig_for(namespace, "operator"))[0]


def _keyring(generation: int, *states: tuple[int, KeyState]) -> Keyring:
    return Keyring(generation, {KEYS[number].id: state for number, state in states})


def _generation(client: Client, namespace: str) -> int:
    loaded = KeyringSecrets(client, namespace, "mfa").load()
    assert loaded is not None
    return loaded[0].generation


def test_it_is_saved_loaded_and_archived(client: Client, cluster: Cluster, namespace: str) -> None:
    secrets = KeyringSecrets(client, namespace, "mfa")
    assert secrets.load() is None
    secrets.save(_keyring(1, (0, RETIRED), (1, ACTIVE)), HELD)
    secrets.save(_keyring(2, (1, ACTIVE)), HELD)
    again = KeyringSecrets(client, namespace, "mfa")
    assert again.load() == (_keyring(2, (1, ACTIVE)), HeldKeys([KEYS[1]]))
    again.save(_keyring(3, (2, ACTIVE)), HELD)
    found = json.loads(cluster.kubectl("get", "secrets", "-n", namespace, "-o=json"))["items"]
    assert tuple(secret["metadata"]["name"] for secret in found) == NAMES
    for secret in found:
        assert secret["metadata"]["labels"]["mfa.practicus.ai/policy"] == "mfa"
        assert "ownerReferences" not in secret["metadata"]
    assert found[0]["metadata"]["annotations"] == {"mfa.practicus.ai/keyring-generation": "3"}


def test_what_others_wrote_beside_it_stays(client: Client, cluster: Cluster, namespace: str) -> None:
    secrets = KeyringSecrets(client, namespace, "mfa")
    secrets.save(_keyring(1, (0, ACTIVE)), HELD)
    cluster.kubectl("label", "secret", "mfa-keyring", "-n", namespace, "backup=yes")
    secrets.load()
    secrets.save(_keyring(2, (0, ACTIVE)), HELD)
    assert cluster.kubectl("get", "secrets", "-n", namespace, "-l", "backup=yes", "-o=name").strip()


def test_a_process_that_was_paused_is_refused(client: Client, namespace: str) -> None:
    KeyringSecrets(client, namespace, "mfa").save(_keyring(1, (0, ACTIVE)), HELD)
    paused, other = KeyringSecrets(client, namespace, "mfa"), KeyringSecrets(client, namespace, "mfa")
    paused.load()
    other.save(_keyring(5, (0, ACTIVE), (1, STAGED)), HELD)
    with pytest.raises(SupersededError):
        paused.save(_keyring(2, (0, ACTIVE), (2, STAGED)), HELD)
    assert _generation(client, namespace) == 5


def test_two_that_found_none_don_t_both_make_one(client: Client, namespace: str) -> None:
    late = KeyringSecrets(client, namespace, "mfa")
    late.load()
    KeyringSecrets(client, namespace, "mfa").save(_keyring(5, (0, ACTIVE)), HELD)
    with pytest.raises(SupersededError):
        late.save(_keyring(1, (1, ACTIVE)), HELD)
    assert _generation(client, namespace) == 5


def test_one_that_was_deleted_meanwhile_is_not_brought_back(
    client: Client, cluster: Cluster, namespace: str
) -> None:
    secrets = KeyringSecrets(client, namespace, "mfa")
    secrets.save(_keyring(1, (0, ACTIVE)), HELD)
    cluster.kubectl("delete", "secret", "mfa-keyring", "-n", namespace)
    with pytest.raises(SupersededError):
        secrets.save(_keyring(2, (0, ACTIVE)), HELD)
    assert secrets.load() is None
    secrets.save(_keyring(3, (0, ACTIVE)), HELD)
    assert _generation(client, namespace) == 3


def test_one_that_was_made_anew_meanwhile_is_not_written_over(
    client: Client, cluster: Cluster, namespace: str
) -> None:
    secrets = KeyringSecrets(client, namespace, "mfa")
    secrets.save(_keyring(1, (0, ACTIVE)), HELD)
    cluster.kubectl("delete", "secret", "mfa-keyring", "-n", namespace)
    KeyringSecrets(client, namespace, "mfa").save(_keyring(7, (0, ACTIVE)), HELD)
    with pytest.raises(SupersededError):
        secrets.save(_keyring(2, (0, ACTIVE)), HELD)
    assert _generation(client, namespace) == 7


def test_one_that_may_not_be_read_is_not_absent(client: Client, namespace: str) -> None:
    with pytest.raises(ForbiddenError):
        KeyringSecrets(client, namespace, "other").load()


def test_one_that_was_emptied_by_hand_is_damaged(client: Client, cluster: Cluster, namespace: str) -> None:
    KeyringSecrets(client, namespace, "mfa").save(_keyring(1, (0, ACTIVE)), HELD)
    cluster.kubectl("patch", "secret", "mfa-keyring", "-n", namespace, "--type=merge", '-p={"data": null}')
    with pytest.raises(UsageError, match=f"Secret {namespace}/mfa-keyring: "):
        KeyringSecrets(client, namespace, "mfa").load()
