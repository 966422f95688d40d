"""The command line on a real API server, with the rights of somebody who may look and nothing else."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.objects import POLICIES
from tests.support.cluster.steps import (
    NAMES,
    ROTATION_SECONDS,
    await_counted,
    await_rotated,
    begin,
    policy_jobs,
    rotate,
    write_secret,
)
from tests.support.installation import ENVIRONMENT, PROGRAM, Ended
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.access import Cluster
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.shared_operator import SharedOperator

A, B = generate_key(), generate_key()

LOOKER = """
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}, namespace: {namespace}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {name}, namespace: {namespace}}}
rules:
  - {{apiGroups: [mfa.practicus.ai], resources: [mfapolicies], verbs: [get, list]}}
  - {{apiGroups: [batch], resources: [jobs], verbs: [list]}}
  - {{apiGroups: [""], resources: [pods], verbs: [list]}}
  - {{apiGroups: [""], resources: [namespaces], verbs: [get]}}
  - {{apiGroups: [""], resources: [{secrets}], verbs: [get]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}
subjects: [{{kind: ServiceAccount, name: {name}, namespace: {namespace}}}]
"""


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal, in an empty folder.

    Attributes:
        home: The folder.
        kubeconfig: Theirs.
    """

    home: Path
    kubeconfig: Path | None

    @property
    def environ(self) -> dict[str, str]:
        apart = {"KUBECONFIG", "KUBERNETES_SERVICE_HOST"}
        environ = {name: value for name, value in ENVIRONMENT.items() if name not in apart}
        found = {"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else {}
        return {**environ, "HOME": str(self.home), "PYTHONPATH": os.pathsep.join(sys.path), **found}

    def run(self, *arguments: str) -> Ended:
        """Run the program to its end."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=self.home,
            env=self.environ,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the program beside the test; it has ended at the end."""
        with (
            (self.home / "out").open("w") as out,
            subprocess.Popen(
                [*PROGRAM, *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env=self.environ,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def shown(self) -> str:
        """What the program has printed that runs beside the test."""
        return (self.home / "out").read_text("utf-8")


def _person(cluster: Cluster, home: Path, namespace: str, *, secrets: bool = True) -> Person:
    name = "looker" if secrets else "stranger"
    cluster.apply(LOOKER.format(name=name, namespace=namespace, secrets="secrets" if secrets else "events"))
    return Person(home, cluster.kubeconfig_for(namespace, name))


@pytest.fixture
def installation(served: ClusterInstallation) -> ClusterInstallation:
    """Users under the key A."""
    begin(served, A)
    await_counted(served)
    return served


@pytest.fixture
def person(cluster: Cluster, served: ClusterInstallation, tmp_path: Path) -> Person:
    """Who may look at everything of the installation, and write nothing."""
    return _person(cluster, tmp_path, served.namespace)


def test_what_an_operator_published_is_shown_and_the_rest_is_looked_at(
    installation: ClusterInstallation, person: Person, cluster: Cluster
) -> None:
    status = person.run("status")
    assert (status.code, status.err) == (0, "")
    head, table = status.out.split("CONDITION", 1)
    assert head.splitlines() == [
        f"Policy        {installation.namespace}/{installation.name}",
        f"Active key    {A.id}",
        "Rolling key   -",
        "Users         12 total, 12 enrolled, 12 active, 0 rolling, 0 unknown, 0 corrupt",
        f"As of         {installation.status()['lastScanTime']}",
    ]
    assert re.search(r"^Ready +True +Ready +Policy and keys are in force\.$", table, re.MULTILINE)
    where = ("-n", installation.namespace)
    assert json.loads(person.run("status", *where, "-o", "json").out)["activeKeyID"] == A.id
    assert yaml.safe_load(person.run("status", *where, "-o", "yaml").out) == installation.status()
    assert person.run("plan").out == "Nothing is to be done: policy and keys are in force.\n"
    assert person.run("verify", *where).out == f"All 12 tokens open under the active key {A.id}.\n"
    assert person.run("keys", "list", "--policy", installation.name).out.splitlines() == [
        "KEY ID        STATE   ROWS",
        f"{A.id}  active    12",
    ]
    users = json.loads(person.run("-n", installation.namespace, "users", "list", "-o", "json").out)
    assert sorted(user["username"] for user in users) == sorted(NAMES)
    assert person.run("db", "check").code == 0


def test_a_rotation_is_watched_and_waited_for(
    installation: ClusterInstallation, person: Person, shared_operator: SharedOperator
) -> None:
    before = installation.policy()
    shared_operator.node.held = True
    try:
        rotate(installation, B, A)
        until(lambda: len(policy_jobs(installation)) == 1, "a Job")
        plan = person.run("plan")
        assert (plan.code, plan.err) == (0, "")
        assert plan.out.startswith("Step: Migrate\n")
        assert set(person.run("keys", "list").out.splitlines()[1:]) == {
            f"{B.id}  active      0",
            f"{A.id}  rolling    12",
        }
        verify = person.run("verify", "-o", "json")
        assert verify.code == 3
        assert len(json.loads(verify.out)) == 12
        assert verify.err.endswith(f"\n12 of 12 tokens do not open under the active key {B.id}.\n")
        with person.running("status", "-w", "--wait") as waiting:
            until(lambda: "Migrating" in person.shown(), "the first status")
            shared_operator.node.held = False
            assert waiting.wait(timeout=ROTATION_SECONDS) == 0
    finally:
        shared_operator.node.held = False
    shown = person.shown().split("\n\n")
    assert "12 left" in shown[0]
    assert re.search(r"^Ready +True +Ready ", shown[-1], re.MULTILINE)
    assert len(shown) == len(set(shown)) >= 2
    await_rotated(installation, B)
    assert installation.policy()["metadata"]["generation"] > before["metadata"]["generation"]
    installation.check_secrets(NAMES, B)


def test_a_person_who_is_needed_ends_the_wait(installation: ClusterInstallation, person: Person) -> None:
    installation.apply(B.text, A.text, migration={"parallelism": 1, "suspend": True})
    ended = person.run("status", "--wait")
    assert ended.code == 3
    assert "Suspended" in ended.out


def test_a_watch_goes_on_until_it_is_interrupted(installation: ClusterInstallation, person: Person) -> None:
    with person.running("status", "--watch", "-o", "yaml") as watching:
        until(lambda: "activeKeyID" in person.shown(), "the status")
        installation.enrol("newcomer")
        until(lambda: "\n---\n" in person.shown() and "enrolled: 13" in person.shown(), "the newcomer")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=LIMIT_SECONDS) == 130
    assert person.shown().endswith("cancelled\n")


def test_who_may_not_read_secrets_sees_the_status_and_is_told_which_right_is_missing(
    installation: ClusterInstallation, cluster: Cluster, tmp_path: Path
) -> None:
    namespace = installation.namespace
    stranger = _person(cluster, tmp_path, namespace, secrets=False)
    assert stranger.run("status").code == 0
    for command in (["plan"], ["verify"], ["migrate"], ["users", "list"]):
        secret = f"Secret {installation.name}-database in the namespace {namespace}"
        assert stranger.run(*command) == Ended(
            2,
            "",
            f"error: The API server forbids it to get the {secret}.\n"
            f'remedy: Allow the verb "get" on secrets in a Role of the namespace {namespace}; '
            "where the right is there, a policy of the cluster forbids it.\n",
        )
    assert stranger.run("keys", "list").err.startswith(
        f"error: The API server forbids it to get the Secret {installation.keyring_name} "
    )


def test_a_database_that_is_out_of_reach_is_told_with_where_it_may_be_in_reach(
    installation: ClusterInstallation, person: Person
) -> None:
    write_secret(
        installation, f"{installation.name}-database", {"url": "postgresql://mfa:hunter2@127.0.0.1:1/mfa"}
    )
    ended = person.run("plan", "-n", installation.namespace)
    assert (ended.code, ended.out) == (4, "")
    error, remedy = ended.err.splitlines()
    assert error == "error: Nothing answers at 127.0.0.1:1."
    assert remedy == (
        "remedy: where only the cluster reaches it, run this there: "
        f"kubectl -n {installation.namespace} exec deploy/{installation.name}-operator -- "
        f"practicus-mfa plan -n {installation.namespace}"
    )
    assert "hunter2" not in ended.err
    installation.await_reason("DatabaseReachable", "DatabaseUnreachable")
    status = person.run("status")
    assert status.code == 4
    assert re.search("^DatabaseReachable +False +DatabaseUnreachable ", status.out, re.MULTILINE)


def test_kubectl_runs_it_as_a_plugin(
    installation: ClusterInstallation, person: Person, cluster: Cluster
) -> None:
    for name, function in (("kubectl-mfa", "main"), ("kubectl_complete-mfa", "complete")):
        script = person.home / name
        script.write_text(
            f"#!{sys.executable}\nfrom practicus_mfa.cli.plugin import {function}\n{function}()\n", "utf-8"
        )
        script.chmod(0o755)
    (person.home / "practicus-mfa-data").mkdir()
    environ = {**person.environ, "PATH": f"{person.home}:{os.environ['PATH']}"}

    def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [cluster.program, *arguments],
            cwd=person.home,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    expected = f"Policy        {installation.namespace}/{installation.name}\n"
    assert kubectl("mfa", "-n", installation.namespace, "status").stdout.startswith(expected)
    assert kubectl("mfa", "status", "-n", installation.namespace, "--wait").returncode == 0
    unknown = kubectl("mfa", "status", "--context", "nowhere")
    assert unknown.returncode == 2
    assert unknown.stderr == (
        f"error: {person.kubeconfig} has no context nowhere.\n"
        "remedy: Name another with --context; there are: practicus-mfa-test.\n"
    )
    assert kubectl("mfa", "status", "--help").stdout.startswith("Usage: kubectl mfa status ")
    proposed = kubectl("__complete", "mfa", "sta").stdout.splitlines()
    assert proposed == ["status\tShow keys, rows and conditions.", ":4"]


@pytest.fixture
def empty(cluster: Cluster, namespace: str, tmp_path: Path) -> Person:
    """Somebody whose namespace is empty."""
    return _person(cluster, tmp_path, namespace)


def test_which_policy_is_meant_must_be_clear(empty: Person, cluster: Cluster, namespace: str) -> None:
    assert empty.run("status") == Ended(
        2,
        "",
        f"error: there is no MfaPolicy in the namespace {namespace}\n"
        "remedy: name another namespace with -n; kubectl get mfapolicies -A lists them\n",
    )
    spec: dict[str, Any] = {"secretStoreRef": {"name": "keys"}, "databaseRef": {"name": "db"}}
    for name in ("second", "first"):
        body = {"apiVersion": POLICIES.api_version, "kind": POLICIES.kind, "spec": spec}
        cluster.apply(yaml.safe_dump({**body, "metadata": {"name": name, "namespace": namespace}}))
    assert empty.run("plan").err == (
        f"error: the namespace {namespace} has 2 MfaPolicies: first, second\n"
        "remedy: name one of them with --policy\n"
    )
    assert empty.run("status", "--policy", "first") == Ended(
        0,
        f"Policy        {namespace}/first\n"
        "Not current   there is no status yet: the operator has not seen the policy\n",
        "",
    )
    assert empty.run("plan", "--policy", "frist").err == (
        f"error: there is no MfaPolicy frist in the namespace {namespace}\nremedy: did you mean first?\n"
    )
    assert empty.run("plan", "--policy", "first").err == (
        f"error: Secret {namespace}/db, which is to hold the database's URL, does not exist\n"
        "remedy: create it with the entry url, or correct spec.databaseRef of the MfaPolicy\n"
    )


def test_a_cluster_that_is_not_there_is_told(empty: Person) -> None:
    assert empty.kubeconfig is not None
    closed = empty.home / "closed"
    closed.write_text(re.sub(r"server: .*", "server: https://127.0.0.1:1", empty.kubeconfig.read_text()))
    assert empty.run("status", "--kubeconfig", str(closed)) == Ended(
        4,
        "",
        "error: The API server 127.0.0.1:1 can't be reached.\n"
        "remedy: Look whether it runs and whether this machine may connect to it.\n",
    )
    assert Person(empty.home, None).run("status") == Ended(
        2,
        "",
        "error: nothing says where to work: no data folder, no database, no cluster\n"
        "remedy: name a data folder with --data-dir DIR (practicus-mfa up makes one), a database with "
        "--database-url-file FILE, or a cluster with --kubeconfig FILE or KUBECONFIG\n",
    )
