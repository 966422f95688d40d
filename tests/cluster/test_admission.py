"""The guard of rolling keys: an edit of the Secret can't drop one that rows may still need."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from typing import Final

import pytest
import yaml

from practicus_mfa.crypto.keys import generate_key, parse_key
from tests.support.chart import SEED, Helm
from tests.support.cluster import ways
from tests.support.cluster.access import Cluster, KubectlError
from tests.support.unavailable import without
from tests.support.waiting import until, until_it_succeeds

OLD: Final = generate_key().text
NEW: Final = generate_key().text
NEXT: Final = generate_key().text


@pytest.fixture(scope="module")
def guard(cluster: Cluster) -> Iterator[None]:
    """The chart's admission policy in force, for every namespace; not any more for the tests that follow."""
    try:
        helm = Helm(ways.find("helm3"))
    except ways.NoClusterError as error:
        without(error)
    manifest = yaml.safe_dump_all(helm.render(SEED, only="admission"))
    cluster.apply(manifest)
    namespace = cluster.create_namespace()
    install(cluster, namespace)

    # The API server takes a moment to know a new admission policy.
    edits = Edits(cluster, namespace)
    edits.refusal(activeKey=NEW)
    yield
    cluster.kubectl("delete", "--wait", "-f", "-", input=manifest)
    edits.passes(activeKey=NEW)
    cluster.delete_namespace(namespace)


def put(cluster: Cluster, namespace: str, keys: dict[str, str], *, name: str = "keys") -> None:
    data = {entry: b64encode(key.encode()).decode() for entry, key in keys.items()}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }
    cluster.kubectl("replace", "-f", "-", input=json.dumps(secret))


def install(cluster: Cluster, namespace: str) -> None:
    """Make a policy ``here``, and its Secret in the middle of a rotation from OLD to NEW."""
    policy = {
        "apiVersion": "mfa.practicus.ai/v1",
        "kind": "MfaPolicy",
        "metadata": {"name": "here", "namespace": namespace},
        "spec": {"secretStoreRef": {"name": "keys"}},
    }
    cluster.apply(json.dumps(policy))
    secret = ["create", "secret", "generic", "keys", "-n", namespace]
    cluster.kubectl(*secret, f"--from-literal=activeKey={NEW}", f"--from-literal=rollingKey={OLD}")


def say(cluster: Cluster, namespace: str, status: str, reason: str, *, generation: int = 1) -> None:
    """Publish the condition OldKeyRetirable as the operator does."""
    condition = {
        "type": "OldKeyRetirable",
        "status": status,
        "reason": reason,
        "message": "7 rows may still need it.",
        "observedGeneration": generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    patch = json.dumps({"status": {"conditions": [condition]}})
    cluster.kubectl(
        "patch", "mfap", "here", "-n", namespace, "--subresource=status", "--type=merge", "-p", patch
    )


class Edits:
    """Edits of the Secret ``keys``; the API server's own copy of policies lags a little."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def refusal(self, **keys: str) -> str:
        """Return why the edit is refused, as soon as it is."""
        told = ""

        def refused() -> bool:
            nonlocal told
            try:
                put(self._cluster, self._namespace, keys)
            except KubectlError as error:
                told = str(error)
                return "denied request" in told
            put(self._cluster, self._namespace, {"activeKey": NEW, "rollingKey": OLD})
            return False

        until(refused, "a refusal of the edit")
        return told

    def passes(self, **keys: str) -> None:
        """Return as soon as the edit passes."""
        edit = partial(put, self._cluster, self._namespace, keys)
        until_it_succeeds(edit, "the edit to pass", despite=KubectlError)


@pytest.fixture
def edit(guard: None, cluster: Cluster, namespace: str) -> Edits:
    """A policy whose rotation is under way."""
    install(cluster, namespace)
    return Edits(cluster, namespace)


def test_a_rolling_key_that_rows_need_can_not_be_dropped(
    edit: Edits, cluster: Cluster, namespace: str
) -> None:
    say(cluster, namespace, "False", "RowsRemain")
    told = edit.refusal(activeKey=NEW)
    assert "rows may still need the rolling key that this edit drops: put it back" in told
    assert f"`kubectl -n {namespace} describe mfap here` shows what holds it up" in told
    assert not any(key in told for key in (OLD, NEW))


def test_the_command_that_the_refusal_names_shows_why(edit: Edits, cluster: Cluster, namespace: str) -> None:
    say(cluster, namespace, "False", "RowsRemain")
    told = cluster.kubectl("-n", namespace, "describe", "mfap", "here")
    assert "7 rows may still need it." in told


@pytest.mark.parametrize(
    "keys",
    [
        {"activeKey": NEW, "rollingKey": NEXT},
        {"activeKey": NEXT, "rollingKey": NEW},
        {"activeKey": NEXT},
        {},
        {"activeKey": NEW, "rollingKey": ""},
    ],
    ids=["another rolling key", "the next rotation", "a third key", "no key", "an empty field"],
)
def test_nor_by_replacing_it(edit: Edits, keys: dict[str, str]) -> None:
    edit.refusal(**keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"activeKey": OLD},
        {"activeKey": OLD, "rollingKey": NEW},
        {"activeKey": NEXT, "rollingKey": OLD},
        {"activeKey": "", "rollingKey": OLD},
    ],
    ids=["a rollback", "swapped", "a newer target", "the active key emptied"],
)
def test_an_edit_that_keeps_it_in_either_field_passes(edit: Edits, keys: dict[str, str]) -> None:
    edit.passes(**keys)


def test_it_may_go_once_the_operator_says_so(edit: Edits, cluster: Cluster, namespace: str) -> None:
    say(cluster, namespace, "True", "Safe")
    edit.passes(activeKey=NEW)


def test_what_the_operator_said_of_an_older_policy_does_not_count(
    edit: Edits, cluster: Cluster, namespace: str
) -> None:
    say(cluster, namespace, "True", "Safe")
    cluster.kubectl(
        "patch", "mfap", "here", "-n", namespace, "--type=merge", "-p", '{"spec": {"session": {"hours": 1}}}'
    )
    edit.refusal(activeKey=NEW)
    say(cluster, namespace, "True", "Safe", generation=2)
    edit.passes(activeKey=NEW)


def test_a_key_that_no_rotation_took_up_may_go(edit: Edits, cluster: Cluster, namespace: str) -> None:
    # Where the policy is applied before its Secret, the Secret is stale and no rolling key is in use.
    say(cluster, namespace, "False", "NoRollingKey")
    edit.passes(activeKey=NEW)


def test_what_is_no_key_may_go(edit: Edits, cluster: Cluster, namespace: str) -> None:
    say(cluster, namespace, "True", "Safe")
    edit.passes(activeKey=NEW, rollingKey="oops")
    say(cluster, namespace, "False", "RowsRemain")
    edit.passes(activeKey=NEW, rollingKey=OLD)


def test_an_uninstallation_passes(edit: Edits, cluster: Cluster, namespace: str) -> None:
    say(cluster, namespace, "False", "RowsRemain")
    cluster.kubectl("delete", "secret", "keys", "-n", namespace)


def test_labels_may_be_edited(edit: Edits, cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("label", "secret", "keys", "-n", namespace, "team=a")


def test_secrets_that_no_policy_names_are_not_looked_at(
    edit: Edits, cluster: Cluster, namespace: str
) -> None:
    create = ["create", "secret", "generic", "others", "-n", namespace]
    cluster.kubectl(*create, f"--from-literal=activeKey={NEW}", f"--from-literal=rollingKey={OLD}")
    put(cluster, namespace, {"activeKey": NEW}, name="others")


def test_a_namespace_without_a_policy_is_not_looked_at(edit: Edits, cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("delete", "mfap", "here", "-n", namespace)
    edit.passes(activeKey=NEW)


def test_one_of_two_policies_that_needs_the_key_is_enough(
    edit: Edits, cluster: Cluster, namespace: str
) -> None:
    say(cluster, namespace, "True", "Safe")
    other = {
        "apiVersion": "mfa.practicus.ai/v1",
        "kind": "MfaPolicy",
        "metadata": {"name": "second", "namespace": namespace},
        "spec": {"secretStoreRef": {"name": "keys"}},
    }
    cluster.apply(json.dumps(other))
    assert "describe mfap second" in edit.refusal(activeKey=NEW)


class PolicyEdits:
    """Edits of what the policy ``here`` says of its Secret; the API server's own copy of it lags a little."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def patch(self, **secret_store: str | None) -> None:
        patch = json.dumps({"spec": {"secretStoreRef": secret_store}})
        self._cluster.kubectl("patch", "mfap", "here", "-n", self._namespace, "--type=merge", "-p", patch)

    def passes(self, **secret_store: str | None) -> None:
        """Return as soon as the edit passes."""
        until_it_succeeds(partial(self.patch, **secret_store), "the edit to pass", despite=KubectlError)


def key_id(text: str) -> str:
    return parse_key(text).id


@pytest.fixture
def named(edit: Edits, cluster: Cluster, namespace: str) -> PolicyEdits:
    """The same, whose policy names the keys by their IDs; the guard is in force."""
    edits = PolicyEdits(cluster, namespace)
    edits.patch(activeKeyID=key_id(NEW), rollingKeyID=key_id(OLD))
    say(cluster, namespace, "False", "RowsRemain", generation=2)
    edit.refusal(activeKey=NEW)
    return edits


@pytest.mark.parametrize(
    "ids",
    [
        {"rollingKeyID": None},
        {"activeKeyID": key_id(NEXT), "rollingKeyID": key_id(NEW)},
        {"activeKeyID": None, "rollingKeyID": None},
    ],
    ids=["none", "the next rotation", "no key at all"],
)
def test_where_the_secret_is_refused_so_is_the_policy_that_names_its_keys(
    named: PolicyEdits, ids: dict[str, str | None]
) -> None:
    with pytest.raises(KubectlError, match=r"denied request: rows may still need .* describe mfap here`"):
        named.patch(**ids)


@pytest.mark.parametrize(
    "ids",
    [
        {"activeKeyID": key_id(OLD), "rollingKeyID": key_id(NEW)},
        {"activeKeyID": key_id(NEXT)},
        {"name": "another", "activeKeyID": None, "rollingKeyID": None},
    ],
    ids=["swapped", "a newer target", "another Secret"],
)
def test_a_policy_that_keeps_the_id_or_turns_to_another_secret_passes(
    named: PolicyEdits, ids: dict[str, str | None]
) -> None:
    named.patch(**ids)


@pytest.mark.parametrize(("status", "reason"), [("True", "Safe"), ("False", "NoRollingKey")])
def test_the_id_may_go_when_the_key_may(
    named: PolicyEdits, cluster: Cluster, namespace: str, status: str, reason: str
) -> None:
    say(cluster, namespace, status, reason, generation=2)
    named.passes(rollingKeyID=None)
