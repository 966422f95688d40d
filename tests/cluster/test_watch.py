from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import yaml

from practicus_mfa.kube.client import Collection
from practicus_mfa.kube.connect import connect
from practicus_mfa.kube.faults import BusyApiError, ExpiredError, ForbiddenError
from practicus_mfa.kube.objects import SECRETS, name_of
from practicus_mfa.kube.watch import Watch
from tests.support.tcp_proxy import TcpProxy, kubeconfig_through, tcp_proxy
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.kube import client
    from tests.support.cluster.access import Cluster
    from tests.support.cluster.control_plane import ControlPlane

FOR_EVER = 3600
"""Seconds; a stream of that length doesn't end by itself within any test."""

Told = list[tuple[str | None, str | None]]


@pytest.fixture(scope="module")
def kube(cluster: Cluster) -> Iterator[client.Cluster]:
    connected, _ = connect(kubeconfig=cluster.kubeconfig, environ={})
    yield connected
    connected.forget_idle()


@contextmanager
def watching(
    kube: client.Cluster,
    namespace: str | None,
    name: str = "",
    *,
    seconds: int = FOR_EVER,
    grace: float = 5.0,
    version: str = "",
) -> Iterator[tuple[Watch, Told]]:
    """Watch Secrets; what is told stands in the list, the first is that anything may have changed."""
    told: Told = []
    which = Collection(kind=SECRETS, namespace=namespace, name=name)
    watch = Watch(kube, which, lambda *what: told.append(what), stream_seconds=seconds, grace_seconds=grace)
    # As if it had watched that long ago.
    watch._version = version
    watch.start()
    try:
        until(lambda: bool(told), "the first look")
        yield watch, told
    finally:
        watch.stop()
        until(lambda: not watch.alive, "the watch to end")


def make(cluster: Cluster, namespace: str, name: str, value: str = "one") -> None:
    cluster.kubectl("create", "secret", "generic", name, "-n", namespace, f"--from-literal=entry={value}")


def heard(told: Told, namespace: str, name: str) -> None:
    until(lambda: (namespace, name) in told, f"{namespace}/{name}")
    told.remove((namespace, name))


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[TcpProxy]:
    (entry,) = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"]
    server = urlsplit(entry["cluster"]["server"])
    with tcp_proxy(str(server.hostname), server.port or 443) as running:
        yield running


@pytest.fixture
def proxied(cluster: Cluster, proxy: TcpProxy, tmp_path: Path) -> Iterator[client.Cluster]:
    kubeconfig = kubeconfig_through(proxy, cluster.kubeconfig, tmp_path / "kubeconfig")
    connected, _ = connect(kubeconfig=kubeconfig, environ={})
    yield connected
    connected.forget_idle()


def test_each_change_is_told(cluster: Cluster, kube: client.Cluster, namespace: str) -> None:
    with watching(kube, namespace) as (_, told):
        assert told.pop() == (None, None)
        make(cluster, namespace, "keys")
        heard(told, namespace, "keys")
        cluster.kubectl("label", "secret", "keys", "-n", namespace, "a=b")
        heard(told, namespace, "keys")
        cluster.kubectl("delete", "secret", "keys", "-n", namespace)
        heard(told, namespace, "keys")
        assert told == []


def test_one_secret_is_told_from_the_others(cluster: Cluster, kube: client.Cluster, namespace: str) -> None:
    with watching(kube, namespace, "keys") as (_, told):
        make(cluster, namespace, "other")
        make(cluster, namespace, "keys")
        heard(told, namespace, "keys")
        assert (namespace, "other") not in told


def test_all_namespaces_are_watched_at_once(cluster: Cluster, kube: client.Cluster, namespace: str) -> None:
    with watching(kube, None) as (_, told):
        make(cluster, namespace, "keys")
        heard(told, namespace, "keys")


def test_a_watch_sees_metadata_only(cluster: Cluster, kube: client.Cluster, namespace: str) -> None:
    which = Collection(kind=SECRETS, namespace=namespace)
    version = kube.version(which)
    make(cluster, namespace, "keys")
    with kube.watch(which, version, seconds=FOR_EVER, silence=30) as stream:
        change = next(iter(stream))
    assert (change.type, name_of(change.object)) == ("ADDED", "keys")
    assert change.object["kind"] == "PartialObjectMetadata"
    assert set(change.object) == {"kind", "apiVersion", "metadata"}


def test_streams_follow_each_other_without_a_gap(
    cluster: Cluster, kube: client.Cluster, namespace: str
) -> None:
    with watching(kube, namespace, seconds=1) as (_, told):
        for number in range(12):
            make(cluster, namespace, f"keys-{number}")
        for number in range(12):
            heard(told, namespace, f"keys-{number}")
        assert told == [(None, None)]


def test_a_role_on_one_name_is_enough_for_watching_it(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "serviceaccount", "watcher", "-n", namespace)
    grant = ["--verb=get,list,watch", "--resource=secrets", "--resource-name=keys"]
    cluster.kubectl("create", "role", "watcher", "-n", namespace, *grant)
    bind = ["rolebinding", "watcher", "--role=watcher", f"--serviceaccount={namespace}:watcher"]
    cluster.kubectl("create", *bind, "-n", namespace)
    watcher, _ = connect(kubeconfig=cluster.kubeconfig_for(namespace, "watcher"), environ={})
    with watching(watcher, namespace, "keys") as (_, told):
        make(cluster, namespace, "keys")
        heard(told, namespace, "keys")
    with pytest.raises(ForbiddenError):
        watcher.version(Collection(kind=SECRETS, namespace=namespace))
    watcher.forget_idle()


def test_frozen_connections_are_replaced(
    cluster: Cluster, proxied: client.Cluster, proxy: TcpProxy, namespace: str
) -> None:
    with watching(proxied, namespace, seconds=2, grace=1) as (watch, told):
        make(cluster, namespace, "before")
        heard(told, namespace, "before")
        last = watch.last_heard
        proxy.freeze()
        make(cluster, namespace, "meanwhile")
        heard(told, namespace, "meanwhile")
        assert watch.last_heard > last
        make(cluster, namespace, "afterwards")
        heard(told, namespace, "afterwards")


def test_a_silent_watch_ends_when_it_is_told_to(kube: client.Cluster, namespace: str) -> None:
    with watching(kube, namespace) as (watch, _):
        until(lambda: watch._stream is not None, "the stream")
    assert not watch.alive


@pytest.fixture
def restarted(control_plane: ControlPlane) -> Iterator[tuple[client.Cluster, str]]:
    """A cluster whose API server was killed and is back, and a namespace from before."""
    namespace = control_plane.create_namespace()
    connected, _ = connect(kubeconfig=control_plane.kubeconfig, environ={})
    make(control_plane, namespace, "early")
    control_plane.restart_apiserver("SIGKILL")
    yield connected, namespace
    connected.forget_idle()
    control_plane.delete_namespace(namespace)


def test_a_watch_outlives_the_api_server(control_plane: ControlPlane) -> None:
    namespace = control_plane.create_namespace()
    connected, _ = connect(kubeconfig=control_plane.kubeconfig, environ={})
    try:
        with watching(connected, namespace) as (_, told):
            control_plane.restart_apiserver("SIGKILL")
            make(control_plane, namespace, "keys")
            heard(told, namespace, "keys")
    finally:
        connected.forget_idle()
        control_plane.delete_namespace(namespace)


def test_a_version_that_the_server_forgot_is_known_as_such(restarted: tuple[client.Cluster, str]) -> None:
    kube, namespace = restarted
    which = Collection(kind=SECRETS, namespace=namespace)

    def answered() -> bool:
        try:
            with kube.watch(which, "1", seconds=5, silence=60) as stream:
                list(stream)
        except BusyApiError:
            # It has only begun, and does not know yet what it stores.
            return False
        return True

    with pytest.raises(ExpiredError):
        until(answered, "an answer")


def test_a_watch_goes_on_where_the_server_forgot_its_version(
    control_plane: ControlPlane, restarted: tuple[client.Cluster, str]
) -> None:
    kube, namespace = restarted
    with watching(kube, namespace, version="1") as (_, told):
        assert told == [(None, None)]
        make(control_plane, namespace, "keys")
        heard(told, namespace, "keys")
