"""What ``make`` calls: ``python -m tests.support.cluster up|down|programs|prepare``.

``prepare`` is what ``make`` asks before the tests. On a person's machine it only says what is missing (the
tests that need it are then skipped, with the reason). In CI they must run: as root on Debian or Ubuntu the
system's packages are installed, and Go starts to build in the background, as long as the process that is
named lives, so that the tests that need no cluster run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support import apt
from tests.support.cluster import (
    debian_programs,
    foreign_definitions,
    go_programs,
    kubernetes_schemas,
    standing,
    ways,
)
from tests.support.cluster.access import KubectlError
from tests.support.cluster.go_programs import CHART, CONTROL_PLANE, NODE, PROXIES, ProgramsMissingError
from tests.support.cluster.guarded import ClusterStartError
from tests.support.postgres_programs import in_ci

if TYPE_CHECKING:
    from collections.abc import Callable


def main(arguments: list[str]) -> int:
    """Do what is asked and return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.cluster")
    parser.add_argument("command", choices=["up", "down", "programs", "prepare", "background", "hold"])
    parser.add_argument("--for", dest="asker", type=int, default=os.getppid(), metavar="PID")
    asked = parser.parse_args(arguments)
    commands: dict[str, Callable[[], int]] = {
        "up": _up,
        "down": _down,
        "programs": _programs,
        "prepare": lambda: _prepare(asked.asker),
        "background": lambda: _background(asked.asker),
        "hold": _hold,
    }
    try:
        return commands[asked.command]()
    except (ways.NoClusterError, ProgramsMissingError, ClusterStartError, KubectlError) as error:
        print(error, file=sys.stderr)
        return 1


def _up() -> int:
    if not ways.foreign() and not os.environ.get(ways.ASSETS_VARIABLE):
        _say_what_takes_long(CONTROL_PLANE)
        go_programs.ensure(CONTROL_PLANE)
    print(f"export KUBECONFIG={standing.up()}")
    return 0


def _down() -> int:
    print("The cluster is gone." if standing.down() else "No cluster stands.")
    return 0


def _hold() -> int:
    standing.hold()
    return 0


def _programs() -> int:
    for names in (PROXIES, CONTROL_PLANE, NODE, CHART):
        _say_what_takes_long(names)
        go_programs.ensure(names)
    kubernetes_schemas.ensure()
    foreign_definitions.ensure()
    return 0


def _say_what_takes_long(names: tuple[str, ...]) -> None:
    if missing := go_programs.missing(names):
        print(f"Go builds {', '.join(missing)}; minutes, once.", file=sys.stderr)


def _prepare(asker: int) -> int:
    absent = debian_programs.missing()
    if in_ci():
        if absent and apt.usable():
            debian_programs.install(absent)
        if go_programs.missing([*PROXIES, *CONTROL_PLANE, *NODE, *CHART]):
            log = go_programs.cache() / "build.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("w") as output:
                _start("background", asker, output.fileno())
        return 0
    if absent:
        print(f"Missing: {', '.join(absent)}. {debian_programs.remedy(absent)}", file=sys.stderr)
    if unbuilt := go_programs.missing([*CONTROL_PLANE, *NODE, *PROXIES]):
        print(f"Not built yet: {', '.join(unbuilt)}. {go_programs.REMEDY}", file=sys.stderr)
    if absent or unbuilt:
        print("Until then the tests that need them are skipped.", file=sys.stderr)
    return 0


def _background(asker: int) -> int:
    """Build everything in a process group that ends with the process that asked."""
    building = _start("programs", asker, sys.stdout.fileno())
    while True:
        try:
            return building.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if not _lives(asker):
                os.killpg(building.pid, signal.SIGTERM)


def _start(command: str, asker: int, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.cluster", command, f"--for={asker}"],
        cwd=ways.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
