"""Holds one PostgreSQL server for a test session, and ends it when the session ends, however that happens.

Run as a program of its own: ``postgres_guard.py USER FOLDER PROGRAM ARGUMENT...``. The session holds the
other end of standard input. A line there names the signal that stops the server; the end of it means that the
session is gone, even by ``kill -9``, and then nobody needs server or folder any more. The first line of
output is the server's process id. Standard library only, so that it starts at once.
"""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
from typing import Final

KEEP: Final = "-"
"""In place of a user: the server runs as whoever runs the tests."""

_CHECK_SECONDS: Final = 0.1
"""How soon it is noticed that the server ended by itself."""


def main(user: str, folder: str, *command: str) -> int:
    """Start the server, hold it until told or left alone, and return its exit code."""
    # Control-C is for the tests: they stop the server in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    other: dict[str, object] = (
        {} if user == KEEP else {"user": user, "group": _group(user), "extra_groups": []}
    )
    server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, **other)  # type: ignore[call-overload]
    print(server.pid, flush=True)
    while server.poll() is None:
        if not select.select([sys.stdin], [], [], _CHECK_SECONDS)[0]:
            continue
        order = sys.stdin.readline().strip()
        server.send_signal(signal.Signals[order] if order else signal.SIGQUIT)
        server.wait()
        if not order:
            shutil.rmtree(folder, ignore_errors=True)
    return int(server.returncode)


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(*sys.argv[1:]))
