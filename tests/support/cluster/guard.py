"""Holds one program of a test cluster, and ends it when those who started it end, however that happens.

Run as a program of its own: ``guard.py FOLDER PROGRAM ARGUMENT...``. The starter holds the other end of
standard input. A line there names the signal that stops the program; the end of it means that the starter
is gone, even by ``kill -9``, and then nobody needs program or folder any more. The first line of output is
the program's process id. Standard library only, so that it starts at once.

Several guards share a cluster's folder. Each removes it after its own program has ended, so the last one
finds nobody who would still write there.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from typing import Final

_CHECK_SECONDS: Final = 0.1
"""How soon it is noticed that the program ended by itself."""

_STOP_SECONDS: Final = 10
"""A server that still waits for its clients after this time is killed."""


def main(folder: str, *command: str) -> int:
    """Start the program, hold it until told or left alone, and return its exit code."""
    # Control-C is for the tests: they stop the cluster in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    program = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    print(program.pid, flush=True)
    while program.poll() is None:
        if not select.select([sys.stdin], [], [], _CHECK_SECONDS)[0]:
            continue
        order = sys.stdin.readline().strip()
        program.send_signal(signal.Signals[order] if order else signal.SIGKILL)
        try:
            program.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
        if not order:
            shutil.rmtree(folder, ignore_errors=True)
    return int(program.returncode)


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(*sys.argv[1:]))
