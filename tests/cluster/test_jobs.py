"""Workers as Jobs on a real API server and Job controller; for pods without a node a test reports."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from practicus_mfa.clock import utc_now
from practicus_mfa.core.keyring import Keyring
from practicus_mfa.core.observed import Mode, WorkSeen, WorkState
from practicus_mfa.core.plan import Work
from practicus_mfa.core.policy import DatabaseRef, MigrationRules, Policy
from practicus_mfa.kube.connect import connect
from practicus_mfa.kube.job_template import JobTemplate
from practicus_mfa.kube.objects import POLICIES, SECRETS, Tree
from practicus_mfa.kube.pods import instant_of
from practicus_mfa.reconciler.cluster.jobs import JobWorkers
from tests.support.waiting import until

if TYPE_CHECKING:
    from practicus_mfa.kube.client import Cluster as Client
    from tests.support.cluster.access import Cluster

RIGHTS = {
    "jobs": ("jobs.batch", "list,create,patch,delete"),
    "pods": ("pods", "list"),
    "nudges": ("pods", "patch"),
}
WORK = Work(rotation=7, mode=Mode.MIGRATE, relations=("mfa_factors",), again=frozenset(), attempt=1)
FIRST, SECOND = "mfa-migrate-7-1", "mfa-migrate-7-2"
KEYRING = Keyring(5)


@pytest.fixture
def client(cluster: Cluster, namespace: str) -> Client:
    """A client with no more rights than the operator's role gives."""
    cluster.kubectl("create", "serviceaccount", "operator", "-n", namespace)
    for name, (resource, verbs) in RIGHTS.items():
        cluster.kubectl("create", "role", name, "-n", namespace, f"--resource={resource}", f"--verb={verbs}")
        grant = ["rolebinding", name, f"--role={name}", f"--serviceaccount={namespace}:operator"]
        cluster.kubectl("create", *grant, "-n", namespace)
    # Whatever is not "restricted" is refused here.
    restricted = "pod-security.kubernetes.io/enforce=restricted"
    cluster.kubectl("label", "namespace", namespace, restricted)
    return connect(kubeconfig=cluster.kubeconfig_for(namespace, "operator"))[0]


@pytest.fixture
def workers(cluster: Cluster, client: Client, namespace: str) -> JobWorkers:
    return JobWorkers(
        cluster=client,
        policy=_policy(cluster, namespace, "mfa"),
        spec=Policy(database_ref=DatabaseRef("db"), migration=MigrationRules(parallelism=2)),
        template=JobTemplate(image="mfa:1"),
        clock=utc_now,
    )


def stand_still(workers: JobWorkers) -> None:
    """Have no time pass since their Job was made: of pods that don't begin for long there is more to say."""
    job = max(workers._jobs(), key=lambda job: str(job["metadata"]["creationTimestamp"]))
    made = instant_of(job["metadata"]["creationTimestamp"])
    assert made is not None
    workers.clock = lambda: made


def _policy(cluster: Cluster, namespace: str, name: str) -> Tree:
    policy = {
        "apiVersion": POLICIES.api_version,
        "kind": POLICIES.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"databaseRef": {"name": "db"}},
    }
    return connect(kubeconfig=cluster.kubeconfig)[0].create(POLICIES, namespace, policy)


def _attempt(number: int) -> Work:
    return replace(WORK, attempt=number)


class Seen:
    """What an administrator sees of the namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def jobs(self) -> list[str]:
        return self._names("jobs")

    def pods(self, job: str) -> dict[str, dict[str, Any]]:
        """The pods of *job* that have not ended, by their index."""
        text = self._cluster.kubectl(
            "get", "pods", "-n", self._namespace, "-l", f"batch.kubernetes.io/job-name={job}", "-o=json"
        )
        return {
            pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]: pod
            for pod in json.loads(text)["items"]
            if pod["status"]["phase"] == "Pending" and "deletionTimestamp" not in pod["metadata"]
        }

    def await_pods(self, job: str, count: int) -> dict[str, dict[str, Any]]:
        until(lambda: len(self.pods(job)) == count, f"{count} pods of {job}")
        return self.pods(job)

    def end(self, pod: dict[str, Any], code: int, said: str = "", *, evicted: bool = False) -> None:
        """Report for a pod that its container ended."""
        end = {"exitCode": code, "message": said, "finishedAt": "2026-01-01T00:00:00Z"}
        status: dict[str, Any] = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [
                {
                    "name": "migrate",
                    "image": "mfa:1",
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": {"terminated": end},
                }
            ],
        }
        if evicted:
            since = "2026-01-01T00:00:00Z"
            disrupted = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": since}
            status["conditions"] = [disrupted]
        self._cluster.kubectl(
            "patch",
            f"pod/{pod['metadata']['name']}",
            *("-n", self._namespace, "--subresource=status", "--type=merge"),
            f"-p={json.dumps({'status': status})}",
        )

    def _names(self, kind: str) -> list[str]:
        text = self._cluster.kubectl("get", kind, "-n", self._namespace, "-o=json")
        return [item["metadata"]["name"] for item in json.loads(text)["items"]]


@pytest.fixture
def seen(cluster: Cluster, namespace: str) -> Seen:
    return Seen(cluster, namespace)


def test_a_job_has_a_pod_for_each_share_where_only_restricted_pods_may_be(
    workers: JobWorkers, seen: Seen
) -> None:
    workers.start(WORK, KEYRING, 9)
    pods = seen.await_pods(FIRST, 2)
    assert set(pods) == {"0", "1"}
    for pod in pods.values():
        (container,) = pod["spec"]["containers"]
        assert container["args"][-1] == "$(JOB_COMPLETION_INDEX)/2"
        assert "JOB_COMPLETION_INDEX" in [variable["name"] for variable in container["env"]]
        assert {volume["name"] for volume in pod["spec"]["volumes"]} == {"keyring", "database"}
        assert pod["metadata"]["labels"]["mfa.practicus.ai/policy"] == "mfa"
    stand_still(workers)
    assert workers.seen() == WorkSeen(WorkState.RUNNING, FIRST)


def test_what_the_installation_mounts_is_there_for_whom_the_cluster_chooses(
    workers: JobWorkers, seen: Seen
) -> None:
    authority = {"name": "ca", "configMap": {"name": "ca", "defaultMode": 420}}
    place = {"name": "ca", "mountPath": "/etc/ca", "readOnly": True}
    template = JobTemplate(image="mfa:1", security_context={}, volumes=(authority,), volume_mounts=(place,))
    replace(workers, template=template).start(WORK, KEYRING, 1)
    (pod,) = seen.await_pods(FIRST, 1).values()
    assert authority in pod["spec"]["volumes"]
    assert place in pod["spec"]["containers"][0]["volumeMounts"]
    # Kubernetes' own; OpenShift puts a user there.
    assert pod["spec"]["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_a_job_whose_shares_are_done_is_over(workers: JobWorkers, seen: Seen) -> None:
    workers.start(WORK, KEYRING, 2)
    for pod in seen.await_pods(FIRST, 2).values():
        seen.end(pod, 0)
    until(lambda: workers.seen() == WorkSeen(WorkState.IDLE, FIRST), "the Job's end")


def test_what_only_a_person_can_mend_ends_the_attempt_and_the_other_share_is_done(
    workers: JobWorkers, seen: Seen
) -> None:
    workers.start(WORK, KEYRING, 2)
    pods = seen.await_pods(FIRST, 2)
    seen.end(pods["0"], 3, "error: app.secrets refuses a new token\nremedy: look at its triggers\n")
    until(lambda: list(seen.pods(FIRST)) == ["1"], "the first share to fail")
    assert workers.seen().state is WorkState.RUNNING
    seen.end(pods["1"], 0)
    until(lambda: workers.seen().state is WorkState.FAILED, "the Job's failure")
    found = workers.seen()
    assert found.why == "Job has failed indexes: app.secrets refuses a new token"
    assert found.failed_at is not None
    assert found.failed_at <= utc_now()


def test_a_share_whose_pod_was_evicted_is_tried_again_and_not_held_against_it(
    workers: JobWorkers, seen: Seen, cluster: Cluster, namespace: str
) -> None:
    workers.start(WORK, KEYRING, 1)
    first = seen.await_pods(FIRST, 1)["0"]
    # Exit code 3 alone would have ended the share.
    seen.end(first, 3, evicted=True)
    until(lambda: _names(seen.pods(FIRST)) not in ([], _names({"0": first})), "another pod")
    job = json.loads(cluster.kubectl("get", "job", FIRST, "-n", namespace, "-o=json"))
    assert "failedIndexes" not in job["status"] or not job["status"]["failedIndexes"]


def _names(pods: dict[str, dict[str, Any]]) -> list[str]:
    return [pod["metadata"]["name"] for pod in pods.values()]


def test_while_a_share_waits_to_be_tried_again_its_error_is_told(workers: JobWorkers, seen: Seen) -> None:
    workers.start(WORK, KEYRING, 1)
    seen.end(seen.await_pods(FIRST, 1)["0"], 4, "error: the database can't be reached\n")
    said = "a worker failed and is started again: the database can't be reached"
    until(lambda: workers.seen() == WorkSeen(WorkState.RUNNING, FIRST, why=said), "the error")


def test_a_job_that_was_deleted_by_hand_is_no_work(
    workers: JobWorkers, cluster: Cluster, namespace: str, seen: Seen
) -> None:
    workers.start(WORK, KEYRING, 2)
    cluster.kubectl("delete", "job", FIRST, "-n", namespace)
    assert workers.seen() == WorkSeen(WorkState.IDLE)
    workers.start(_attempt(2), KEYRING, 2)
    assert seen.jobs() == [SECOND]


def test_the_next_attempt_takes_the_place_of_one_that_has_not_ended(workers: JobWorkers, seen: Seen) -> None:
    workers.start(WORK, KEYRING, 2)
    seen.await_pods(FIRST, 2)
    workers.start(_attempt(2), KEYRING, 2)
    assert seen.jobs() == [SECOND]
    until(lambda: not seen.pods(FIRST), "the first attempt's pods to go")
    assert workers.seen().name == SECOND


def test_a_finished_job_of_the_same_name_gives_way(workers: JobWorkers, seen: Seen) -> None:
    workers.start(WORK, KEYRING, 1)
    seen.end(seen.await_pods(FIRST, 1)["0"], 0)
    until(lambda: workers.seen().state is WorkState.IDLE, "the Job's end")
    workers.spec = replace(workers.spec, database_ref=DatabaseRef("other"))
    workers.start(WORK, KEYRING, 2)
    seen.await_pods(FIRST, 2)
    stand_still(workers)
    assert workers.seen() == WorkSeen(WorkState.RUNNING, FIRST)


def test_workers_that_are_stopped_are_gone(workers: JobWorkers, seen: Seen) -> None:
    workers.start(WORK, KEYRING, 2)
    seen.await_pods(FIRST, 2)
    workers.stop()
    assert workers.seen() == WorkSeen(WorkState.IDLE)
    until(lambda: not seen.pods(FIRST), "its pods to go")


def test_a_job_that_is_refused_is_a_failed_attempt(workers: JobWorkers) -> None:
    workers.template = replace(workers.template, resources={"limits": {"memory": "much"}})
    workers.start(WORK, KEYRING, 2)
    found = workers.seen()
    assert (found.state, found.name) == (WorkState.FAILED, FIRST)
    assert found.why.startswith("the Job can't be made: The API server rejected the Job mfa-migrate-7-1")


def test_the_longest_of_names(workers: JobWorkers, cluster: Cluster, namespace: str, seen: Seen) -> None:
    workers.policy = _policy(cluster, namespace, f"{'x' * 51}.y")
    workers.start(replace(WORK, rotation=123_456, attempt=789), KEYRING, 2)
    (job,) = seen.jobs()
    seen.await_pods(job, 2)
    stand_still(workers)
    assert workers.seen() == WorkSeen(WorkState.RUNNING, job)


def test_jobs_go_with_their_policy_and_the_keyring_stays(
    workers: JobWorkers, cluster: Cluster, namespace: str, seen: Seen
) -> None:
    keyring = {
        "metadata": {"name": "mfa-keyring", "namespace": namespace},
        "stringData": {"keyring.yaml": "x"},
    }
    admin = connect(kubeconfig=cluster.kubeconfig)[0]
    admin.create(SECRETS, namespace, {"apiVersion": "v1", "kind": "Secret", **keyring})
    workers.start(WORK, KEYRING, 2)
    cluster.kubectl("delete", "mfapolicy", "mfa", "-n", namespace)
    until(lambda: seen.jobs() == [], "the Job to be collected")
    assert admin.get(SECRETS, namespace, "mfa-keyring") is not None


# --- nudges -------------------------------------------------------------------------------------------


@pytest.fixture
def login(cluster: Cluster, namespace: str, client: Client) -> str:
    """The name of a log-in pod."""
    allowed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
    container = {"name": "login", "image": "mfa:1", "securityContext": {**allowed, "runAsUser": 1}}
    container["securityContext"] |= {"seccompProfile": {"type": "RuntimeDefault"}}  # type: ignore[operator]
    labels = {"app.kubernetes.io/component": "login", "mfa.practicus.ai/policy": "mfa"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "login", "namespace": namespace, "labels": labels},
        "spec": {"containers": [container]},
    }
    cluster.apply(json.dumps(pod))
    return "login"


def _told(cluster: Cluster, namespace: str, pod: str) -> str | None:
    found = json.loads(cluster.kubectl("get", "pod", pod, "-n", namespace, "-o=json"))
    told: str | None = found["metadata"].get("annotations", {}).get("mfa.practicus.ai/keyring-generation")
    return told


def test_log_in_pods_are_told_of_a_generation(
    workers: JobWorkers, cluster: Cluster, namespace: str, login: str
) -> None:
    workers.nudge(5)
    assert _told(cluster, namespace, login) == "5"
    workers.nudge(6)
    assert _told(cluster, namespace, login) == "6"


def test_without_the_right_to_tell_them_it_is_only_slower(
    workers: JobWorkers, cluster: Cluster, namespace: str, login: str, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.kubectl("delete", "rolebinding", "nudges", "-n", namespace)

    def refused() -> bool:
        # The API server's authorizer learns of it a moment later.
        with caplog.at_level(logging.INFO):
            workers.nudge(5)
        return bool(caplog.records)

    until(refused, "the refusal")
    workers.nudge(6)
    assert len(caplog.records) == 1
    assert 'Allow the verb "patch" on pods in a Role' in caplog.records[0].getMessage()
