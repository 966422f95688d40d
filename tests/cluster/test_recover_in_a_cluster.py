"""The guide's ways back in where only the cluster reaches the database: a Job, and the operator's pod."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.login import administer
from practicus_mfa.login.recover import KeysLost, recover
from practicus_mfa.storage import accounts, audit
from tests.support.chart import Helm
from tests.support.cluster import ways
from tests.support.cluster.operating import ClusterInstallation
from tests.support.cluster.release import Release
from tests.support.cluster.steps import NAMES, await_rotated, begin, delete_secret, rotate, suspend
from tests.support.guide import sections
from tests.support.people import NEW, PASSWORD, People, let_write
from tests.support.stores import ready
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from practicus_mfa.storage.engine import Database
    from tests.support.cluster.shared_operator import SharedOperator
    from tests.support.cluster.with_node import NodeCluster

GUIDE: Final = sections()
LOST_DEVICE: Final = GUIDE["One administrator lost the device"]
AS_A_JOB: Final = GUIDE["As a Job"]

RELEASE: Final = "mfa"
OLD, NEWER, LAST = generate_key(), generate_key(), generate_key()


def enrolled(db: Database, name: str) -> bool:
    """Whether a user, who has a password, is asked for a code."""
    with db.read() as connection:
        found = accounts.account_named(connection, name)
    assert found is not None
    assert found[1]
    return found[0].enrolled


def recovered_by(db: Database) -> list[str]:
    """Who cleared whose MFA, by the audit."""
    with db.read() as connection:
        return [line.subject for line in audit.read(connection, action="mfa.recover")]


@dataclass(frozen=True)
class Kubectl:
    """The guide's kubectl, where the cluster is another one than the guide's."""

    nodes: NodeCluster
    namespace: str
    folder: Path

    def type_in(self, command: str) -> str:
        """Type a command of the guide; the namespace and the folder are those of the test."""
        program, *words = shlex.split(command)
        assert program == "kubectl"
        here = {"login": self.namespace, "recover.yaml": str(self.folder / "recover.yaml")}
        return self.nodes.plane.kubectl(*(here.get(word, word) for word in words))


def test_the_guides_job_clears_it_where_only_harmless_pods_may_be(
    node_cluster: NodeCluster, node_namespace: str, pods_postgres_url: str, tmp_path: Path
) -> None:
    plane = node_cluster.plane
    (text,) = AS_A_JOB.texts("yaml")
    job: dict[str, Any] = yaml.safe_load(text)
    job["metadata"]["namespace"] = node_namespace
    (container,) = job["spec"]["template"]["spec"]["containers"]
    container["image"] = node_cluster.image
    (tmp_path / "recover.yaml").write_text(yaml.safe_dump(job), "utf-8")
    secret = ("create", "secret", "generic", "login-database", f"--namespace={node_namespace}")
    plane.kubectl(*secret, f"--from-literal=url={pods_postgres_url}")
    kubectl = Kubectl(node_cluster, node_namespace, tmp_path)
    with ready(pods_postgres_url) as db:
        let_write(db, NEW)
        for name in ("ada", "bob"):
            People(db).add(name, key=NEW)
            administer.set_password(db, name, PASSWORD, actor="test")
        said = [kubectl.type_in(command) for command in AS_A_JOB.commands()]
        # As the guide says it, but of the database that a Job is given.
        told = LOST_DEVICE.texts("text")[0].replace("--data-dir data", "--database-url-file /database/url")
        assert set(said[-1].splitlines()) == set(told.splitlines())
        assert "gAAAA" not in said[-1]
        assert (enrolled(db, "ada"), enrolled(db, "bob")) == (False, True)
        assert recovered_by(db) == ["ada"]


def test_the_operators_pod_clears_it(
    node_cluster: NodeCluster, tmp_path: Path, pods_postgres_url: str
) -> None:
    plane = node_cluster.plane
    namespace = plane.create_namespace()
    installation = ClusterInstallation.within(plane, namespace, tmp_path, pods_postgres_url, name=RELEASE)
    helm = Helm(ways.find("helm3"), kubeconfig=node_cluster.plane.kubeconfig)
    release = Release(node_cluster, helm, installation)
    release.apply("install", generate_key())
    release.await_ready()
    installation.enrol("ada", "bob")
    kubectl = Kubectl(node_cluster, namespace, tmp_path)
    with installation.database() as db:
        for name in ("ada", "bob"):
            administer.set_password(db, name, PASSWORD, actor="test")
        (command,) = LOST_DEVICE.commands(1)
        assert "The MFA of ada was cleared" in kubectl.type_in(command)
        assert (enrolled(db, "ada"), enrolled(db, "bob")) == (False, True)
        assert recovered_by(db) == ["ada"]
    node_cluster.plane.delete_namespace(namespace)


# --- every key is lost, while the operator runs -------------------------------------------------------


def lose_every_key(installation: ClusterInstallation) -> None:
    """Take the keyring away; values.yaml names a key that nothing was written under."""
    delete_secret(installation, installation.keyring_name)
    installation.await_reason("Stalled", "RollingKeyMissing")
    assert "The keyring is lost" in installation.message("DataUpToDate")


def test_after_the_loss_of_every_key_a_new_one_takes_over_and_the_old_one_may_return(
    served: ClusterInstallation,
) -> None:
    begin(served, OLD)
    suspend(served, True)
    served.apply(NEWER.text, migration={"suspend": True, "parallelism": 1})
    served.await_reason("DataUpToDate", "Suspended")
    lose_every_key(served)
    with served.database() as db:
        done = recover(db, NAMES[0], actor="root", keys_lost=KeysLost())
    assert done.lost_key == OLD.id

    rotate(served, NEWER)
    until(lambda: served.status().get("activeKeyID") == NEWER.id, "the new key to write")
    left = f"{len(NAMES) - 1} rows need key {OLD.id}"
    until(lambda: left in served.message("DataUpToDate"), "the others to be counted")
    served.enrol("newcomer")
    served.check_secrets(["newcomer"], NEWER)

    rotate(served, NEWER, OLD)
    await_rotated(served, NEWER)
    served.check_secrets(NAMES[1:], NEWER)


def test_a_rotation_that_lost_its_keys_is_over_and_another_key_takes_over(
    served: ClusterInstallation, shared_operator: SharedOperator
) -> None:
    begin(served, OLD)
    shared_operator.node.held = True
    try:
        rotate(served, NEWER, OLD)
        until(lambda: served.status().get("activeKeyID") == NEWER.id, "the promotion")
        rotate(served, LAST)
        # A pass that read the former keys would make the keyring anew.
        until(lambda: f"Key {LAST.id} is next." in served.message("DataUpToDate"), "the last key to be seen")
        lose_every_key(served)
        with served.database() as db:
            done = recover(db, NAMES[0], actor="root", keys_lost=KeysLost())
        assert done.lost_key == NEWER.id
    finally:
        shared_operator.node.held = False
    until(lambda: served.status().get("activeKeyID") == LAST.id, "the new key to write")
    served.enrol("newcomer")
    served.check_secrets(["newcomer"], LAST)
    # What was under the former keys waits for them, and for nothing else.
    assert served.conditions()["DataUpToDate"] == ("False", "RollingKeyMissing")
    rotate(served, LAST, OLD)
    await_rotated(served, LAST)
    served.check_secrets([*NAMES[1:], "newcomer"], LAST)
