"""Two operators of one namespace: one acts, the other stands by; one that comes back late harms nothing."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.kube.objects import LEASES
from practicus_mfa.reconciler.cluster.operator import LEASE
from practicus_mfa.storage.claims import read_claim
from tests.support.api_call import Hold
from tests.support.api_proxy import api_proxy
from tests.support.cluster.one_rotation import OneRotation
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.api_call import ApiCall
    from tests.support.api_proxy import ApiProxy
    from tests.support.cluster.operating import ClusterInstallation, OperatorProcess
    from tests.support.cluster.pretend_node import PretendNode


@pytest.fixture
def other_api(installation: ClusterInstallation, tmp_path: Path) -> Iterator[ApiProxy]:
    """A second proxy, so that it is known which of two operators asked."""
    with api_proxy(installation.kubeconfig, tmp_path / "other.kubeconfig") as running:
        yield running


def holder(installation: ClusterInstallation) -> str:
    lease = installation.cluster.get(LEASES, installation.namespace, LEASE)
    return str(lease["spec"]["holderIdentity"]) if lease else ""


def claimant(installation: ClusterInstallation) -> tuple[str, int]:
    with installation.database() as db, db.read() as connection:
        claim = read_claim(connection)
    assert claim is not None
    return claim.owner, claim.epoch


def leads(operator: OperatorProcess) -> bool:
    told = [line["message"] for line in operator.lines() if "operator" in line["message"]]
    return [line for line in told if "lead" in line][-1:] == ["This operator leads now"]


def writes(api: ApiProxy) -> set[str]:
    """What was written through *api*, leases apart."""
    return {call.what for call in list(api.calls) if call.writes and call.resource != "leases"}


@contextmanager
def leader_and_standby(
    installation: ClusterInstallation, api: ApiProxy, other_api: ApiProxy
) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    with installation.operator(kubeconfig=api.kubeconfig) as leader:
        until(lambda: leads(leader), "the first to lead")
        with installation.operator(kubeconfig=other_api.kubeconfig) as standby:
            until(lambda: other_api.calls != [], "the other to stand by")
            yield leader, standby


def test_one_of_two_acts_and_the_other_takes_over_when_it_is_killed(
    installation: ClusterInstallation, node: PretendNode, api: ApiProxy, other_api: ApiProxy
) -> None:
    story = OneRotation(installation)
    with leader_and_standby(installation, api, other_api) as (leader, standby):
        story.install()
        node.held = True
        story.begin()
        installation.await_step("Migrate")
        until(lambda: installation.jobs() != [], "the Job")
        first = holder(installation)
        assert claimant(installation)[0] == first
        assert writes(other_api) == set()
        assert not leads(standby)
        leader.kill()
        until(lambda: leads(standby), "the other to take over")
        assert holder(installation) != first
        node.held = False
        story.check()
        # The same claim goes on under a higher epoch.
        assert claimant(installation) == (holder(installation), 2)


def test_a_leader_that_was_paused_in_the_middle_of_a_write_overwrites_nothing(
    installation: ClusterInstallation, node: PretendNode, api: ApiProxy, other_api: ApiProxy
) -> None:
    story = OneRotation(installation)
    paused, go_on = threading.Event(), threading.Event()
    with leader_and_standby(installation, api, other_api) as (leader, standby):
        story.install()

        def pause(call: ApiCall) -> Hold | None:
            # The new key's keyring is on its way, and the operator that sent it stands still.
            if call.what != f"patch secrets {installation.keyring_name}" or paused.is_set():
                return None
            leader.popen.send_signal(signal.SIGSTOP)
            paused.set()
            return Hold(go_on)

        api.judge = pause
        try:
            story.begin()
            until(paused.is_set, "the leader to be paused")
            story.check()
            assert leads(standby)
            keyring = installation.keyring()
        finally:
            go_on.set()
            leader.popen.send_signal(signal.SIGCONT)
        until(lambda: not leads(leader), "the paused one to see that it no longer leads")
        asked = len(api.calls)
        until(lambda: len(api.calls) > asked, "it to stand by")
        assert installation.keyring() == keyring
        story.check()
        # Now it is needed again.
        standby.popen.send_signal(signal.SIGTERM)
        assert standby.popen.wait(LIMIT_SECONDS) == 0
        until(lambda: leads(leader), "it to lead again")
        story.finish()


def test_an_operator_that_is_told_to_end_hands_over_at_once(
    installation: ClusterInstallation, node: PretendNode, api: ApiProxy, other_api: ApiProxy
) -> None:
    story = OneRotation(installation)
    with leader_and_standby(installation, api, other_api) as (leader, standby):
        story.install()
        given_back = len([call for call in api.calls if call.resource == "leases"])
        leader.popen.send_signal(signal.SIGTERM)
        assert leader.popen.wait(LIMIT_SECONDS) == 0
        last = [call for call in api.calls if call.resource == "leases"][given_back:][-1]
        # It did not leave the lease to end by itself.
        assert last.body["spec"]["holderIdentity"] == ""
        until(lambda: leads(standby), "the other to lead")
        story.begin()
        story.check()
