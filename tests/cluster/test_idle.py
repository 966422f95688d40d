"""An operator with nothing to do: what it asks, what it writes (nothing), what it tells, what people see."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.crypto.keys import generate_key
from tests.support.cluster.access import KubectlError
from tests.support.cluster.operating import ClusterInstallation
from tests.support.cluster.pretend_node import PretendNode
from tests.support.cluster.steps import (
    NAMES,
    ROTATION_SECONDS,
    await_counted,
    await_rotated,
    begin,
    change,
    edit_secret,
    rotate,
)
from tests.support.cluster.warm_program import warm_program
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.audit import Request
    from tests.support.cluster.control_plane import ControlPlane
    from tests.support.cluster.operating import OperatorProcess

A, B = generate_key(), generate_key()
OPERATOR = "the-operator"


@pytest.fixture
def installation(
    control_plane: ControlPlane, tmp_path: Path, postgres_url: str
) -> Iterator[ClusterInstallation]:
    """An installation in a cluster that says what it was asked; no operator runs yet."""
    namespace = control_plane.create_namespace()
    made = ClusterInstallation.within(control_plane, namespace, tmp_path, postgres_url)
    with warm_program() as warm, PretendNode(made.cluster, namespace, tmp_path / "pods", warm=warm):
        yield made
    control_plane.delete_namespace(namespace)


def _passes(operator: OperatorProcess) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{operator.port()}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if "reconcile_total{" in line)


def _asked_by_the_operator(plane: ControlPlane, namespace: str) -> list[Request]:
    return [
        request
        for request in plane.requests()
        if request.user == OPERATOR
        and f"/namespaces/{namespace}/" in request.uri
        and request.verb != "watch"
        and "/leases/" not in request.uri
    ]


def test_a_pass_without_anything_to_do_reads_twice_and_writes_nothing(
    control_plane: ControlPlane, installation: ClusterInstallation
) -> None:
    # By its name its requests are told from those of the test.
    kubeconfig = control_plane.kubeconfig_of("operator", OPERATOR, ["system:masters"])
    with installation.operator(kubeconfig=kubeconfig, resyncSeconds=1) as operator:
        begin(installation, A)
        rotate(installation, B, A)
        await_rotated(installation, B)
        await_counted(installation)
        # What the pass asked that told of this is in the log by the end of the one after the next.
        passes = _passes(operator)
        until(lambda: _passes(operator) >= passes + 2, "two passes")
        scanned = installation.status()["lastScanTime"]
        least = _passes(operator)
        asked = len(_asked_by_the_operator(control_plane, installation.namespace))
        passes = _passes(operator)
        versions: set[str] = set()

        def many_passes() -> bool:
            versions.add(installation.policy()["metadata"]["resourceVersion"])
            return _passes(operator) >= passes + 10

        until(many_passes, "ten passes", seconds=ROTATION_SECONDS)
        done = _passes(operator) - passes
        requests = _asked_by_the_operator(control_plane, installation.namespace)[asked:]
        # Some may have ended while the requests were counted.
        at_most = _passes(operator) - least
    assert len(versions) == 1
    assert installation.status()["lastScanTime"] == scanned
    assert [request for request in requests if request.verb != "get"] == []
    # The pass that ran when the counting began has its reads among them.
    assert done <= len(requests) <= 2 * (at_most + 1)
    installation.check_secrets(NAMES, B)


def test_events_are_told_on_transitions_also_over_a_restart(installation: ClusterInstallation) -> None:
    with installation.operator():
        begin(installation, A)
        rotate(installation, B, A)
        await_rotated(installation, B)
        change(installation, "user-0", token="damaged", key_id=None)
        installation.await_reason("DataUpToDate", "CorruptRows")
        until(lambda: "CorruptRowsFound" in installation.events(), "the warning")
        told = installation.events()
    with installation.operator() as second:
        until(lambda: bool(second.port()) and _passes(second) >= 3, "three passes of another operator")
        assert installation.events() == told
        assert told[0] == "RotationStarted"
        assert [told.count(each) for each in ("KeyPromoted", "CorruptRowsFound")] == [1, 1]
        # What changes is told by that one.
        edit_policy_in_force(installation)
        until(lambda: installation.events() == [*told, "PolicyChanged"], "the change to be told")
    installation.check_secrets(NAMES[1:], B)


def edit_policy_in_force(installation: ClusterInstallation) -> None:
    """Make MFA mandatory."""
    installation.apply(B.text, A.text, userLogin={"mfa": {"enabled": True, "mandatory": True}})


def test_ready_of_former_keys_is_never_taken_for_ready_of_the_new_ones(
    control_plane: ControlPlane, installation: ClusterInstallation
) -> None:
    def wait(seconds: int) -> str:
        return control_plane.kubectl(
            *("wait", "--for=condition=Ready", f"mfap/{installation.name}"),
            *("-n", installation.namespace, f"--timeout={seconds}s"),
        )

    with installation.operator():
        begin(installation, A)
        assert "condition met" in wait(240)
    # Nobody is there who could take Ready back.
    installation.apply(B.text, A.text, migration={"parallelism": 1})
    with pytest.raises(KubectlError, match="timed out"):
        wait(3)
    assert installation.conditions()["Ready"] == ("True", "Ready")
    with installation.operator():
        assert "condition met" in wait(240)
        assert installation.status()["activeKeyID"] == B.id
        installation.check_secrets(NAMES, B)
        # A policy whose Secret lags is not Ready either.
        edit_secret(installation, A.text)
        installation.await_reason("KeysValid", "SecretStale")
        with pytest.raises(KubectlError, match="timed out"):
            wait(3)
        edit_secret(installation, B.text, A.text)
        assert "condition met" in wait(240)

        columns = "NAME READY REASON ENROLLED ROLLING UNKNOWN ACTIVE-KEY LAST-SCAN AGE"
        head, row = _table(control_plane, installation)
        assert " ".join(head) == columns
        assert row[:7] == [installation.name, "True", "Ready", "12", "0", "0", B.id]
        head, row = _table(control_plane, installation, "-o", "wide")
        assert " ".join(head) == f"{columns} READERS MESSAGE"
        assert " ".join(row[9:]) == "0 Policy and keys are in force."


def _table(plane: ControlPlane, installation: ClusterInstallation, *options: str) -> list[list[str]]:
    text = plane.kubectl("get", "mfap", "-n", installation.namespace, *options)
    return [line.split() for line in text.splitlines()]
