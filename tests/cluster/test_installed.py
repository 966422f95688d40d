"""The product as a platform team has it: the chart, the image, pods on a node, PostgreSQL, 20,000 users."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import func, select

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.storage import schema
from tests.support.chart import Helm
from tests.support.cluster import ways
from tests.support.cluster.operating import ClusterInstallation
from tests.support.cluster.release import Release
from tests.support.cluster.spellings import spellings
from tests.support.cluster.steps import await_counted
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.with_node import NodeCluster

RELEASE: Final = "mfa"
USERS: Final = [f"user-{number}" for number in range(20_000)]
SAMPLE: Final = USERS[::500]
OLD, NEW = generate_key(), generate_key()


@contextmanager
def rotated(nodes: NodeCluster, root: Path, database_url: str, users: list[str]) -> Iterator[Release]:
    """An installed release whose users are enrolled under the old key, and then rotated to the new one."""
    namespace = nodes.plane.create_namespace()
    installation = ClusterInstallation.within(nodes.plane, namespace, root, database_url, name=RELEASE)
    helm = Helm(ways.find("helm3"), kubeconfig=nodes.plane.kubeconfig)
    found = Release(nodes, helm, installation)
    found.apply("install", OLD)
    found.await_ready()
    installation.enrol(*users)
    found.apply("upgrade", NEW, OLD)
    # At once: the Ready of the old keys must not be taken for that of the new ones.
    found.await_ready()
    yield found
    nodes.plane.delete_namespace(namespace)


@pytest.fixture(scope="module")
def release(
    node_cluster: NodeCluster, tmp_path_factory: pytest.TempPathFactory, pods_postgres: str
) -> Iterator[Release]:
    """A release with all users, which tests leave as it is: they come in any order."""
    with rotated(node_cluster, tmp_path_factory.mktemp("release"), pods_postgres, USERS) as found:
        yield found


def test_two_changed_lines_bring_every_row_under_the_new_key(release: Release) -> None:
    await_counted(release.installation, len(USERS))
    status = release.installation.status()
    assert (status["activeKeyID"], status["rollingKeyID"]) == (NEW.id, OLD.id)
    assert status["users"] == {
        "total": len(USERS),
        "enrolled": len(USERS),
        "active": len(USERS),
        "rolling": 0,
        "unknown": 0,
        "corrupt": 0,
    }
    assert status["rotation"]["migrated"] == len(USERS)
    assert release.installation.conditions()["OldKeyRetirable"] == ("True", "Safe")
    release.installation.check_secrets(SAMPLE, NEW)
    with release.installation.database() as db, db.read() as connection:
        keys: dict[object, int] = dict(
            connection.execute(
                select(schema.factors.c.key_id, func.count()).group_by(schema.factors.c.key_id)
            ).all()
        )
    assert keys == {NEW.id: len(USERS)}


def migration_pods(release: Release) -> list[dict[str, Any]]:
    """The pods that moved rows or tried them."""
    found: list[dict[str, Any]] = json.loads(
        release.kubectl("get", "pods", "-l", "app.kubernetes.io/component=migration", "-o=json")
    )["items"]
    return found


def phases(release: Release) -> dict[str, str]:
    """How each of them is."""
    return {pod["metadata"]["name"]: pod["status"]["phase"] for pod in migration_pods(release)}


def test_jobs_did_it_in_pods_that_hold_no_token_of_the_api(release: Release) -> None:
    until(lambda: set(phases(release).values()) == {"Succeeded"}, "the last pod to end")
    pods = migration_pods(release)
    assert {pod["metadata"]["labels"]["mfa.practicus.ai/mode"] for pod in pods} == {"migrate", "verify"}
    for pod in pods:
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert {volume["name"] for volume in pod["spec"]["volumes"]} == {"keyring", "database"}


def test_helm_test_finds_the_tables_where_there_is_no_login_service(release: Release) -> None:
    # Again and again: the pod of the time before gives way.
    for _ in range(2):
        told = release.helm.run("test", RELEASE, f"--namespace={release.installation.namespace}", "--logs")
        assert re.search(r"^Phase: +Succeeded$", told, re.MULTILINE)
    assert release.kubectl("get", "pods", "-l", "app.kubernetes.io/component=test", "-o=name").split() == [
        f"pod/{RELEASE}-test"
    ]


def test_what_kubectl_shows_reads_well(release: Release) -> None:
    header, line = release.kubectl("get", "mfap", "-o=wide").splitlines()
    assert re.split(r"\s{2,}", header.strip()) == [
        "NAME",
        "READY",
        "REASON",
        "ENROLLED",
        "ROLLING",
        "UNKNOWN",
        "ACTIVE-KEY",
        "LAST-SCAN",
        "AGE",
        "READERS",
        "MESSAGE",
    ]
    assert line.split()[:7] == [RELEASE, "True", "Ready", str(len(USERS)), "0", "0", NEW.id]
    told = release.kubectl("describe", "mfap", RELEASE)
    assert "KeyPromoted" in told
    assert f"No row needs key {OLD.id}: it may be removed from values.yaml." in told


def test_no_key_is_anywhere_but_in_secrets(release: Release) -> None:
    kinds = release.kubectl("api-resources", "--verbs=list", "--namespaced", "-o=name").split()
    told = release.kubectl(
        "get", ",".join(kind for kind in kinds if kind != "secrets"), "-o=yaml", "--show-managed-fields"
    )
    told += release.kubectl("get", "secrets", "-o=jsonpath={.items[*].metadata}")
    told += release.kubectl("logs", f"deploy/{RELEASE}-operator")
    told += release.kubectl("logs", "-l", "app.kubernetes.io/component=migration", "--tail=-1")
    assert "KeyPromoted" in told
    for key in (OLD, NEW):
        for text in spellings(key.text):
            assert text not in told
