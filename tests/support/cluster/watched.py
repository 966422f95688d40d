"""A release that a real Prometheus watches, and a person on call with the pages for its alerts.

The login service uses a lesser role of the database, as we advise.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

from tests.support.chart import of_kind
from tests.support.cluster import monitors, ways
from tests.support.cluster.fresh_release import RELEASE, fresh_release, program
from tests.support.cluster.login_release import ROLES
from tests.support.cluster.prometheus import Prometheus, prometheus
from tests.support.runbooks import OnCall
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.crypto.keys import FernetKey
    from tests.support.chart import Tree
    from tests.support.cluster.login_release import LoginRelease
    from tests.support.cluster.with_node import NodeCluster
    from tests.support.postgres import PostgresServer

SCRAPED_EVERY: Final = "2s"
FACTOR: Final = 60
"""So many times sooner than in the chart an alert fires; nothing else of it is changed."""


@dataclass
class Watched:
    """An installed release.

    Attributes:
        release: The release.
        server: Where its database is.
        prometheus: Scrapes its pods, and knows its alerts.
        on_call: Answers them.
        objects: What the release consists of.
        told: The alerts that have fired so far.
    """

    release: LoginRelease
    server: PostgresServer
    prometheus: Prometheus
    on_call: OnCall
    objects: list[Tree]
    told: set[str] = field(default_factory=set)

    @property
    def groups(self) -> list[Tree]:
        """The alerts as the chart has them."""
        found: list[Tree] = of_kind(self.objects, "PrometheusRule")["spec"]["groups"]
        return found

    def pods(self) -> list[Tree]:
        """The pods that its monitor chooses, those that end left out."""
        monitor = of_kind(self.objects, "PodMonitor")
        found = self.release.kubectl("get", "pods", "-l", monitors.chooser(monitor), "-o=json")
        return [pod for pod in json.loads(found)["items"] if "deletionTimestamp" not in pod["metadata"]]

    def scrape_anew(self) -> None:
        """Scrape the pods that are there now, once each of them has an address."""
        until(lambda: all("podIP" in pod["status"] for pod in self.pods()), "the addresses of pods")
        self.prometheus.scrape(monitors.scrape_jobs(of_kind(self.objects, "PodMonitor"), self.pods()))

    def fires(self, *names: str) -> None:
        """Wait until these alerts fire and no other one; none but those that were waited for ever fired."""
        self.prometheus.await_firing(*names)
        self.told.update(names)
        # An alert that fires is in the series of alerts a moment later.
        until(lambda: self.prometheus.fired() >= self.told, "the series of alerts")
        fired = self.prometheus.fired()
        assert fired == self.told, fired ^ self.told

    def rotated(self) -> None:
        """Wait until the rotation under way has come to its end, and nothing fires."""
        self.release.await_ready()
        self.fires()

    def edit_values(self, active: FernetKey, rolling: FernetKey | None = None, **sections: object) -> None:
        """Edit the values.yaml of who is on call; nothing is upgraded yet."""
        self.release.change(**sections)
        values = self.release.values(active, rolling)
        (self.on_call.folder / "values.yaml").write_text(json.dumps(values), "utf-8")

    def change_role(self, password: str) -> None:
        """Give the login service's role another password, and end its connections."""
        role = sql.Identifier(ROLES.login)
        self.server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {}"
        self.server.execute(sql.SQL(ended).format(sql.Literal(ROLES.login)))


@contextmanager
def watched_release(
    nodes: NodeCluster, root: Path, server: PostgresServer, database_url: str, key: FernetKey
) -> Iterator[Watched]:
    """Install a release under a key, and have it watched until the end of the ``with``.

    Args:
        nodes: Where.
        root: An empty folder.
        server: Where the database is.
        database_url: An empty database that pods reach.
        key: The active one.
    """
    program("prometheus")
    (folder := root / "release").mkdir()
    (desk := root / "desk").mkdir()
    with monitors.kinds(nodes.plane), fresh_release(nodes, folder, database_url) as release:
        installation = release.installation
        installation.set_up_database()
        release.give_a_role(server)
        # Policies that other tests leave behind are not to be told of here.
        release.change(
            operator={"resyncSeconds": 5, "watchNamespaces": [installation.namespace]},
            metrics={
                "podMonitor": {"enabled": True, "interval": SCRAPED_EVERY},
                "prometheusRule": {"enabled": True},
                "dashboard": {"enabled": True},
            },
        )
        release.apply("install", key)
        release.await_ready()
        release.await_people()
        until(lambda: installation.conditions()["ReadersConverged"] == ("True", "Converged"), "the readers")
        objects = release.rendered()
        on_call = OnCall(
            desk,
            nodes.plane.kubeconfig,
            {"kubectl": nodes.plane.program, "helm": ways.find("helm3")},
            NAMESPACE=installation.namespace,
            POLICY=release.name,
            RELEASE=RELEASE,
        )
        groups = monitors.quicker(of_kind(objects, "PrometheusRule")["spec"]["groups"], FACTOR)
        jobs = monitors.scrape_jobs(of_kind(objects, "PodMonitor"), ())
        with prometheus(nodes.node.machine, jobs, groups) as running:
            watched = Watched(release, server, running, on_call, objects)
            watched.scrape_anew()
            yield watched


def old_reader(release: LoginRelease) -> str:
    """Start one more replica of the login service, whose mounted keyring stays as it is now.

    Returns:
        The pod's name.
    """
    name, secret = "left-behind", "left-behind-keyring"
    keyring: dict[str, Any] = json.loads(
        release.kubectl("get", "secret", release.installation.keyring_name, "-o=json")
    )
    pod, *_ = release.pods()
    labels = {
        label: value for label, value in pod["metadata"]["labels"].items() if label != "pod-template-hash"
    }
    spec = {part: value for part, value in pod["spec"].items() if part != "nodeName"}
    for volume in spec["volumes"]:
        if volume["name"] == "keyring":
            volume["secret"]["secretName"] = secret
    _apply(release, "Secret", secret, data=keyring["data"])
    _apply(release, "Pod", name, labels, spec=spec)
    release.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=240s")
    return name


def _apply(
    release: LoginRelease, kind: str, name: str, labels: Tree | None = None, **sections: object
) -> None:
    meta = {"name": name, "namespace": release.installation.namespace, "labels": labels or {}}
    release.nodes.plane.apply(json.dumps({"apiVersion": "v1", "kind": kind, "metadata": meta, **sections}))
