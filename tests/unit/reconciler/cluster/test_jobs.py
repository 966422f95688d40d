"""Workers as Jobs: what is made, what is deleted, and what their state is taken for."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from practicus_mfa.core.keyring import Keyring
from practicus_mfa.core.observed import Mode, WorkSeen, WorkState
from practicus_mfa.core.plan import Work
from practicus_mfa.core.policy import DatabaseRef, MigrationRules, Policy
from practicus_mfa.errors import UnreachableError
from practicus_mfa.kube.faults import ForbiddenError, RejectedError
from practicus_mfa.kube.job_template import JobTemplate
from practicus_mfa.kube.objects import JOBS, PODS, Kind, Tree
from practicus_mfa.kube.pods import USUAL
from practicus_mfa.reconciler.cluster.jobs import NUDGE_AGAIN, JobWorkers
from tests.support.fake_cluster import START, FakeCluster

POLICY: Tree = {"metadata": {"name": "mfa", "namespace": "here", "uid": "policy-uid"}}
SPEC = Policy(database_ref=DatabaseRef("db"), migration=MigrationRules(parallelism=3))
WORK = Work(rotation=7, mode=Mode.MIGRATE, relations=("mfa_factors",), again=frozenset(), attempt=1)
KEYRING = Keyring(5)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def workers(cluster: FakeCluster) -> JobWorkers:
    template = JobTemplate(image="mfa:1")
    return JobWorkers(cluster=cluster, policy=POLICY, spec=SPEC, template=template, clock=lambda: cluster.now)


def _attempt(number: int, *, rotation: int = 7, mode: Mode = Mode.MIGRATE) -> Work:
    return replace(WORK, attempt=number, rotation=rotation, mode=mode)


def _job(cluster: FakeCluster, name: str) -> Tree:
    found = cluster.get(JOBS, "here", name)
    assert found is not None
    return found


def _report(cluster: FakeCluster, name: str, **status: object) -> None:
    """Report as the Job controller would."""
    cluster.replace_status(JOBS, {**_job(cluster, name), "status": status})


def _end(
    cluster: FakeCluster, name: str, kind: str, *, message: str = "", at: str = "2026-01-01T00:00:00Z"
) -> None:
    condition = {"type": kind, "status": "True", "lastTransitionTime": at, "message": message}
    # The interim condition comes first in time, and stays.
    interim = {"type": "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget", "status": "True"}
    _report(cluster, name, conditions=[interim, condition])


def _pod(cluster: FakeCluster, job: str, name: str, **status: object) -> None:
    labels = {"batch.kubernetes.io/controller-uid": _job(cluster, job)["metadata"]["uid"]}
    cluster.put(PODS, {"metadata": {"name": name, "namespace": "here", "labels": labels}, "status": status})


def _login(cluster: FakeCluster, name: str, policy: str = "mfa", **metadata: object) -> None:
    labels = {"app.kubernetes.io/component": "login", "mfa.practicus.ai/policy": policy}
    cluster.put(PODS, {"metadata": {"name": name, "namespace": "here", "labels": labels, **metadata}})


def _writes(cluster: FakeCluster) -> list[tuple[str, str]]:
    return [(verb, name) for verb, _, name in cluster.calls if verb not in {"get", "list"}]


# --- seen ---------------------------------------------------------------------------------------------


def test_no_job_is_no_work(workers: JobWorkers) -> None:
    assert workers.seen() == WorkSeen(WorkState.IDLE)


def test_a_job_that_has_begun_runs(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(WORK, KEYRING, 3)
    assert workers.seen() == WorkSeen(WorkState.RUNNING, "mfa-migrate-7-1")
    _report(cluster, "mfa-migrate-7-1", ready=1)
    cluster.calls.clear()
    assert workers.seen() == WorkSeen(WorkState.RUNNING, "mfa-migrate-7-1")
    assert cluster.calls == [("list", "Job", "")]


def test_a_job_that_is_about_to_end_still_runs(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(WORK, KEYRING, 3)
    _report(cluster, "mfa-migrate-7-1", conditions=[{"type": "FailureTarget", "status": "True"}])
    assert workers.seen().state is WorkState.RUNNING


def test_a_complete_job_proves_nothing(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(WORK, KEYRING, 3)
    _end(cluster, "mfa-migrate-7-1", "Complete")
    assert workers.seen() == WorkSeen(WorkState.IDLE, "mfa-migrate-7-1")


def test_a_job_that_was_deleted_by_hand_is_no_work(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(WORK, KEYRING, 3)
    cluster.delete(JOBS, "here", "mfa-migrate-7-1")
    assert workers.seen() == WorkSeen(WorkState.IDLE)


def test_a_job_that_is_being_deleted_is_gone(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(WORK, KEYRING, 3)
    job = _job(cluster, "mfa-migrate-7-1")
    job["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.put(JOBS, job)
    assert workers.seen() == WorkSeen(WorkState.IDLE)


def test_a_failed_job_says_when_and_what_its_last_pod_said(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(WORK, KEYRING, 3)
    cluster.now = START + timedelta(seconds=30)
    _end(cluster, "mfa-migrate-7-1", "Failed", message="Job has failed indexes", at="2026-01-01T00:00:20Z")
    end = {"exitCode": 4, "message": "error: no answer of postgresql://mfa:hunter2@db/mfa\nremedy: wait"}
    statuses = [{"name": "migrate", "state": {"terminated": end}}]
    _pod(cluster, "mfa-migrate-7-1", "w-0", phase="Failed", containerStatuses=statuses)
    assert workers.seen() == WorkSeen(
        WorkState.FAILED,
        "mfa-migrate-7-1",
        START + timedelta(seconds=20),
        "Job has failed indexes: no answer of postgresql://mfa:***@db/mfa",
    )


def test_a_failure_is_never_in_the_future(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(WORK, KEYRING, 3)
    _end(cluster, "mfa-migrate-7-1", "Failed", message="Job has failed indexes", at="2026-01-01T00:00:20Z")
    assert workers.seen() == WorkSeen(WorkState.FAILED, "mfa-migrate-7-1", START, "Job has failed indexes")


def test_what_a_running_job_waits_for(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(WORK, KEYRING, 3)
    waiting = {"reason": "ErrImagePull", "message": "not found"}
    statuses = [{"name": "migrate", "state": {"waiting": waiting}}]
    _pod(cluster, "mfa-migrate-7-1", "w-0", phase="Pending", containerStatuses=statuses)
    assert workers.seen() == WorkSeen(WorkState.RUNNING, "mfa-migrate-7-1", why="ErrImagePull: not found")


def test_a_job_whose_pods_can_t_be_made(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(WORK, KEYRING, 3)
    cluster.now += USUAL + timedelta(seconds=1)
    assert workers.seen().why == "no pod could be made, kubectl describe job mfa-migrate-7-1 tells why"


@pytest.mark.parametrize(("older", "newer"), [(1, 2), (9, 10)])
def test_of_jobs_made_within_a_second_the_later_attempt_counts(
    cluster: FakeCluster, workers: JobWorkers, older: int, newer: int
) -> None:
    workers.start(_attempt(older), KEYRING, 3)
    _end(cluster, f"mfa-migrate-7-{older}", "Failed")
    workers.start(_attempt(newer), KEYRING, 3)
    assert workers.seen() == WorkSeen(WorkState.RUNNING, f"mfa-migrate-7-{newer}")


def test_a_job_of_an_earlier_database_does_not_count(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(_attempt(4, rotation=9), KEYRING, 3)
    _end(cluster, "mfa-migrate-9-4", "Failed")
    cluster.now += timedelta(seconds=1)
    workers.start(_attempt(1, rotation=1), KEYRING, 3)
    assert workers.seen() == WorkSeen(WorkState.RUNNING, "mfa-migrate-1-1")


def test_another_policy_s_jobs_are_not_ours(cluster: FakeCluster, workers: JobWorkers) -> None:
    other = replace(workers, policy={"metadata": {**POLICY["metadata"], "name": "other"}})
    other.start(WORK, KEYRING, 3)
    assert workers.seen() == WorkSeen(WorkState.IDLE)
    workers.stop()
    workers.start(WORK, KEYRING, 3)
    assert cluster.names(JOBS) == ("mfa-migrate-7-1", "other-migrate-7-1")


# --- start --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shards", "pods"), [(0, 1), (1, 1), (2, 2), (512, 3)])
def test_there_are_no_more_pods_than_parts(
    cluster: FakeCluster, workers: JobWorkers, shards: int, pods: int
) -> None:
    workers.start(WORK, KEYRING, shards)
    spec = _job(cluster, "mfa-migrate-7-1")["spec"]
    assert (spec["completions"], spec["parallelism"]) == (pods, pods)
    args = spec["template"]["spec"]["containers"][0]["args"]
    assert args[-1] == f"$(JOB_COMPLETION_INDEX)/{pods}"


def test_the_policy_as_this_pass_read_it(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.spec = Policy(database_ref=DatabaseRef("other", "uri"), migration=MigrationRules(parallelism=1))
    workers.start(WORK, KEYRING, 3)
    spec = _job(cluster, "mfa-migrate-7-1")["spec"]
    assert spec["completions"] == 1
    assert spec["template"]["spec"]["volumes"][1]["secret"]["secretName"] == "other"


def test_an_unfinished_attempt_makes_way_and_a_finished_one_stays(
    cluster: FakeCluster, workers: JobWorkers
) -> None:
    workers.start(_attempt(1), KEYRING, 3)
    _end(cluster, "mfa-migrate-7-1", "Failed")
    workers.start(_attempt(2), KEYRING, 3)
    cluster.calls.clear()
    workers.start(_attempt(3), KEYRING, 3)
    assert _writes(cluster) == [("delete", "mfa-migrate-7-2"), ("patch", "mfa-migrate-7-3")]
    assert cluster.names(JOBS) == ("mfa-migrate-7-1", "mfa-migrate-7-3")


def test_a_finished_job_of_the_same_name_is_of_another_life(
    cluster: FakeCluster, workers: JobWorkers
) -> None:
    workers.start(WORK, KEYRING, 3)
    before = _job(cluster, "mfa-migrate-7-1")["metadata"]["uid"]
    _end(cluster, "mfa-migrate-7-1", "Complete")
    workers.start(WORK, KEYRING, 3)
    assert _job(cluster, "mfa-migrate-7-1")["metadata"]["uid"] != before
    assert workers.seen().state is WorkState.RUNNING


def test_a_job_that_is_refused_is_a_failed_attempt(cluster: FakeCluster, workers: JobWorkers) -> None:
    def refuse(verb: str, kind: Kind, _name: str) -> RejectedError | None:
        invalid = RejectedError("spec.template: invalid", remedy="correct it")
        return invalid if (verb, kind) == ("patch", JOBS) else None

    cluster.refuse = refuse
    workers.start(WORK, KEYRING, 3)
    why = "the Job can't be made: spec.template: invalid"
    cluster.now += timedelta(minutes=1)
    assert workers.seen() == WorkSeen(WorkState.FAILED, "mfa-migrate-7-1", START, why)
    cluster.refuse = lambda *_: None
    workers.start(_attempt(2), KEYRING, 3)
    assert workers.seen() == WorkSeen(WorkState.RUNNING, "mfa-migrate-7-2")


def test_no_answer_is_no_refusal(cluster: FakeCluster, workers: JobWorkers) -> None:
    cluster.refuse = lambda *_: UnreachableError("no answer", remedy="wait")
    with pytest.raises(UnreachableError):
        workers.start(WORK, KEYRING, 3)
    cluster.refuse = lambda *_: None
    assert workers.seen() == WorkSeen(WorkState.IDLE)


# --- stop ---------------------------------------------------------------------------------------------


def test_stopping_leaves_what_has_ended(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(_attempt(1), KEYRING, 3)
    _end(cluster, "mfa-migrate-7-1", "Complete")
    workers.start(_attempt(2, mode=Mode.VERIFY), KEYRING, 3)
    workers.stop()
    assert cluster.names(JOBS) == ("mfa-migrate-7-1",)


# --- nudge --------------------------------------------------------------------------------------------


def _told(cluster: FakeCluster, name: str) -> object:
    pod = cluster.get(PODS, "here", name)
    assert pod is not None
    return (pod["metadata"].get("annotations") or {}).get("mfa.practicus.ai/keyring-generation")


def test_log_in_pods_are_told_and_no_others(cluster: FakeCluster, workers: JobWorkers) -> None:
    workers.start(WORK, KEYRING, 3)
    _login(cluster, "login-a")
    _login(cluster, "login-b", annotations={"mfa.practicus.ai/keyring-generation": "4"})
    _login(cluster, "login-other", policy="other")
    _login(cluster, "login-leaves", deletionTimestamp="2026-01-01T00:00:00Z")
    _pod(cluster, "mfa-migrate-7-1", "w-0", phase="Running")
    workers.nudge(5)
    assert {name: _told(cluster, name) for name in cluster.names(PODS)} == {
        "login-a": "5",
        "login-b": "5",
        "login-leaves": None,
        "login-other": None,
        "w-0": None,
    }


def test_a_pod_is_told_again_a_little_later_and_then_its_object_changes(
    cluster: FakeCluster, workers: JobWorkers
) -> None:
    _login(cluster, "login-a")
    workers.nudge(5)
    cluster.calls.clear()
    workers.nudge(5)
    assert _writes(cluster) == []
    before = cluster.get(PODS, "here", "login-a")
    cluster.now += NUDGE_AGAIN
    workers.nudge(5)
    assert cluster.get(PODS, "here", "login-a") != before


def test_without_the_right_to_nudge_it_is_only_slower(
    cluster: FakeCluster, workers: JobWorkers, caplog: pytest.LogCaptureFixture
) -> None:
    _login(cluster, "login-a")
    cluster.refuse = lambda *_: ForbiddenError("may not", remedy="allow it")
    with caplog.at_level(logging.INFO):
        workers.nudge(5)
        workers.nudge(6)
    assert [record.getMessage() for record in caplog.records] == [
        "Log-in pods get a new keyring later than they could: may not allow it"
    ]


def test_what_is_remembered_shows_no_object(workers: JobWorkers) -> None:
    assert "policy-uid" not in repr(workers)
