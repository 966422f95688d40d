"""An installation that an earlier release made, by its own chart and its own image, and that tests upgrade.

The cluster is as that release found it: its own definition of MfaPolicy is served. What it is upgraded to
is the chart and the image of today, with a definition that is one change ahead: one that is the same as
before would prove nothing.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml
from sqlalchemy import inspect, text

from practicus_mfa.crypto.totp import secret_text
from practicus_mfa.kube.definition import NUMBER
from practicus_mfa.storage.schema import SCHEMA
from tests.support import chart, releases
from tests.support.chart import Helm
from tests.support.cluster import images, ways
from tests.support.cluster.access import KubectlError
from tests.support.cluster.operating import ClusterInstallation
from tests.support.cluster.release import Release
from tests.support.installation import secret_of
from tests.support.people import PASSWORD
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.support.cluster.with_node import NodeCluster
    from tests.support.releases import EarlierRelease

NAME: Final = "mfa"

PEOPLE: Final = [f"user-{number}" for number in range(40)]
WITH_PASSWORDS: Final = PEOPLE[:6]
"""Few: the pod hashes them."""

DEFINITION: Final = "mfapolicies.mfa.practicus.ai"
FIELD: Final = "ofTomorrow"
"""A field that the definition of the newer chart knows more."""

NOT_BEGUN: Final = "container not found"
"""kubectl says so of a command in a pod whose container is not there at the moment."""

Rows = dict[str, list[dict[str, Any]]]
"""The rows of each table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrading:
    """A release of an earlier chart, not installed yet.

    Attributes:
        earlier: Which release it is of.
        before: As that release installs it.
        after: As it is upgraded to today's chart and image.
    """

    earlier: EarlierRelease
    before: Release
    after: Release

    def enrol_people(self) -> None:
        """Have the earlier release's own program create users with MFA, some of whom have a password."""
        file = io.StringIO()
        lines = csv.writer(file)
        lines.writerow(["username", "name", "password", "is_superuser", "totp_secret"])
        for name in PEOPLE:
            password = PASSWORD if name in WITH_PASSWORDS else ""
            first = str(name == PEOPLE[0]).lower()
            lines.writerow([name, f"Şule {name}", password, first, secret_text(secret_of(name))])
        namespace = self.before.installation.namespace
        self.in_the_pod("practicus-mfa", "users", "import", "-", "-n", namespace, given=file.getvalue())

    def in_the_pod(self, *command: str, given: str = "") -> str:
        """Run a command beside the operator that is there at the moment."""
        where = (f"--namespace={self.before.installation.namespace}", f"deploy/{NAME}-operator")
        kubectl, said = self.before.nodes.plane.kubectl, list[str]()

        def begun() -> bool:
            try:
                said.append(kubectl("exec", "-i", *where, "--", *command, input=given))
            except KubectlError as error:
                # Its container starts anew where the API server was away from it: nothing was begun.
                if NOT_BEGUN not in str(error):
                    raise
                return False
            return True

        until(begun, "the operator's container")
        return said[0]

    def await_one_operator(self) -> None:
        """Wait until the operator that was asked for is there, and the one before it has ended."""
        self.before.kubectl("rollout", "status", f"deploy/{NAME}-operator", "--timeout=240s")
        which = ("-l=app.kubernetes.io/component=operator", "-o=name")
        until(
            lambda: len(self.before.kubectl("get", "pods", *which).split()) == 1, "the operator before to end"
        )

    def rows(self) -> Rows:
        """Every row of every table, by the names of its columns."""
        with self.before.installation.database() as db, db.read() as connection:
            found: Rows = {}
            for table in inspect(connection).get_table_names(schema=SCHEMA):
                rows = connection.execute(text(f"SELECT to_jsonb(t) FROM {SCHEMA}.{table} t"))
                found[table] = in_order(rows.scalars())
        return found


def in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort rows in some way, always the same."""
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


@contextmanager
def upgrading(
    earlier: EarlierRelease, nodes: NodeCluster, root: Path, database_url: str, *, helm: str = "helm3"
) -> Iterator[Upgrading]:
    """Give a release to install and upgrade, and leave the cluster's definition as it was.

    Args:
        earlier: What is installed first.
        nodes: Where.
        root: An empty folder.
        database_url: An empty database that pods reach.
        helm: Which one.

    Raises:
        HistoryMissingError: The clone does not have that release.
    """
    for folder in ("earlier", "later", "installation"):
        (root / folder).mkdir()
    releases.unpack(earlier, root / "earlier")
    image = images.released(earlier)
    nodes.node.load(image)
    plane = nodes.plane
    namespace = plane.create_namespace()
    installation = ClusterInstallation.within(
        plane, namespace, root / "installation", database_url, name=NAME
    )
    program = Helm(ways.find(helm), kubeconfig=plane.kubeconfig)
    before, after = (Release(nodes, program, installation) for _ in range(2))
    before.chart, after.chart = root / "earlier" / releases.CHART, with_another_definition(root / "later")
    repository, _, tag = image.name.rpartition(":")
    before.change(image={"repository": repository, "tag": tag, "pullPolicy": "Never"})
    # As Helm would have made it where there was none.
    plane.kubectl("replace", "-f", str(before.chart / "crds"))
    try:
        yield Upgrading(earlier=earlier, before=before, after=after)
    finally:
        plane.delete_namespace(namespace)
        plane.kubectl("replace", "-f", str(ways.DEFINITIONS))


def with_another_definition(folder: Path) -> Path:
    """Copy the chart into a folder, with a definition that counts one more change, and return where it is."""
    copied = folder / chart.CHART.name
    shutil.copytree(chart.CHART, copied)
    file = copied / "crds" / "mfapolicies.yaml"
    definition = yaml.safe_load(file.read_text("utf-8"))
    annotations = definition["metadata"]["annotations"]
    annotations[NUMBER] = str(int(annotations[NUMBER]) + 1)
    (version,) = definition["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    spec[FIELD] = {"type": "string", "maxLength": 10}
    file.write_text(yaml.safe_dump(definition), "utf-8")
    return copied
