"""What builds images here: buildah, with a store of the tests' own in the user's cache."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.cluster import pip_settings
from tests.support.cluster.commands import run
from tests.support.cluster.go_programs import cache
from tests.support.cluster.ways import find

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def buildah(*arguments: str) -> str:
    """Run buildah on the store of the tests' own, and return its output.

    Raises:
        NoClusterError: It is not here.
        CommandError: It failed.
    """
    # A store of its own: nobody's containers are touched, and no other store has to suit.
    where = (f"--root={folder() / 'store'}", f"--runroot={folder() / 'run'}", "--storage-driver=overlay")
    return run(find("buildah"), *where, *arguments)


def build_options(empty: Path) -> list[str]:
    """Return the options to build a Dockerfile with.

    Args:
        empty: A folder of the caller's for the build's secrets, which outlives the build.
    """
    secret, volumes = pip_settings.for_build(empty)
    # The base comes from no registry; packages come the way that they come to this machine.
    how = [
        "--pull-never",
        "--isolation=chroot",
        "--network=host",
        "--layers",
        f"--secret=id=pip,src={secret}",
    ]
    return how + [f"--volume={path}:{path}:ro" for path in volumes]


def folder() -> Path:
    """Return where the store and finished images lie."""
    return cache() / "images"


@contextmanager
def lock() -> Iterator[None]:
    """Let one process build while others wait for the result."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
