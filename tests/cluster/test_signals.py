"""An operator that is told to end does so in order, whatever it is doing and whoever does not answer."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from practicus_mfa.kube.objects import LEASES
from practicus_mfa.reconciler.cluster.operator import LEASE
from tests.support.api_call import Hold
from tests.support.cluster.one_rotation import OneRotation
from tests.support.installation import ENVIRONMENT, PROGRAM
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.support.api_call import ApiCall
    from tests.support.api_proxy import ApiProxy
    from tests.support.cluster.operating import ClusterInstallation, OperatorProcess
    from tests.support.cluster.pretend_node import PretendNode

POD_SECONDS = 30
"""terminationGracePeriodSeconds of a pod, unless it says otherwise; then it is killed."""

LOOK_SECONDS = 0.1


def exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """Return how a process ended that was told to; ``None`` where it had as long as a pod has, and did not.

    Looks are counted: while the machine stands still nobody can end, and nobody looks.
    """
    for _ in range(round(POD_SECONDS / LOOK_SECONDS)):
        with suppress(subprocess.TimeoutExpired):
            return process.wait(LOOK_SECONDS)
    return None


def ended_in_order(operator: OperatorProcess) -> bool:
    return exit_code(operator.popen) == 0 and "Traceback" not in operator.log.read_text("utf-8")


def test_a_pass_under_way_is_ended_first_and_the_lease_given_back(
    installation: ClusterInstallation, node: PretendNode, api: ApiProxy
) -> None:
    story = OneRotation(installation)
    told, go_on = threading.Event(), threading.Event()
    saved: list[int] = []
    given_back: list[int] = []
    with installation.operator(kubeconfig=api.kubeconfig) as operator:
        story.install()

        def tell_it_to_end(call: ApiCall) -> Hold | None:
            # In the middle of a write; the lease is renewed meanwhile.
            held = call.what == f"patch secrets {installation.keyring_name}" and not told.is_set()
            if call.resource == "leases" and call.body and not call.body["spec"]["holderIdentity"]:
                given_back.append(len(api.calls))
            if held:
                told.set()
                operator.popen.send_signal(signal.SIGTERM)
            if told.is_set() and call.writes and call.resource != "leases":
                saved.append(len(api.calls))
            return Hold(go_on) if held else None

        api.judge = tell_it_to_end
        try:
            story.begin()
            until(told.is_set, "it to be told")
            until(lambda: "stopping" in operator.log.read_text("utf-8"), "it to begin to end")
        finally:
            go_on.set()
        assert ended_in_order(operator)
    # What was under way was finished, and only then somebody else let in.
    assert len(saved) > 1
    assert given_back == [max(*saved, *given_back)]
    lease = installation.cluster.get(LEASES, installation.namespace, LEASE)
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == ""
    with installation.operator():
        story.check()


def test_it_ends_in_time_while_the_api_server_does_not_answer(
    installation: ClusterInstallation, node: PretendNode, api: ApiProxy
) -> None:
    story = OneRotation(installation)
    go_on = threading.Event()
    with installation.operator(kubeconfig=api.kubeconfig) as operator:
        story.install()

        api.judge = lambda _: Hold(go_on)
        asked = len(api.calls)
        story.begin()
        until(lambda: len(api.calls) > asked, "a call that hangs")
        try:
            operator.popen.send_signal(signal.SIGTERM)
            assert ended_in_order(operator)
        finally:
            go_on.set()
    with installation.operator():
        story.check()


def test_an_operator_that_is_told_to_end_before_it_has_begun_does_so(tmp_path: Path) -> None:
    # A configuration that does not come holds it at its start.
    config = tmp_path / "operator.yaml"
    os.mkfifo(config)

    command = [*PROGRAM, "operator", "--config", str(config)]
    with subprocess.Popen(command, env=ENVIRONMENT) as operator:
        keep = os.open(config, os.O_RDWR)
        try:
            until(lambda: _listens_to(operator.pid, signal.SIGTERM), "it to listen")
            operator.send_signal(signal.SIGTERM)
            assert exit_code(operator) == 0
        finally:
            operator.kill()
            os.close(keep)


def _listens_to(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)
