"""What becomes of a rotation when its Job's pods, or the Job itself, come to grief."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from practicus_mfa.core.rules.rows_to_move import pause_after
from practicus_mfa.kube.objects import EVENTS, JOBS
from practicus_mfa.kube.pods import instant_of
from tests.support.cluster.ended_pods import end, held_pod
from tests.support.cluster.one_rotation import OneRotation
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from practicus_mfa.kube.objects import Tree
    from tests.support.cluster.access import Cluster
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.pretend_node import PretendNode

REFUSED = "error: the keyring in /etc/practicus-mfa/keyring can't be read. Correct it.\n"


def names(installation: ClusterInstallation) -> set[str]:
    return {job["metadata"]["name"] for job in installation.jobs()}


def failures(installation: ClusterInstallation) -> list[str]:
    told = installation.cluster.list(EVENTS, installation.namespace)
    return sorted(event["message"] for event in told if event["reason"] == "MigrationJobFailed")


def failed_at(job: Tree) -> Tree | None:
    conditions = (job.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == "Failed"), None)


@contextmanager
def short_lived_jobs(installation: ClusterInstallation) -> Iterator[None]:
    """Let Kubernetes delete each Job as soon as it is complete, as a policy of the cluster may want it."""
    stopped = threading.Event()

    def shorten() -> None:
        while not stopped.wait(0.1):
            for job in installation.jobs():
                if job["spec"]["ttlSecondsAfterFinished"]:
                    patch = {"spec": {"ttlSecondsAfterFinished": 0}}
                    installation.cluster.merge(JOBS, installation.namespace, job["metadata"]["name"], patch)

    thread = threading.Thread(target=shorten)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def test_pods_that_are_killed_evicted_or_out_of_memory_are_replaced_within_the_attempt(
    cluster: Cluster, installation: ClusterInstallation, node: PretendNode
) -> None:
    story = OneRotation(installation)
    with installation.operator():
        story.install()
        node.held = True
        story.begin()
        end(installation, 137, "OOMKilled")
        end(installation, 137, "Error", evicted=True)
        pod = held_pod(installation)["metadata"]["name"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        where = f"/api/v1/namespaces/{installation.namespace}/pods/{pod}/eviction"
        cluster.kubectl("create", "--raw", where, "-f", "-", input=json.dumps(eviction))
        until(lambda: held_pod(installation)["metadata"]["name"] != pod, "another pod")
        node.held = False
        until(lambda: node.running != {}, "a worker")
        node.kill()
        story.check()
    # An attempt outlives all that; it is not one more for each pod.
    assert "practicus-mfa-migrate-1-1" in names(installation)
    assert failures(installation) == []


def test_a_job_that_somebody_deleted_is_followed_by_the_next_attempt(
    installation: ClusterInstallation, node: PretendNode
) -> None:
    story = OneRotation(installation)
    with installation.operator():
        story.install()
        node.held = True
        story.begin()
        held_pod(installation)
        (job,) = names(installation)
        installation.cluster.delete(JOBS, installation.namespace, job)
        until(lambda: names(installation) - {job} != set(), "the next attempt")
        node.held = False
        story.check()
    assert failures(installation) == []


def test_jobs_that_are_deleted_as_soon_as_they_are_complete_are_not_made_again(
    installation: ClusterInstallation, node: PretendNode
) -> None:
    story = OneRotation(installation)
    with installation.operator(), short_lived_jobs(installation):
        story.install()
        story.begin()
        story.check()
        until(lambda: names(installation) == set(), "the Jobs to be gone")
    # One pass over the rows to move them, one to prove it.
    assert installation.status()["rotation"]["attempt"] == 2


def test_an_attempt_that_failed_is_told_once_with_why_and_the_next_ones_back_off(
    installation: ClusterInstallation, node: PretendNode
) -> None:
    story = OneRotation(installation)

    def job(attempt: int) -> Tree | None:
        name = f"practicus-mfa-migrate-1-{attempt}"
        found = [each for each in installation.jobs() if each["metadata"]["name"] == name]
        return found[0] if found else None

    with installation.operator() as operator:
        story.install()
        node.held = True
        story.begin()
        for attempt in (1, 2):
            until(lambda attempt=attempt: job(attempt) is not None, f"attempt {attempt}")  # type: ignore[misc]
            end(installation, 2, "Error", message=REFUSED)
            until(lambda attempt=attempt: len(failures(installation)) == attempt, "it to be told")  # type: ignore[misc]
        # Who comes afterwards sees the same failed attempt, and it is no news.
        operator.kill()
    with installation.operator():
        until(lambda: job(3) is not None, "attempt 3")
        for attempt in (1, 2):
            failed, following = job(attempt), job(attempt + 1)
            assert failed is not None
            assert following is not None
            condition = failed_at(failed)
            assert condition is not None
            end_of, start_of = (
                instant_of(condition["lastTransitionTime"]),
                instant_of(following["metadata"]["creationTimestamp"]),
            )
            assert end_of is not None
            assert start_of is not None
            assert start_of - end_of >= pause_after(attempt) >= timedelta(seconds=2 * attempt)
        node.held = False
        story.check()
    told = failures(installation)
    assert [line.partition(":")[0] for line in told] == [
        "practicus-mfa-migrate-1-1",
        "practicus-mfa-migrate-1-2",
    ]
    assert all("the keyring in /etc/practicus-mfa/keyring can't be read" in line for line in told)
