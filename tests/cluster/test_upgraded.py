"""From each release so far to this one: chart, image, definition and tables, with everybody's data kept.

One test for each earlier release, in steps that follow each other: what was done before stays done.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.definition import NUMBER
from practicus_mfa.storage import audit, versions
from tests.support.cluster import steps
from tests.support.cluster.fixtures_node import pods_database
from tests.support.cluster.ingress import ingress
from tests.support.cluster.login_release import LoginRelease
from tests.support.cluster.upgrading import (
    DEFINITION,
    FIELD,
    PEOPLE,
    WITH_PASSWORDS,
    Rows,
    Upgrading,
    in_order,
    upgrading,
)
from tests.support.installation import secret_of
from tests.support.people import PASSWORD
from tests.support.releases import EARLIER, HistoryMissingError
from tests.support.unavailable import without
from tests.support.waiting import until
from tests.support.web_user import WebUser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.with_node import NodeCluster
    from tests.support.postgres import PostgresServer

OLD, NEW = generate_key(), generate_key()

BACKUP: Final = "/tmp/backup.zip"  # noqa: S108 - in the pod, which has nothing else to write to
KEPT: Final = (
    "mfa_users",
    "mfa_factors",
    "mfa_live_keys",
    "mfa_write_key",
    "mfa_key_history",
    "mfa_rotations",
    "mfa_shards",
)
"""Tables in which an upgrade changes no row; later columns apart."""


class Story:
    """What is remembered from one step to the next."""

    def __init__(self, release: Upgrading) -> None:
        self.upgrading = release
        self.installation = release.before.installation
        self.rows: Rows = {}
        self.backup = ""
        self.policy: dict[str, Any] = {}
        self.login = LoginRelease(release.after.nodes, release.after.helm, self.installation)
        self.login.chart = release.after.chart
        self.people = iter(WITH_PASSWORDS)

    def definition(self) -> dict[str, Any]:
        """What the API server serves."""
        found: dict[str, Any] = json.loads(
            self.upgrading.before.nodes.plane.kubectl("get", "crd", DEFINITION, "-o=json")
        )
        return found

    def step(self) -> str | None:
        with self.installation.database() as db:
            return versions.current(db)

    def check_kept(self) -> None:
        """Everything that was in the tables before is there as it was."""
        now = self.upgrading.rows()
        for table in KEPT:
            assert as_before(now[table], self.rows[table]) == self.rows[table], table
        told = as_before(now["mfa_audit"], self.rows["mfa_audit"])
        assert [line for line in self.rows["mfa_audit"] if line not in told] == []

    def let_somebody_in(self) -> None:
        """Log in as one who has not, with the password and the app of the release before."""
        name = next(self.people)
        with ingress(self.login.nodes.node.machine, self.login.service()) as there, WebUser(there) as user:
            assert user.log_in(name, PASSWORD, secret_of(name)) == ""
            assert user.get("/account").status_code == 200


def as_before(now: list[dict[str, Any]], before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without the columns that there were not before."""
    columns = before[0].keys() if before else ()
    return in_order({name: row[name] for name in columns} for row in now)


@pytest.fixture(params=EARLIER, ids=lambda earlier: earlier.version)
def story(
    request: pytest.FixtureRequest,
    node_cluster: NodeCluster,
    tmp_path: Path,
    postgres_server: PostgresServer,
) -> Iterator[Story]:
    try:
        with (
            pods_database(node_cluster, postgres_server) as url,
            upgrading(request.param, node_cluster, tmp_path, url) as release,
        ):
            yield Story(release)
    except HistoryMissingError as error:
        without(error)


def test_everything_is_kept_from_an_earlier_release(story: Story, pods_postgres_url: str) -> None:
    the_earlier_release_runs_by_its_own_chart_and_image(story)
    an_upgrade_changes_definition_and_tables_and_keeps_every_row(story)
    who_was_enrolled_before_logs_in_once_there_is_a_login_service(story)
    a_rollback_harms_nothing_says_what_is_wrong_and_is_undone_by_an_upgrade(story)
    a_rotation_of_this_release_brings_every_row_under_the_new_key(story)
    the_way_back_for_good_is_a_backup_of_the_earlier_release_in_another_database(story, pods_postgres_url)


def the_earlier_release_runs_by_its_own_chart_and_image(story: Story) -> None:
    release = story.upgrading
    release.before.apply("install", OLD)
    release.before.await_ready()
    release.enrol_people()
    assert story.step() == release.earlier.step
    assert FIELD not in json.dumps(story.definition())
    steps.await_counted(story.installation, len(PEOPLE))
    story.installation.check_secrets(PEOPLE, OLD)
    story.rows, story.policy = release.rows(), story.installation.policy()
    release.in_the_pod("practicus-mfa", "backup", "create", BACKUP, "-n", story.installation.namespace)
    story.backup = release.in_the_pod("base64", BACKUP)


def an_upgrade_changes_definition_and_tables_and_keeps_every_row(story: Story) -> None:
    release = story.upgrading
    # What the release before said last says nothing of this one.
    scanned = story.installation.status()["lastScanTime"]
    release.after.apply("upgrade", OLD)
    release.after.kubectl("rollout", "status", "deploy/mfa-operator", "--timeout=240s")
    until(lambda: story.step() == versions.head(), "the tables of this release")
    until(lambda: story.installation.status()["lastScanTime"] != scanned, "a look at the rows")
    release.after.await_ready()
    wanted = yaml.safe_load((release.after.chart / "crds" / "mfapolicies.yaml").read_text("utf-8"))
    served = story.definition()
    assert served["metadata"]["annotations"][NUMBER] == wanted["metadata"]["annotations"][NUMBER]
    assert served["spec"]["versions"] == wanted["spec"]["versions"]
    policy = story.installation.policy()
    assert policy["metadata"]["uid"] == story.policy["metadata"]["uid"]
    assert policy["spec"] == story.policy["spec"]
    assert policy["status"]["users"] == story.policy["status"]["users"]
    assert policy["status"]["keyringGeneration"] == story.policy["status"]["keyringGeneration"]
    story.check_kept()
    story.installation.check_secrets(PEOPLE, OLD)


def who_was_enrolled_before_logs_in_once_there_is_a_login_service(story: Story) -> None:
    story.login.apply("upgrade", OLD)
    story.login.await_people()
    story.login.await_ready()
    story.let_somebody_in()


def a_rollback_harms_nothing_says_what_is_wrong_and_is_undone_by_an_upgrade(story: Story) -> None:
    release, where = story.login, f"--namespace={story.installation.namespace}"
    rows, keyring = story.upgrading.rows(), story.installation.keyring()[0]
    release.helm.run("rollback", release.name, "1", where)
    release.kubectl("rollout", "status", "deploy/mfa-operator", "--timeout=240s")
    story.installation.await_reason("Stalled", "Misconfigured")
    said = story.installation.message("Stalled")
    assert f"is at step {versions.head()}, which is newer than this program" in said
    assert "Use a newer practicus-mfa." in said
    # An older definition is not brought back: policies may say what only the newer one knows.
    assert FIELD in json.dumps(story.definition())
    now = story.upgrading.rows()
    assert [now[table] for table in KEPT] == [rows[table] for table in KEPT]
    assert story.installation.keyring()[0] == keyring
    story.installation.check_secrets(PEOPLE, OLD)

    release.apply("upgrade", OLD)
    release.await_people()
    release.await_ready()
    story.let_somebody_in()


def a_rotation_of_this_release_brings_every_row_under_the_new_key(story: Story) -> None:
    story.login.apply("upgrade", NEW, OLD)
    story.login.await_ready()
    users = story.installation.status()["users"]
    assert (users["enrolled"], users["active"]) == (len(PEOPLE), len(PEOPLE))
    story.installation.check_secrets(PEOPLE, NEW)
    story.let_somebody_in()
    story.login.apply("upgrade", NEW)
    story.login.await_ready()
    assert story.installation.keyring()[0].ids == {NEW.id}
    with story.installation.database() as db, db.read() as connection:
        assert {line.action for line in audit.read(connection)} >= {"user.import", "login"}


def the_way_back_for_good_is_a_backup_of_the_earlier_release_in_another_database(
    story: Story, pods_postgres_url: str
) -> None:
    release, where = story.upgrading, f"--namespace={story.installation.namespace}"
    release.before.helm.run("rollback", release.before.name, "1", where)
    release.await_one_operator()
    # What the release after it said last says nothing of this one.
    story.installation.await_reason("Stalled", "Misconfigured")
    url = pods_postgres_url.replace("postgresql+psycopg:", "postgresql:")
    there = ("--database-url-file", "-")
    release.in_the_pod("practicus-mfa", "db", "upgrade", *there, given=url)
    release.in_the_pod("sh", "-c", f"base64 -d > {BACKUP}", given=story.backup)
    release.in_the_pod("practicus-mfa", "backup", "restore", BACKUP, *there, given=url)
    release.before.change(database={"url": pods_postgres_url})
    release.before.apply("upgrade", OLD)
    until(lambda: story.installation.conditions()["Stalled"] == ("False", "NotStalled"), "a healthy operator")
    release.before.await_ready()
    said = release.in_the_pod("practicus-mfa", "verify", "-n", story.installation.namespace)
    assert f"All {len(PEOPLE)} tokens open under the active key {OLD.id}." in said
