"""Packages of Debian and Ubuntu, installed as root without a question."""

from __future__ import annotations

import os
import shutil
import subprocess


def usable() -> bool:
    """Say whether this user may install packages here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def update() -> None:
    """Learn which packages there are."""
    _run("update", "-q")


def install(*packages: str) -> None:
    """Install packages, and of others only what they need."""
    _run("install", "-y", "-q", "--no-install-recommends", *packages)


def _run(*arguments: str) -> None:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", *arguments], env=quiet, check=True)
