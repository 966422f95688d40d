from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.cluster import go_programs, standing, ways
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.support.cluster.control_plane import ControlPlane

ROOT: Final = Path(__file__).parents[2]

SESSION: Final = """
import time
from tests.support.cluster import ways
from tests.support.cluster.control_plane import ControlPlane
plane = ControlPlane(ways.control_plane_programs())
print(plane.folder, *plane.processes.values(), flush=True)
time.sleep(600)
"""

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="finds processes by what /proc says"
)


@pytest.fixture
def own_folder(control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test alone, so that nobody's standing cluster is touched; the programs are given."""
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", *go_programs.CONTROL_PLANE):
        (assets / name).symlink_to(ways.find(name))
    monkeypatch.setenv(ways.ASSETS_VARIABLE, str(assets))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(ways.GIVEN_VARIABLE, raising=False)
    # Without Docker there is no kind.
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-docker")
    return tmp_path


def _make(command: str) -> subprocess.CompletedProcess[str]:
    # It ends when its output does: what still stands must not hold on to it.
    return subprocess.run(
        [sys.executable, "-m", "tests.support.cluster", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )


def _processes_with(text: Path) -> list[int]:
    """Return the processes whose environment holds the text: all that was started from there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if str(text).encode() in environment and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


@needs_proc
def test_a_standing_cluster_outlives_its_command_and_leaves_nothing_behind(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = _make("up").stdout
    try:
        assert said == f"export KUBECONFIG={standing.kubeconfig()}\n"
        monkeypatch.setenv(ways.GIVEN_VARIABLE, str(standing.kubeconfig()))
        with ways.any_cluster() as cluster:
            folders = _cluster_folders(own_folder)
            cluster.kubectl("create", "namespace", "kept")
            monkeypatch.delenv(ways.GIVEN_VARIABLE)
            assert _make("up").stdout == said
            assert cluster.kubectl("get", "namespace", "kept", "-o=name") == "namespace/kept\n"
    finally:
        told = _make("down").stdout
    assert told == "The cluster is gone.\n"
    until(lambda: not _processes_with(own_folder), "the end of the last process")
    assert len(folders) == 1
    assert not any(folder.exists() for folder in folders)
    assert not standing.kubeconfig().exists()
    assert _make("down").stdout == "No cluster stands.\n"


@needs_proc
def test_after_a_crash_a_cluster_can_stand_again(own_folder: Path) -> None:
    _make("up")
    holder = standing.holder()
    assert holder is not None
    folders = _cluster_folders(own_folder)
    os.kill(holder, 9)
    until(lambda: not _processes_with(own_folder), "the end of all that the holder had started")
    assert not any(folder.exists() for folder in folders)
    assert standing.holder() is None
    try:
        _make("up")
        assert standing.holder() not in {None, holder}
    finally:
        _make("down")


def test_a_killed_session_leaves_no_process_and_no_folder(control_plane: ControlPlane) -> None:
    session = subprocess.Popen(
        [sys.executable, "-c", SESSION], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert session.stdout is not None
    folder, *pids = session.stdout.readline().split()
    assert len(pids) == len(control_plane.processes)
    assert Path(folder).is_dir()
    session.kill()
    session.communicate()
    until(lambda: not any(_lives(int(pid)) for pid in pids), "the end of the control plane's programs")
    until(lambda: not Path(folder).exists(), "the folder's removal")


def _cluster_folders(own_folder: Path) -> set[Path]:
    """Return where the programs that were started from there work."""
    found = set()
    for process in _processes_with(own_folder):
        # One may end at this moment.
        with suppress(OSError):
            found.add(Path(f"/proc/{process}/cwd").readlink())
    return found - {ROOT}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
