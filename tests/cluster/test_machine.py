"""The machine that a node of the tests lives on: whatever happens, nothing of it stays."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.cluster import cgroups, machine
from tests.support.cluster.machine import Machine
from tests.support.postgres_programs import in_ci
from tests.support.waiting import until

ROOT: Final = Path(__file__).parents[2]

HOLD: Final = """
import sys, time
from tests.support.cluster.machine import Machine
held = Machine()
held.program("sleeper", "sleep", "9876").start()
print(held.folder, held.cable, held.cgroup, held.run("echo", "in"), flush=True)
time.sleep(600)
"""

CONNECT: Final = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2]))).close()"


@pytest.fixture(autouse=True)
def possible() -> None:
    if reason := machine.missing():
        pytest.fail(reason) if in_ci() else pytest.skip(reason)


@pytest.fixture
def killed() -> list[str]:
    """Folder, cable and control group of a machine whose maker was killed."""
    maker = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert maker.stdout is not None
    folder, cable, cgroup, word = maker.stdout.readline().split()
    assert word == "in"
    assert Path("/sys/class/net", cable).exists()
    maker.kill()
    maker.communicate()
    return [folder, cable, cgroup]


def _processes_of(folder: str) -> list[str]:
    lines = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in lines.splitlines() if folder in line or "sleep 9876" in line]


def test_a_machine_ends_with_its_maker_and_the_next_one_removes_what_is_left(killed: list[str]) -> None:
    folder, cable, cgroup = killed
    until(lambda: not _processes_of(folder), "the end of its processes")
    until(lambda: not Path("/sys/class/net", cable).exists(), "the end of its network")

    with Machine():
        # Removed by this one or, where another test makes one at this moment, by that.
        until(lambda: not Path(folder).exists(), "its folder to be removed")
        until(lambda: cgroup not in cgroups.present(cgroup), "its control group to be removed")


def test_machines_beside_each_other_have_networks_of_their_own() -> None:
    with Machine() as one, Machine() as other:
        assert one.block != other.block
        folders = [one.folder, other.folder]
        for made in (one, other):
            with socket.create_server((made.host_address, 0)) as server:
                made.run(sys.executable, "-c", CONNECT, made.host_address, str(server.getsockname()[1]))
                connection, (client, _) = server.accept()
                connection.close()
            assert client == made.address

    assert not any(folder.exists() for folder in folders)
    assert not cgroups.present(one.cgroup) | cgroups.present(other.cgroup)


def test_rules_and_mounts_of_a_machine_are_not_those_of_this_one() -> None:
    forwards = Path("/proc/sys/net/ipv4/ip_forward")
    before = forwards.read_text("ascii")
    with Machine() as made:
        made.run("mount", "-t", "tmpfs", made.cgroup, "/run")

        assert made.cgroup in made.run("cat", "/proc/self/mounts")
        assert made.cgroup not in Path("/proc/self/mounts").read_text("utf-8")
        assert made.run("cat", str(forwards)) == "1\n"
        assert forwards.read_text("ascii") == before
