"""Commands on a policy of a cluster in memory: what is printed, which exit codes, and that none writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from practicus_mfa.cli import status as status_command
from practicus_mfa.cli.main import run
from practicus_mfa.clock import utc_now
from practicus_mfa.core.manifests import render
from practicus_mfa.core.parse.values import read_values
from practicus_mfa.core.status import instant
from practicus_mfa.crypto.keys import FernetKey
from practicus_mfa.errors import MfaError, UnreachableError
from practicus_mfa.kube import connect
from practicus_mfa.kube.objects import NAMESPACES, POLICIES, SECRETS, Kind
from practicus_mfa.reconciler.cluster.config import read_config
from practicus_mfa.reconciler.cluster.metrics import Metrics
from practicus_mfa.reconciler.cluster.passes import Passes, World
from practicus_mfa.reconciler.cluster.policies import Policies
from practicus_mfa.reconciler.cluster.queue import Key
from tests.support.fake_cluster import FakeCluster

KEY: Final = FernetKey(b"k" * 32)
NEXT: Final = FernetKey(b"n" * 32)


class Team:
    """A team's policy that an operator has looked at, with a database on the disk."""

    def __init__(self, folder: Path) -> None:
        self.cluster = FakeCluster()
        self.cluster.create(NAMESPACES, None, {"metadata": {"name": "team", "uid": "the-namespace"}})
        self.file = folder / "mfa.db"
        self.apply(KEY)

    def apply(self, active: FernetKey, rolling: FernetKey | None = None) -> None:
        store = {"activeKey": active.text, "rollingKey": rolling.text if rolling else ""}
        values = read_values(
            {"secretStore": store, "database": {"url": f"sqlite:///{self.file}"}}, source="test"
        )
        ids = {"active": active.id, "rolling": rolling.id if rolling else None}
        wanted = render(values, **ids, name="mfa", namespace="team")
        assert wanted.secret_store is not None
        assert wanted.database is not None
        for secret in (wanted.secret_store, wanted.database):
            self.cluster.apply(SECRETS, "team", dict(secret))
        applied = self.cluster.apply(POLICIES, "team", dict(wanted.policy))
        published = {"status": applied["status"]} if "status" in applied else {}
        self.cluster.put(POLICIES, {**applied, **published})

    def operate(self) -> None:
        """Make passes until nothing changes."""
        world = World(
            cluster=self.cluster,
            config=read_config({"jobTemplate": {"image": "mfa"}}),
            policies=Policies(),
            metrics=Metrics(),
            host="pod-1",
            owner="pod-1/1",
            clock=utc_now,
        )
        passes = Passes(world, Key("team", "mfa"))
        while passes.run(self.policy()) == 0:
            pass
        passes.close()
        self.cluster.calls.clear()

    def policy(self) -> dict[str, Any]:
        found = self.cluster.get(POLICIES, "team", "mfa")
        assert found is not None
        return found

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the policy as the API server holds it, status included."""
        policy = self.policy()
        change(policy)
        self.cluster.put(POLICIES, policy)


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A team whose cluster every way leads to."""
    made = Team(tmp_path)
    monkeypatch.setattr(connect, "connect", lambda **_: (made.cluster, "team"))
    monkeypatch.setattr(connect, "in_pod", lambda: False)
    monkeypatch.setattr(status_command, "POLL", 0.0)
    return made


@pytest.fixture
def ready(team: Team) -> Team:
    """The same, Ready."""
    team.operate()
    return team


Capture = pytest.CaptureFixture[str]


def test_status_is_what_the_operator_published_and_takes_no_secret(ready: Team, capsys: Capture) -> None:
    assert run(["status", "-n", "team"]) == 0
    head, table = capsys.readouterr().out.split("CONDITION", 1)
    scanned = ready.policy()["status"]["lastScanTime"]
    assert head == (
        "Policy        team/mfa\n"
        f"Active key    {KEY.id}\n"
        "Rolling key   -\n"
        "Users         0 total, 0 enrolled, 0 active, 0 rolling, 0 unknown, 0 corrupt\n"
        f"As of         {scanned}\n"
    )
    assert re.fullmatch(r"Ready +True +Ready +Policy and keys are in force\.", table.splitlines()[1])
    ready.cluster.calls.clear()
    run(["status", "-n", "team"])
    assert {kind for _, kind, _ in ready.cluster.calls} == {"MfaPolicy"}


def test_counts_stand_in_their_order_however_they_are_given_back(ready: Team, capsys: Capture) -> None:
    ready.edit(lambda policy: policy["status"].update(users={"rolling": 1, "enrolled": 12_345, "total": 2}))
    run(["status", "-n", "team"])
    assert "\nUsers         2 total, 12,345 enrolled, 1 rolling\n" in capsys.readouterr().out


def test_status_for_programs_is_the_published_tree(ready: Team, capsys: Capture) -> None:
    published = ready.policy()["status"]
    assert run(["status", "-n", "team", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == published
    assert run(["status", "-n", "team", "-o", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == published


def outdate(policy: dict[str, Any]) -> None:
    policy["metadata"]["generation"] += 1
    policy["status"]["lastScanTime"] = instant(datetime.now(UTC) - timedelta(hours=1))


def test_a_status_that_is_not_current_says_why(ready: Team, capsys: Capture) -> None:
    ready.edit(outdate)
    assert run(["status", "-n", "team"]) == 0
    assert (
        "Not current   generation 2 of the spec was not yet seen by the operator\n"
        "Not current   no scan for more than 15 minutes: the operator may be down\n"
    ) in capsys.readouterr().out
    assert run(["status", "-n", "team", "-o", "json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["activeKeyID"] == KEY.id
    assert captured.err == (
        "Not current: generation 2 of the spec was not yet seen by the operator.\n"
        "Not current: no scan for more than 15 minutes: the operator may be down.\n"
    )


def test_without_a_status_that_is_what_is_shown(team: Team, capsys: Capture) -> None:
    assert run(["status", "-n", "team"]) == 0
    assert capsys.readouterr().out == (
        "Policy        team/mfa\nNot current   there is no status yet: the operator has not seen the policy\n"
    )
    assert run(["status", "-n", "team", "-o", "json"]) == 0
    assert capsys.readouterr().out == "{}\n"


def test_numbers_that_an_older_release_did_not_publish_are_dashes(ready: Team, capsys: Capture) -> None:
    ready.edit(
        lambda policy: policy["status"].update(rotation={"id": 1, "step": "Migrate"}, lastScanTime=None)
    )
    assert run(["status", "-n", "team"]) == 0
    out = capsys.readouterr().out
    assert "Rotation      1: Migrate, - migrated, - left, started None\nAs of         -\n" in out


def test_a_database_out_of_reach_is_exit_code_4(ready: Team, capsys: Capture) -> None:
    ready.cluster.delete(SECRETS, "team", "mfa-database")
    ready.operate()
    assert run(["status", "-n", "team"]) == 4
    assert "DatabaseUnreachable" in capsys.readouterr().out


@contextmanager
def later(team: Team, *changes: Callable[[], object]) -> Iterator[None]:
    """Let things happen, one before each look after the first."""
    pending = iter((lambda: None, *changes))

    def refuse(verb: str, kind: Kind, _name: str) -> MfaError | None:
        if (verb, kind) == ("get", POLICIES):
            team.cluster.refuse = lambda *_: None
            found = next(pending)()
            team.cluster.refuse = refuse
            return found if isinstance(found, MfaError) else None
        return None

    team.cluster.refuse = refuse
    yield


def test_wait_passes_over_what_was_true_of_an_older_generation(ready: Team, capsys: Capture) -> None:
    ready.edit(outdate)
    away = UnreachableError("The API server can't be reached.", remedy="Wait.")
    with later(ready, lambda: None, lambda: away, lambda: away, ready.operate):
        assert run(["status", "-n", "team", "--wait"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("CONDITION") == 1
    assert "Not current" not in captured.out
    assert captured.err == "The API server can't be reached. Trying again.\n"


def test_wait_passes_over_an_old_ready_where_only_the_secret_changed(ready: Team, capsys: Capture) -> None:
    def fill_by_hand(policy: dict[str, Any]) -> None:
        policy["spec"]["secretStoreRef"] = {"name": "filled-by-hand"}

    def publish() -> None:
        ready.edit(lambda policy: policy["status"].update(activeKeyID=NEXT.id))

    ready.edit(fill_by_hand)
    entries = {"metadata": {"name": "filled-by-hand"}, "stringData": {"activeKey": NEXT.text}}
    ready.cluster.create(SECRETS, "team", entries)
    with later(ready, lambda: None, publish):
        assert run(["status", "-n", "team", "-w", "--wait"]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert f"Not current   key {NEXT.id} in the Secret was not yet seen by the operator\n" in first
    assert f"Active key    {NEXT.id}\n" in second
    assert "Not current" not in second


@pytest.mark.parametrize("text", ["", "no key"])
def test_what_is_no_key_can_t_be_waited_for(text: str, ready: Team) -> None:
    ready.edit(lambda policy: policy["spec"].update(secretStoreRef={"name": "filled-by-hand"}))
    entries = {"metadata": {"name": "filled-by-hand"}, "stringData": {"activeKey": text}}
    ready.cluster.create(SECRETS, "team", entries)
    assert run(["status", "-n", "team", "--wait"]) == 0


def test_wait_takes_no_secret_of_a_policy_that_names_its_keys(ready: Team) -> None:
    ready.cluster.calls.clear()
    assert run(["status", "-n", "team", "--wait"]) == 0
    assert {kind for _, kind, _ in ready.cluster.calls} == {"MfaPolicy"}


def test_wait_ends_where_a_person_is_needed(ready: Team, capsys: Capture) -> None:
    ready.apply(NEXT, NEXT)
    with later(ready, ready.operate):
        assert run(["status", "-n", "team", "--wait"]) == 3
    assert "SameKey" in capsys.readouterr().out


def test_watch_prints_each_change_once(ready: Team, capsys: Capture) -> None:
    def scanned(policy: dict[str, Any]) -> None:
        policy["status"]["lastScanTime"] = instant(datetime.now(UTC) + timedelta(seconds=5))

    def edited() -> None:
        ready.edit(lambda policy: policy["status"].update(keyringGeneration=7))

    def interrupt() -> None:
        raise KeyboardInterrupt

    with later(ready, lambda: None, lambda: ready.edit(scanned), edited, lambda: None, interrupt):
        assert run(["status", "-n", "team", "-w", "-o", "yaml"]) == 130
    shown = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [each["keyringGeneration"] for each in shown] == [shown[0]["keyringGeneration"], 7]


def test_watch_and_wait_end_together(ready: Team, capsys: Capture) -> None:
    ready.edit(outdate)
    with later(ready, ready.operate):
        assert run(["status", "-n", "team", "-w", "--wait"]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert "Not current" in first
    assert "Not current" not in second


@pytest.mark.parametrize("before", [True, False])
def test_flags_may_stand_before_the_command(
    before: bool, ready: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def note(**how: object) -> tuple[FakeCluster, str]:
        asked.append(how)
        return ready.cluster, "elsewhere"

    monkeypatch.setattr(connect, "connect", note)
    flags = ["-n", "team", "--context", "c", "--kubeconfig", "k"]
    assert run([*flags, "status"] if before else ["status", *flags]) == 0
    assert asked == [{"context": "c", "kubeconfig": Path("k")}]


def test_plan_verify_and_keys_list_look_and_write_nothing(ready: Team, capsys: Capture) -> None:
    ready.apply(NEXT, KEY)
    ready.cluster.calls.clear()
    before = ready.file.read_bytes()
    assert run(["plan", "-n", "team"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Step: Stage\n  WriteKeyring(")
    assert KEY.text not in out
    assert run(["plan", "-n", "team", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == "Stage"
    assert run(["verify", "-n", "team"]) == 0
    assert capsys.readouterr().out == f"All 0 tokens open under the active key {KEY.id}.\n"
    assert run(["keys", "list", "-n", "team"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [KEY.id, "active", "0"]
    assert run(["migrate", "-n", "team"]) == 0
    assert capsys.readouterr().err == "Nothing is planned: see practicus-mfa status.\n"
    assert {verb for verb, _, _ in ready.cluster.calls} == {"get", "list"}
    assert ready.file.read_bytes() == before


def test_plan_sets_no_database_up(team: Team, capsys: Capture) -> None:
    from practicus_mfa.storage.engine import connect as open_database

    database = open_database(f"sqlite:///{team.file}", create=True)
    with database.read():
        pass
    database.close()
    before = team.file.read_bytes()
    assert run(["plan", "-n", "team"]) == 2
    assert f"{team.file}" in capsys.readouterr().err
    assert team.file.read_bytes() == before


def test_a_keyring_of_a_file_is_used_in_place_of_the_policy_s(
    ready: Team, tmp_path: Path, capsys: Capture
) -> None:
    assert run(["keys", "list", "-n", "team", "--keyring", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith(f"error: there is no file {tmp_path}/none\n")


def test_a_database_that_only_the_cluster_reaches_is_told_with_the_way_there(
    ready: Team, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.file.unlink()
    assert run(["plan", "-n", "team"]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[1] == (
        "remedy: where only the cluster reaches it, run this there: "
        "kubectl -n team exec deploy/mfa-operator -- practicus-mfa plan -n team"
    )
    assert run(["--context", "c", "keys", "list", "-n", "team", "--policy", "mfa"]) == 0
    captured = capsys.readouterr()
    assert KEY.id in captured.out
    assert captured.err.splitlines()[1] == (
        "remedy: where only the cluster reaches it, run this there: "
        "kubectl --context c -n team exec deploy/mfa-operator -- practicus-mfa keys list -n team --policy mfa"
    )
    monkeypatch.setattr(connect, "in_pod", lambda: True)
    run(["plan", "-n", "team"])
    assert "kubectl" not in capsys.readouterr().err


def test_verify_before_the_first_pass_says_whom_to_wait_for(team: Team, capsys: Capture) -> None:
    from practicus_mfa.storage.engine import connect as open_database
    from practicus_mfa.storage.versions import upgrade

    database = open_database(f"sqlite:///{team.file}", create=True)
    upgrade(database)
    database.close()
    assert run(["verify", "-n", "team"]) == 2
    assert capsys.readouterr().err == (
        "error: no key writes yet\n"
        "remedy: let the operator make its first pass; practicus-mfa status tells how that stands\n"
    )


KUBECONFIG: Final = """
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
"""


@pytest.mark.parametrize(
    ("arguments", "code", "used", "unused"),
    [
        (["--data-dir", "."], 2, "sqlalchemy", {"kubernetes", "urllib3", "kopf"}),
        (
            ["--kubeconfig", "config", "--policy", "mfa"],
            4,
            "kubernetes",
            {"sqlalchemy", "cryptography", "kopf"},
        ),
    ],
)
def test_status_imports_what_its_place_needs(
    arguments: list[str], code: int, used: str, unused: set[str], tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(KUBECONFIG)
    script = (
        f"import sys; from practicus_mfa.cli.main import run; code = run({['status', *arguments]});"
        "print(code, *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    ended, *modules = done.stdout.split()
    assert (int(ended), used in modules, unused & set(modules)) == (code, True, set())
