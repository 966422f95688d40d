"""Operators that are started often: a warm process forks one whenever it is told to, so a start costs little.

Run as a program, it reads a line of JSON for each order and answers with a number: the process id of a new
operator, or how one ended (``null`` while it runs). What it forks is the real program, a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from tests.support.installation import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

ROOT: Final = Path(__file__).parents[3]


class WarmProgram:
    """The warm process, seen from the test; safe to be used by several threads."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lock = threading.Lock()

    def start(self, arguments: Sequence[str], log: Path) -> int:
        """Run the program with *arguments*, its output in *log*; return its process id."""
        pid = self._ask({"arguments": list(arguments), "log": str(log)})
        assert pid is not None
        return pid

    def ended(self, pid: int, *, wait: bool = False) -> int | None:
        """Return how one ended (its exit code, or minus the signal), ``None`` while it runs."""
        return self._ask({"pid": pid, "wait": wait})

    def _ask(self, order: dict[str, object]) -> int | None:
        stdin, stdout = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        with self._lock:
            stdin.write(json.dumps(order) + "\n")
            stdin.flush()
            return cast("int | None", json.loads(stdout.readline()))


@contextmanager
def warm_program() -> Iterator[WarmProgram]:
    """A warm process that starts operators."""
    path = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.cluster.warm_program"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**ENVIRONMENT, "PYTHONPATH": path},
    ) as process:
        yield WarmProgram(process)


def _run(arguments: list[str], log: str) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(out, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    from practicus_mfa.cli.main import root

    root.main(arguments)


def _serve() -> None:
    import practicus_mfa.cli.main
    import practicus_mfa.reconciler.apply
    import practicus_mfa.reconciler.cluster.operator  # noqa: F401 - to have it ready

    started: set[int] = set()
    ended: dict[int, int] = {}
    for line in sys.stdin:
        order = json.loads(line)
        answer: int | None
        if "arguments" in order:
            answer = os.fork()
            if answer == 0:
                code = 1
                try:
                    _run(order["arguments"], order["log"])
                except SystemExit as left:
                    code = left.code if isinstance(left.code, int) else 0
                finally:
                    os._exit(code)
        else:
            pid = order["pid"]
            if pid not in ended:
                found, status = os.waitpid(pid, 0 if order["wait"] else os.WNOHANG)
                if found:
                    ended[pid] = os.waitstatus_to_exitcode(status)
            answer = ended.get(pid)
        if answer is not None and "arguments" in order:
            started.add(answer)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    # The test is over, or died.
    for pid in started - ended.keys():
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _serve()
