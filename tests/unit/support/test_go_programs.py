from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.cluster import go_programs, ways
from tests.support.cluster.__main__ import main
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[3]

GO: Final = """#!/bin/sh
# Builds what it is asked for, as soon as the file "go-on" is there.
echo "start $$" >> "$STAND_IN/calls"
while [ ! -e "$STAND_IN/go-on" ]; do sleep 0.02; done
if [ -e "$STAND_IN/broken" ]; then echo "no such module" >&2; exit 1; fi
folder=$GOBIN
for argument; do
  case $argument in
    */cmd/*) name=${argument##*/cmd/}; echo made > "$folder/${name%@*}" ;;
  esac
done
echo "end $$" >> "$STAND_IN/calls"
"""

ASK: Final = """
import os, pathlib, sys, time
from tests.support.cluster import go_programs

def waits(seconds, sleep=time.sleep):
    with pathlib.Path(os.environ["STAND_IN"], "calls").open("a") as calls:
        print("waits", os.getpid(), file=calls)
    sleep(seconds)

go_programs.time.sleep = waits
go_programs.ensure(sys.argv[1:])
"""


class StandIn:
    """A program ``go`` that builds at once or when told, and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "go"
        program.write_text(GO, "utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.may_go_on()

    def may_go_on(self) -> None:
        (self.folder / "go-on").touch()

    def must_wait(self) -> None:
        (self.folder / "go-on").unlink()

    def calls(self) -> list[str]:
        """What happened, by the first words of its notes."""
        return [line.split()[0] for line in self._notes()]

    def pids(self) -> list[int]:
        return [int(line.split()[1]) for line in self._notes()]

    def _notes(self) -> list[str]:
        notes = self.folder / "calls"
        return notes.read_text("utf-8").splitlines() if notes.exists() else []


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name in ("CI", ways.ASSETS_VARIABLE, ways.GIVEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return StandIn(tmp_path)


def _ask(name: str) -> subprocess.Popen[bytes]:
    """Have another process ask for a program; it notes when it waits for somebody else's build."""
    return subprocess.Popen([sys.executable, "-c", ASK, name], cwd=ROOT, start_new_session=True)


def _until(condition: Callable[[], bool]) -> None:
    until(condition, "the stand-in for Go")


def test_what_is_built_is_not_built_again(go: StandIn) -> None:
    go_programs.ensure(["kubectl", "kubelet", "helm4"])
    go_programs.ensure(["kubectl", "helm4"])
    assert go.calls() == ["start", "end"] * 2  # Kubernetes in one, Helm in another
    assert go_programs.missing(["kubectl", "kubelet", "helm4", "helm3"]) == ["helm3"]


def test_another_version_is_another_program(go: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    go_programs.ensure(["kubectl", "helm4"])
    monkeypatch.setitem(go_programs.RELEASES, "helm4", "helm.sh/helm/v4/cmd/helm@v4.3.2")
    monkeypatch.setattr(go_programs, "_FLAGS", ("-race",))
    assert go_programs.missing(["kubectl", "helm4"]) == ["kubectl", "helm4"]


def test_of_two_processes_one_builds_and_the_other_waits(go: StandIn) -> None:
    go.must_wait()
    first = _ask("kubectl")
    _until(lambda: go.calls() == ["start"])
    second = _ask("kubectl")
    _until(lambda: len(go.calls()) > 1)
    go.may_go_on()
    assert (first.wait(), second.wait()) == (0, 0)
    assert [call for call in go.calls() if call != "waits"] == ["start", "end"]


def test_nobody_builds_beside_a_build_whose_process_was_killed(go: StandIn) -> None:
    go.must_wait()
    first = _ask("kubectl")
    _until(lambda: go.calls() == ["start"])
    first.kill()
    first.wait()
    second = _ask("kubectl")
    _until(lambda: len(go.calls()) > 1)
    go.may_go_on()
    assert second.wait() == 0
    assert [call for call in go.calls() if call != "waits"] == ["start", "end", "start", "end"]


def test_a_failed_build_says_what_go_said(go: StandIn) -> None:
    (go.folder / "broken").touch()
    with pytest.raises(go_programs.ProgramsMissingError, match="no such module"):
        go_programs.ensure(["kubectl"])
    assert go_programs.missing(["kubectl"]) == ["kubectl"]


def test_without_go_it_is_said_how_to_get_it(go: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(go.folder / "nothing"))
    with pytest.raises(go_programs.ProgramsMissingError, match=r"there is no Go\. Install Go 1\.26 or newer"):
        go_programs.ensure(["kubectl"])


def test_a_persons_machine_builds_only_when_asked(go: StandIn) -> None:
    with pytest.raises(ways.NoClusterError, match=r"kubectl is not built yet.* `make programs`"):
        ways.find("kubectl")
    assert go.calls() == []


def test_in_ci_what_is_missing_is_built(go: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert ways.find("kubectl").read_text("utf-8") == "made\n"


def test_given_programs_go_first(go: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    given = go.folder / "assets"
    given.mkdir()
    (given / "kubectl").touch(mode=0o700)
    monkeypatch.setenv(ways.ASSETS_VARIABLE, str(given))
    assert ways.find("kubectl") == given / "kubectl"
    with pytest.raises(ways.NoClusterError, match="kube-controller-manager is not built yet"):
        ways.find("kube-controller-manager")


def test_before_the_tests_a_person_hears_what_will_be_skipped(
    go: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare"]) == 0
    said = capsys.readouterr().err
    assert "Not built yet: kube-apiserver, kube-controller-manager, kubectl," in said
    assert "skipped" in said
    assert go.calls() == []


def test_a_build_in_the_background_ends_with_who_asked_for_it(go: StandIn) -> None:
    go.must_wait()
    asker = subprocess.Popen(["sleep", "600"])
    building = subprocess.Popen(
        [sys.executable, "-m", "tests.support.cluster", "background", f"--for={asker.pid}"],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    _until(lambda: go.calls() == ["start"])
    asker.kill()
    asker.wait()
    assert building.wait() != 0
    gone = go.pids()[0]
    try:
        _until(lambda: not _lives(gone))
    finally:
        go.may_go_on()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
