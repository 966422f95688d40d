"""Programs that tests need and the system gives: which packages they are in, and where they are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support import apt
from tests.support.cluster.go_programs import ProgramsMissingError

if TYPE_CHECKING:
    from collections.abc import Collection

PACKAGES: Final = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "host-local": "containernetworking-plugins",
    "iptables": "iptables",
    "gcc": "build-essential",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "nginx": "nginx-light",
    "prometheus": "prometheus",
    "promtool": "prometheus",
}
"""The package of Debian and Ubuntu with each program."""

_FOLDERS: Final = ("/usr/sbin", "/sbin", "/usr/lib/cni", "/opt/cni/bin")
"""Where programs are that an ordinary user's search path does not know."""


def find(name: str) -> Path:
    """Return where the program is.

    Raises:
        ProgramsMissingError: It is not installed.
    """
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOLDERS]))
    if found is None:
        raise ProgramsMissingError(f"{name} is missing. {remedy([name])}")
    return Path(found)


def missing() -> list[str]:
    """Return the programs that are not installed."""
    found = []
    for name in PACKAGES:
        try:
            find(name)
        except ProgramsMissingError:
            found.append(name)
    return found


def remedy(names: Collection[str]) -> str:
    """Say how to get these programs."""
    packages = " ".join(sorted({PACKAGES[name] for name in names}))
    return f"Install it with the system's packages (Debian, Ubuntu: apt-get install {packages})."


def install(names: Collection[str]) -> None:
    """Install the packages with these programs, on Debian or Ubuntu, as root."""
    apt.update()
    apt.install(*sorted({PACKAGES[name] for name in names}))
