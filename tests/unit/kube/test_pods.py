"""What pods tell: the one reason that a person needs, and never a secret."""

from __future__ import annotations

from datetime import timedelta

import pytest

from practicus_mfa.kube.objects import Tree
from practicus_mfa.kube.pods import LONGEST_LINE, USUAL, instant_of, last_words, one_line, why_waiting
from tests.support.fake_cluster import START

SOON = START + timedelta(seconds=1)
LATER = START + USUAL + timedelta(seconds=1)


def pod(name: str, phase: str, **status: object) -> Tree:
    metadata = {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": metadata, "status": {"phase": phase, **status}}


def pending(reason: str, message: str = "") -> Tree:
    waiting = {"reason": reason, **({"message": message} if message else {})}
    return pod("w-0", "Pending", containerStatuses=[{"name": "migrate", "state": {"waiting": waiting}}])


def failed(name: str, at: int, **end: object) -> Tree:
    terminated = {"finishedAt": f"2026-01-01T00:00:{at:02}Z", "exitCode": 4, "reason": "Error", **end}
    return pod(name, "Failed", containerStatuses=[{"name": "migrate", "state": {"terminated": terminated}}])


def test_an_image_that_can_t_be_pulled() -> None:
    said = 'Back-off pulling image "nowhere/mfa:1"'
    assert why_waiting([pending("ImagePullBackOff", said)], SOON) == f"ImagePullBackOff: {said}"


def test_a_secret_that_a_container_needs() -> None:
    trouble = pending("CreateContainerConfigError", 'secret "db" not found')
    assert why_waiting([trouble], SOON) == 'CreateContainerConfigError: secret "db" not found'


def test_a_pod_that_fits_on_no_node() -> None:
    said = "0/3 nodes are available: 3 Insufficient cpu."
    unfit = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    conditions = [{"type": "PodReadyToStartContainers", "status": "False"}, unfit]
    assert why_waiting([pod("w-0", "Pending", conditions=conditions)], SOON) == f"Unschedulable: {said}"


def test_what_takes_no_longer_than_usual_is_not_worth_a_word() -> None:
    assert why_waiting([], SOON) == ""
    assert why_waiting([pod("w-0", "Pending")], SOON) == ""
    assert why_waiting([pending("ContainerCreating")], SOON) == ""
    assert why_waiting([pod("w-0", "Running")], LATER) == ""


def test_a_volume_that_never_comes_is_told_of_by_the_pod_alone() -> None:
    said = "pod w-0 does not begin, kubectl describe pod w-0 tells why"
    assert why_waiting([pending("ContainerCreating")], LATER) == said


def test_a_share_that_is_tried_again() -> None:
    message = "error: the database can't be reached\nremedy: start it\n"
    pods = [failed("w-0", 5, message=message), pod("w-1", "Succeeded")]
    assert why_waiting(pods, LATER) == "a worker failed and is started again: the database can't be reached"
    assert why_waiting([*pods, pod("w-0-b", "Running")], LATER) == ""


def test_shares_that_are_done_keep_nothing_waiting() -> None:
    assert why_waiting([pod("w-0", "Succeeded")], LATER) == ""


def test_the_last_error_of_the_pod_that_failed_last() -> None:
    pods = [
        failed("w-0", 7, message="Rotation 7\nerror: first\nremedy: a\nerror: last\nremedy: b\n"),
        failed("w-1", 5, message="error: earlier\n"),
        pod("w-2", "Succeeded"),
    ]
    assert last_words(pods) == "last"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ({"exitCode": 137, "reason": "OOMKilled"}, "a worker ended with 137 (OOMKilled)"),
        ({"exitCode": 1, "message": "Traceback"}, "a worker ended with 1"),
    ],
)
def test_a_pod_that_had_no_time_for_words(end: dict[str, object], words: str) -> None:
    assert last_words([failed("w-0", 1, **end)]) == words


def test_a_pod_whose_node_ended_it() -> None:
    evicted = pod("w-0", "Failed", reason="Evicted", message="The node was low on resource: memory.")
    assert last_words([evicted]) == "Evicted: The node was low on resource: memory."
    assert last_words([pod("w-0", "Failed")]) == "a worker's pod failed without a word"
    assert last_words([]) == ""


def test_what_pods_say_is_washed_cut_and_one_line() -> None:
    said = last_words([failed("w-0", 1, message="error: no answer of postgresql://mfa:hunter2@db/mfa")])
    assert said == "no answer of postgresql://mfa:***@db/mfa"
    assert one_line("a\n  b") == "a b"
    assert len(one_line("x" * 1_000)) == LONGEST_LINE


def test_times_as_the_api_server_writes_them() -> None:
    assert instant_of("2026-01-01T00:00:00Z") == START
    assert instant_of("2026-01-01T00:00:00.000000Z") == START
    assert instant_of("2026-01-01T00:00:00") == START
    assert instant_of(None) is None
    assert instant_of("soon") is None
