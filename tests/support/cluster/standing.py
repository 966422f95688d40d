"""A cluster that stays until it is told to go: for a person, or for several test runs.

A process of its own holds it, apart from the terminal that asked for it. While that process lives it keeps
a lock on its file, so a process id left by a crash or a reboot is never mistaken for it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.cluster import go_programs, ways
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS: Final = 300
"""A limit for a start that hangs; kind may have to fetch its image."""

_STOP_SECONDS: Final = 120


def folder() -> Path:
    """Return where the standing cluster's files are, the same for every call of this user."""
    return go_programs.cache() / "standing"


def kubeconfig() -> Path:
    """Return the standing cluster's kubeconfig; it exists while the cluster answers."""
    return folder() / "kubeconfig"


def up() -> Path:
    """Start the cluster where it does not stand and return its kubeconfig.

    Raises:
        NoClusterError: It did not start.
    """
    if holder() is None:
        folder().mkdir(parents=True, exist_ok=True)
        kubeconfig().unlink(missing_ok=True)
        with _log().open("w") as log:
            started = subprocess.Popen(
                [sys.executable, "-m", "tests.support.cluster", "hold"],
                cwd=ways.ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(
            lambda: kubeconfig().exists() or started.poll() is not None,
            "the cluster",
            seconds=START_SECONDS,
        )
        if started.poll() is not None:
            raise ways.NoClusterError(_log().read_text("utf-8").strip())
        started.returncode = 0  # it goes on without this process
    return kubeconfig()


def down() -> bool:
    """Remove the cluster and wait until it is gone; say whether there was one."""
    process = holder()
    if process is None:
        return False
    os.kill(process, signal.SIGTERM)
    until(lambda: holder() is None, "the cluster's end", seconds=_STOP_SECONDS)
    return True


def holder() -> int | None:
    """Return the process that holds the cluster, if one does."""
    try:
        with (folder() / "holder").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
    except FileNotFoundError:
        pass
    return None


def hold() -> None:
    """Be the process that holds the cluster, until SIGTERM.

    Raises:
        NoClusterError: There is no way to a cluster, or another process holds one.
    """
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: told.set())
    with _held_file(), ways.any_cluster() as cluster:
        fresh = folder() / "kubeconfig.fresh"
        fresh.touch(mode=0o600)
        fresh.write_bytes(cluster.kubeconfig.read_bytes())
        fresh.rename(kubeconfig())
        try:
            told.wait()
        finally:
            kubeconfig().unlink()


@contextmanager
def _held_file() -> Iterator[None]:
    with (folder() / "holder").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ways.NoClusterError("Another process is just starting it.") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _log() -> Path:
    return folder() / "log"
