"""The database or the API server goes away in the middle of a rotation, and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from psycopg import sql

from tests.support.cluster.kubeconfigs import server_of
from tests.support.cluster.one_rotation import PEOPLE, OneRotation
from tests.support.tcp_proxy import kubeconfig_through, tcp_proxy
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cluster.access import Cluster
    from tests.support.cluster.control_plane import ControlPlane
    from tests.support.cluster.guarded import Stop
    from tests.support.cluster.operating import ClusterInstallation, OperatorProcess
    from tests.support.cluster.pretend_node import PretendNode
    from tests.support.postgres import PostgresServer
    from tests.support.postgres import Stop as PostgresStop


def database_of(installation: ClusterInstallation) -> str:
    return urlsplit(installation.database_url).path.removeprefix("/")


def moving(installation: ClusterInstallation, node: PretendNode) -> OneRotation:
    """Bring an installation into the middle of a rotation: the Job is made, and its pod waits."""
    story = OneRotation(installation)
    story.install()
    node.held = True
    story.begin()
    installation.await_step("Migrate")
    until(lambda: installation.jobs() != [], "the Job")
    return story


def restarted(operator: OperatorProcess) -> bool:
    return operator.popen.poll() is not None


@pytest.mark.parametrize("how", ["SIGINT", "SIGQUIT"])
def test_while_the_database_is_stopped_counts_are_old_and_dated_and_afterwards_all_goes_on(
    installation: ClusterInstallation, node: PretendNode, postgres_server: PostgresServer, how: PostgresStop
) -> None:
    with installation.operator() as operator:
        story = moving(installation, node)
        keyring = installation.keyring()
        postgres_server.stop(how)
        installation.await_reason("DatabaseReachable", "DatabaseUnreachable")
        before = installation.status()
        assert installation.conditions()["Ready"] == ("False", "DatabaseUnreachable")
        assert installation.conditions()["DataUpToDate"][0] == "Unknown"
        # Several looks later they are still what was counted last, and say when that was.
        asked = len(operator.lines())
        installation.quiet(6.0)
        now = installation.status()
        assert now["users"]["enrolled"] == now["users"]["rolling"] == len(PEOPLE)
        assert (now["users"], now["lastScanTime"]) == (before["users"], before["lastScanTime"])
        assert now["rotation"]["step"] == "Migrate"
        assert installation.keyring() == keyring
        assert len(operator.lines()) - asked < 5, "an outage is told once, not with each look"
        node.held = False
        postgres_server.start()
        story.check()
        assert not restarted(operator)


def test_a_database_that_restarts_under_working_pods_is_waited_for(
    installation: ClusterInstallation, node: PretendNode, postgres_server: PostgresServer
) -> None:
    with installation.operator() as operator:
        story = moving(installation, node)
        node.held = False
        until(lambda: node.running != {}, "a worker")
        postgres_server.restart("SIGQUIT")
        story.check()
        assert not restarted(operator)


def test_a_database_that_only_reads_is_named_and_nothing_is_staged_meanwhile(
    installation: ClusterInstallation, node: PretendNode, postgres_server: PostgresServer
) -> None:
    story = OneRotation(installation)
    name = sql.Identifier(database_of(installation))
    with installation.operator():
        story.install()
        generation = installation.keyring()[0].generation
        postgres_server.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name)
        )
        _disconnect(postgres_server, installation)
        story.begin()
        # Not at once: a pass under way when its connection ended tells of that.
        readable = "accepts no writes at the moment"
        until(lambda: readable in installation.message("DatabaseReachable"), "the reason")
        assert installation.conditions()["DatabaseReachable"] == ("False", "DatabaseUnreachable")
        assert installation.keyring()[0].generation == generation
        postgres_server.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
        _disconnect(postgres_server, installation)
        story.check()


def test_a_database_that_lets_the_operator_wait_is_waited_for(
    installation: ClusterInstallation, node: PretendNode, postgres_server: PostgresServer
) -> None:
    with installation.operator() as operator:
        story = moving(installation, node)
        with postgres_server._connect(database_of(installation)) as connection, connection.transaction():
            connection.execute("LOCK TABLE practicus_mfa.mfa_factors IN ACCESS EXCLUSIVE MODE")
            node.held = False
            until(lambda: node.running != {}, "a worker")
            until(
                lambda: (
                    postgres_server.execute(
                        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    )
                    > [(1,)]
                ),
                "operator and worker to wait",
            )
        story.check()
        assert not restarted(operator)


def _disconnect(server: PostgresServer, installation: ClusterInstallation) -> None:
    server.execute(
        sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}").format(
            sql.Literal(database_of(installation))
        )
    )


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_an_api_server_that_restarts_in_the_middle_of_a_rotation_is_waited_for(
    cluster: Cluster,
    control_plane: ControlPlane,
    installation: ClusterInstallation,
    node: PretendNode,
    how: Stop,
) -> None:
    if cluster is not control_plane:
        pytest.skip("the API server of this cluster is not the tests' own")
    with installation.operator() as operator:
        story = moving(installation, node)
        control_plane.stop_apiserver(how)
        try:
            # Long enough for the lease to be lost.
            until(lambda: "no longer leads" in operator.log.read_text("utf-8"), "the operator to stop acting")
        finally:
            control_plane.start_apiserver()
        node.held = False
        story.check()
        assert not restarted(operator)


def test_watches_that_froze_are_noticed_and_opened_anew(
    installation: ClusterInstallation, node: PretendNode, tmp_path: Path
) -> None:
    url = urlsplit(server_of(installation.kubeconfig).url)
    story = OneRotation(installation)
    assert url.hostname is not None
    assert url.port is not None
    with tcp_proxy(url.hostname, url.port) as proxy:
        kubeconfig = kubeconfig_through(proxy, installation.kubeconfig, tmp_path / "frozen.kubeconfig")
        # No resync: what is not heard of is not looked at.
        with installation.operator(kubeconfig=kubeconfig, resyncSeconds=3600) as operator:
            story.install()
            before = proxy.connections
            proxy.freeze()
            story.begin()
            until(lambda: proxy.connections > before, "another connection")
            story.check()
            assert not restarted(operator)
