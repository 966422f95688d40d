"""An upgrade in the middle of a rotation that the release before has begun: this one ends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import select

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.storage import schema, versions
from tests.support.cluster.upgrading import PEOPLE, Upgrading, upgrading
from tests.support.releases import EARLIER, HistoryMissingError
from tests.support.unavailable import without
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.with_node import NodeCluster

OLD, NEW = generate_key(), generate_key()

PAGE: Final = 10
"""Rows; several pages are enough of a rotation to be held up in."""

NOWHERE: Final = {"mfa.practicus.ai/test": "nowhere"}
"""What no node bears, so that pods wait."""


@pytest.fixture(params=EARLIER, ids=lambda earlier: earlier.version)
def release(
    request: pytest.FixtureRequest, node_cluster: NodeCluster, tmp_path: Path, pods_postgres_url: str
) -> Iterator[Upgrading]:
    """The earlier release, with people; pages of a rotation are small."""
    try:
        with upgrading(request.param, node_cluster, tmp_path, pods_postgres_url, helm="helm4") as found:
            for each in (found.before, found.after):
                each.change(migration={"batchSize": PAGE, "parallelism": 1})
            found.before.apply("install", OLD)
            found.before.await_ready()
            found.enrol_people()
            yield found
    except HistoryMissingError as error:
        without(error)


def pods(release: Upgrading) -> list[dict[str, Any]]:
    """The pods of Jobs."""
    found: list[dict[str, Any]] = json.loads(
        release.before.kubectl("get", "pods", "-l", "app.kubernetes.io/component=migration", "-o=json")
    )["items"]
    return found


def images(release: Upgrading) -> set[str]:
    """What pods of Jobs run by now."""
    return {str(pod["spec"]["containers"][0]["image"]) for pod in pods(release)}


def upgrade(release: Upgrading) -> None:
    """Upgrade, and wait until the new operator is the one that is there."""
    release.after.apply("upgrade", NEW, OLD)
    release.after.kubectl("rollout", "status", "deploy/mfa-operator", "--timeout=240s")


def tables_are_new(release: Upgrading) -> bool:
    with release.before.installation.database() as db:
        return versions.current(db) == versions.head()


def moved(release: Upgrading) -> int:
    """How many rows are under the new key."""
    with release.before.installation.database() as db, db.read() as connection:
        keys = connection.execute(select(schema.factors.c.key_id)).scalars()
        return sum(key == NEW.id for key in keys)


def check_ended(release: Upgrading) -> None:
    """The rotation is over; everybody's secret opens under the new key alone."""
    release.after.await_ready()
    status = release.before.installation.status()
    assert (status["rotation"]["id"], status["rotation"]["step"]) == (1, "Complete")
    assert (status["users"]["enrolled"], status["users"]["active"]) == (len(PEOPLE), len(PEOPLE))
    release.before.installation.check_secrets(PEOPLE, NEW)


def test_a_worker_of_the_release_before_ends_its_pages_beside_the_new_operator(release: Upgrading) -> None:
    installation = release.before.installation
    with installation.database() as db:
        with db.write() as connection:
            # Somebody at work on a row of the third page: the worker waits there.
            row = select(schema.factors.c.id).where(schema.factors.c.id == 3 * PAGE).with_for_update()
            assert connection.execute(row).scalar_one() == 3 * PAGE
            release.before.apply("upgrade", NEW, OLD)
            until(lambda: moved(release) == 2 * PAGE, "two pages to be done")
            upgrade(release)
            assert not tables_are_new(release)
        until(lambda: tables_are_new(release), "the tables of this release")
    check_ended(release)


def test_a_pod_of_the_release_before_that_starts_late_changes_nothing_and_is_replaced(
    release: Upgrading,
) -> None:
    waiting = {"resyncSeconds": 5, "jobTemplate": {"nodeSelector": NOWHERE}}
    release.before.change(operator=waiting)
    release.before.apply("upgrade", OLD)
    # The operator reads it when it starts; the one before must not be there to make a Job.
    release.await_one_operator()
    release.before.apply("upgrade", NEW, OLD)
    until(lambda: pods(release) != [], "a pod that waits for a node")
    earlier = images(release)
    assert moved(release) == 0
    upgrade(release)
    until(lambda: tables_are_new(release), "the tables of this release")
    (node,) = release.after.nodes.plane.kubectl("get", "nodes", "-o=name").split()
    ((label, value),) = NOWHERE.items()
    release.after.nodes.plane.kubectl("label", node, f"{label}={value}")
    try:
        check_ended(release)
    finally:
        release.after.nodes.plane.kubectl("label", node, f"{label}-")
    assert images(release) != earlier
    assert "MigrationJobFailed" in release.before.installation.events()
