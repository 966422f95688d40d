from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import yaml

from practicus_mfa.kube.connect import connect
from practicus_mfa.kube.objects import LEASES
from practicus_mfa.reconciler.cluster.election import Election
from tests.support.tcp_proxy import TcpProxy, kubeconfig_through, tcp_proxy
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.kube import client
    from tests.support.cluster.access import Cluster

NAME = "practicus-mfa-operator"


@pytest.fixture(scope="module")
def kube(cluster: Cluster) -> Iterator[client.Cluster]:
    connected, _ = connect(kubeconfig=cluster.kubeconfig, environ={})
    yield connected
    connected.forget_idle()


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[TcpProxy]:
    (entry,) = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"]
    host, _, port = entry["cluster"]["server"].removeprefix("https://").rpartition(":")
    with tcp_proxy(host, int(port)) as running:
        yield running


@contextmanager
def electing(kube: client.Cluster, namespace: str, identity: str) -> Iterator[Election]:
    election = Election(kube, namespace, NAME, identity)
    election.start()
    try:
        yield election
    finally:
        election.stop()
        until(lambda: not election.alive, f"{identity} to end")


def holder(kube: client.Cluster, namespace: str) -> tuple[str, int]:
    lease = kube.get(LEASES, namespace, NAME)
    assert lease is not None
    return lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]


def test_exactly_one_leads_and_giving_back_makes_the_other_lead(kube: client.Cluster, namespace: str) -> None:
    with electing(kube, namespace, "one") as one, electing(kube, namespace, "two") as two:
        until(lambda: one.lead() or two.lead(), "a leader")
        first, second = (one, two) if one.lead() else (two, one)
        assert not second.lead()
        # Before it is given back: who waits may take it at any moment from then on.
        assert holder(kube, namespace)[1] == 0
        first.stop()
        assert not first.lead()
        until(lambda: not first.alive, "the first to end")
        until(second.lead, "the other to lead")
        assert holder(kube, namespace)[1] == 1
        assert not first.lead()
    # Both gave it back.
    assert holder(kube, namespace) == ("", 1)


def test_a_leader_that_is_cut_off_is_replaced_and_never_two_lead(
    cluster: Cluster, kube: client.Cluster, proxy: TcpProxy, namespace: str, tmp_path: Path
) -> None:
    kubeconfig = kubeconfig_through(proxy, cluster.kubeconfig, tmp_path / "kubeconfig")
    cut_off, _ = connect(kubeconfig=kubeconfig, environ={})
    with electing(cut_off, namespace, "one") as one:
        until(one.lead, "the first to lead")
        with electing(kube, namespace, "two") as two:
            # In this order: a connection that is made in between would work on.
            proxy.upstream = ("127.0.0.1", 1)
            proxy.freeze()

            def second_leads() -> bool:
                # In this order: who is cut off never leads again, so who leads now has led since before.
                second, first = two.lead(), one.lead()
                assert not (first and second)
                return second

            until(second_leads, "the second to lead")
            assert holder(kube, namespace) == ("two", 1)
            assert not one.lead()
    cut_off.forget_idle()
