"""The keyring's Secrets: what is there is never taken for nothing, what is newer never written over."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_file import load
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.errors import SupersededError, UnreachableError, UsageError
from practicus_mfa.kube.objects import SECRETS, Tree
from practicus_mfa.reconciler.cluster.keyring_secrets import KeyringSecrets
from tests.support.fake_cluster import FakeCluster

KEYS = [FernetKey(bytes([number]) * 32) for number in range(8)]
HELD = HeldKeys(KEYS)
STAGED, ACTIVE, RETIRED = KeyState.STAGED, KeyState.ACTIVE, KeyState.RETIRED


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def _secrets(cluster: FakeCluster) -> KeyringSecrets:
    return KeyringSecrets(cluster, "here", "mfa")


def _keyring(generation: int, *states: tuple[int, KeyState]) -> Keyring:
    return Keyring(generation, {KEYS[number].id: state for number, state in states})


def _save(cluster: FakeCluster, generation: int, *states: tuple[int, KeyState]) -> None:
    secrets = _secrets(cluster)
    secrets.load()
    secrets.save(_keyring(generation, *states), HELD)


def _secret(cluster: FakeCluster, name: str) -> Tree:
    found = cluster.get(SECRETS, "here", name)
    assert found is not None
    return found


def _archived(cluster: FakeCluster) -> list[int]:
    text = b64decode(_secret(cluster, "mfa-keyring-archive")["data"]["keyring.yaml"]).decode()
    return [KEYS.index(key) for key in load(text)[1].values()]


def test_no_keyring(cluster: FakeCluster) -> None:
    assert _secrets(cluster).load() is None


def test_what_is_saved_is_loaded(cluster: FakeCluster) -> None:
    _save(cluster, 3, (0, ACTIVE), (1, STAGED))
    loaded = _secrets(cluster).load()
    assert loaded is not None
    assert loaded[0] == _keyring(3, (0, ACTIVE), (1, STAGED))
    assert set(loaded[1].values()) == set(KEYS[:2])
    assert cluster.names(SECRETS) == ("mfa-keyring",)


def test_the_secret_tells_whose_it_is_and_its_generation_and_belongs_to_nobody(cluster: FakeCluster) -> None:
    _save(cluster, 3, (0, ACTIVE))
    _save(cluster, 4, (1, ACTIVE))
    secret = _secret(cluster, "mfa-keyring")
    assert secret["metadata"]["labels"] == {
        "app.kubernetes.io/name": "practicus-mfa",
        "app.kubernetes.io/managed-by": "practicus-mfa",
        "mfa.practicus.ai/policy": "mfa",
    }
    assert secret["metadata"]["annotations"] == {"mfa.practicus.ai/keyring-generation": "4"}
    for name in cluster.names(SECRETS):
        assert "ownerReferences" not in _secret(cluster, name)["metadata"]


def test_the_archive_keeps_those_that_left_last(cluster: FakeCluster) -> None:
    for number in range(6):
        _save(cluster, number + 1, (number, RETIRED), (7, ACTIVE))
    assert _archived(cluster) == [2, 3, 4]


def test_the_archive_is_written_first(cluster: FakeCluster) -> None:
    _save(cluster, 1, (0, RETIRED), (7, ACTIVE))
    cluster.calls.clear()
    _save(cluster, 2, (7, ACTIVE))
    assert [name for verb, _, name in cluster.calls if verb in {"create", "patch"}] == [
        "mfa-keyring-archive",
        "mfa-keyring",
    ]


def test_a_pass_that_changes_nothing_reads_once_and_writes_nothing(cluster: FakeCluster) -> None:
    _save(cluster, 1, (0, ACTIVE))
    cluster.calls.clear()
    _secrets(cluster).load()
    assert cluster.calls == [("get", "Secret", "mfa-keyring")]


def test_a_process_that_was_paused_can_t_put_an_old_keyring_over_a_newer_one(cluster: FakeCluster) -> None:
    _save(cluster, 1, (0, ACTIVE))
    paused = _secrets(cluster)
    paused.load()
    _save(cluster, 2, (0, ACTIVE), (1, STAGED))
    with pytest.raises(SupersededError, match="Secret here/mfa-keyring is not what it was"):
        paused.save(_keyring(2, (0, ACTIVE), (2, STAGED)), HELD)
    loaded = _secrets(cluster).load()
    assert loaded is not None
    assert loaded[0] == _keyring(2, (0, ACTIVE), (1, STAGED))


def test_two_that_found_none_don_t_both_make_one(cluster: FakeCluster) -> None:
    late = _secrets(cluster)
    late.load()
    _save(cluster, 1, (0, ACTIVE))
    with pytest.raises(SupersededError):
        late.save(_keyring(1, (1, ACTIVE)), HELD)


def test_a_keyring_that_was_deleted_meanwhile_is_looked_at_again(cluster: FakeCluster) -> None:
    _save(cluster, 1, (0, ACTIVE))
    secrets = _secrets(cluster)
    secrets.load()
    cluster.delete(SECRETS, "here", "mfa-keyring")
    with pytest.raises(SupersededError):
        secrets.save(_keyring(2, (0, ACTIVE)), HELD)
    assert cluster.names(SECRETS) == ()


def test_it_may_be_saved_twice_in_a_pass(cluster: FakeCluster) -> None:
    secrets = _secrets(cluster)
    secrets.load()
    secrets.save(_keyring(1, (0, ACTIVE)), HELD)
    secrets.save(_keyring(2, (0, ACTIVE), (1, STAGED)), HELD)
    loaded = secrets.load()
    assert loaded is not None
    assert loaded[0].generation == 2


def test_after_a_write_of_unknown_outcome_it_is_read_anew(cluster: FakeCluster) -> None:
    _save(cluster, 1, (0, ACTIVE))
    secrets = _secrets(cluster)
    secrets.load()

    def cut(verb: str, *_: object) -> UnreachableError | None:
        return UnreachableError("no answer", remedy="wait") if verb == "patch" else None

    cluster.refuse = cut
    with pytest.raises(UnreachableError):
        secrets.save(_keyring(2, (0, ACTIVE)), HELD)
    cluster.refuse = lambda *_: None
    _save(cluster, 2, (0, ACTIVE), (1, STAGED))  # it had arrived, or another one wrote
    secrets.save(_keyring(3, (0, ACTIVE)), HELD)
    assert _archived(cluster) == [1]


def test_only_what_is_not_there_is_absent(cluster: FakeCluster) -> None:
    cluster.refuse = lambda *_: UnreachableError("no answer", remedy="wait")
    with pytest.raises(UnreachableError):
        _secrets(cluster).load()


@pytest.mark.parametrize("data", [None, {}, {"keyring.yaml": ""}, {"other": "YQ=="}])
def test_a_secret_without_a_keyring_is_damaged(cluster: FakeCluster, data: dict[str, str] | None) -> None:
    cluster.put(SECRETS, {"metadata": {"name": "mfa-keyring", "namespace": "here"}, "data": data})
    with pytest.raises(UsageError, match=r"Secret here/mfa-keyring: .*missing"):
        _secrets(cluster).load()


def test_a_damaged_archive_lets_no_key_go(cluster: FakeCluster) -> None:
    _save(cluster, 1, (0, RETIRED), (7, ACTIVE))
    text = b64encode(b"generation: 0\n").decode()
    archive = {
        "metadata": {"name": "mfa-keyring-archive", "namespace": "here"},
        "data": {"keyring.yaml": text},
    }
    cluster.put(SECRETS, archive)
    with pytest.raises(UsageError, match="keyring-archive"):
        _save(cluster, 2, (7, ACTIVE))
    loaded = _secrets(cluster).load()
    assert loaded is not None
    assert KEYS[0].id in loaded[0].ids


def test_no_key_is_shown(cluster: FakeCluster) -> None:
    _save(cluster, 1, (0, ACTIVE))
    secrets = _secrets(cluster)
    secrets.load()
    assert KEYS[0].text not in repr(secrets)
    assert "keyring.yaml" not in repr(secrets)
