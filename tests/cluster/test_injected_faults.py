"""Whatever goes wrong with one call to the API server, or with every third: the end is the same.

The faults are thrown in by a proxy before the real API server, so that what a lost answer leaves behind is
what it leaves behind in life.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

from practicus_mfa.kube.objects import POLICIES
from tests.support.api_call import ApiCall, Fault, Refuse, Reset, Slow
from tests.support.cluster.one_rotation import OneRotation
from tests.support.cluster.supervised import supervised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.api_proxy import ApiProxy
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.pretend_node import PretendNode

FAULTS: Final[dict[str, Fault]] = {
    "409": Refuse(409),
    "410": Refuse(410),
    "429": Refuse(429),
    "500": Refuse(500),
    "503": Refuse(503),
    "slow": Slow(1.0),
    "reset before it was done": Reset(done=False),
    "reset after it was done": Reset(done=True),
}

CALLS: Final = {
    "list mfapolicies",
    "watch mfapolicies",
    "watch jobs",
    "watch pods",
    "list secrets practicus-mfa-keyring",
    "watch secrets practicus-mfa-keyring",
    "get leases practicus-mfa-operator",
    "create leases practicus-mfa-operator",
    "update leases practicus-mfa-operator",
    "get secrets practicus-mfa-keyring",
    "create secrets practicus-mfa-keyring",
    "patch secrets practicus-mfa-keyring",
    "create secrets practicus-mfa-keyring-archive",
    "list jobs",
    "patch jobs migrate",
    "patch jobs verify",
    "create events RotationStarted",
    "create events OldKeyRetired",
    "update mfapolicies/status Migrate",
    "update mfapolicies/status Complete",
}
"""Some of what an operator asks for from its start to an old key's unloading; each is spoilt here."""


class EachOnce:
    """Spoils each kind of call once.

    Attributes:
        fault: How.
        met: The calls.
    """

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.met: set[str] = set()

    def __call__(self, call: ApiCall) -> Fault | None:
        """Judge a call."""
        # An answer that says "there is one already" is no fault of an event, but the truth about it.
        there = self.fault == Refuse(409) and call.resource == "events"
        if call.what in self.met or there:
            return None
        self.met.add(call.what)
        return self.fault


@contextmanager
def impatient(installation: ClusterInstallation) -> Iterator[None]:
    """Change the policy's annotations all the time: a change cuts every delay after a failure short."""
    stopped = threading.Event()

    def poke() -> None:
        for number in count():
            if stopped.wait(0.7):
                return
            patch = {"metadata": {"annotations": {"example.com/poked": str(number)}}}
            installation.cluster.merge(POLICIES, installation.namespace, installation.name, patch)

    thread = threading.Thread(target=poke)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_in_each_kind_of_call_changes_nothing_in_the_end(
    installation: ClusterInstallation, node: PretendNode, api: ApiProxy, fault: Fault
) -> None:
    story = OneRotation(installation)
    api.judge = spoiled = EachOnce(fault)
    with impatient(installation), supervised(installation, api.kubeconfig) as operator:
        story.install()
        story.begin()
        story.check()
        story.finish()
    expected = CALLS if fault != Refuse(409) else {call for call in CALLS if "events" not in call}
    assert expected - spoiled.met == set()
    # Who watches takes these for an answer, and to read what is watched never gets them in life.
    assert operator.starts == 1 or fault in {Refuse(409), Refuse(410)}
    assert all("internal error" not in log.read_text("utf-8") for log in installation.root.glob("*.log"))


def test_faults_of_all_kinds_in_every_third_call_change_nothing_in_the_end(
    installation: ClusterInstallation, node: PretendNode, api: ApiProxy
) -> None:
    story = OneRotation(installation)
    kinds, spoiled = list(FAULTS.values()), 0

    def every_third(call: ApiCall) -> Fault | None:
        nonlocal spoiled
        fault = kinds[spoiled % len(kinds)]
        there = fault == Refuse(409) and call.resource == "events"
        if len(api.calls) % 3 or there:
            return None
        spoiled += 1
        return fault

    api.judge = every_third
    with impatient(installation), supervised(installation, api.kubeconfig):
        story.install()
        story.begin()
        story.check()
    assert spoiled > 3 * len(kinds)
