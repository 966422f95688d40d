"""Control groups of a node: one below the root of every hierarchy, in which the kubelet keeps its pods.

Both versions of the kernel's interface are known: several hierarchies (v1), or one (v2), in which a group
hands controllers down to its children only when told.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")


def make(name: str) -> None:
    """Make the group in every hierarchy."""
    for hierarchy in _hierarchies():
        group = hierarchy / name
        group.mkdir()
        if hierarchy == _ROOT:
            for folder in (_ROOT, group):
                controllers = (folder / "cgroup.controllers").read_text("ascii").split()
                (folder / "cgroup.subtree_control").write_text(
                    " ".join(f"+{c}" for c in controllers), "ascii"
                )
        elif hierarchy.name == "cpuset":
            # A new group has no processors and no memory, and takes no process until it has.
            for file in ("cpuset.cpus", "cpuset.mems"):
                (group / file).write_text((hierarchy / file).read_text("ascii"), "ascii")


def remove(name: str) -> None:
    """Remove the group and those within, as far as no process is in them."""
    for hierarchy in _hierarchies():
        folders = [folder for folder in (hierarchy / name).rglob("*") if folder.is_dir()]
        for folder in [*sorted(folders, reverse=True), hierarchy / name]:
            # Another process may do the same at this moment.
            with contextlib.suppress(OSError):
                folder.rmdir()


def present(prefix: str) -> set[str]:
    """Return the names of the groups that begin so."""
    return {group.name for hierarchy in _hierarchies() for group in hierarchy.glob(f"{prefix}*")}


def _hierarchies() -> list[Path]:
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    groups = (folder for folder in _ROOT.iterdir() if (folder / "cgroup.procs").exists())
    return [folder for folder in groups if not folder.is_symlink()]
