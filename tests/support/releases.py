"""The releases so far, as a user has them: what ``git archive`` gives of each one's commit.

A clone may have come without tags, so a release is known by its commit. At each release its line is added
here, and what is tested of upgrades is tested from it for good.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

CHART: Final = Path("charts", "practicus-mfa")
"""Where the chart is in each of them."""


@dataclass(frozen=True, slots=True)
class EarlierRelease:
    """A release before this one.

    Attributes:
        version: As its tag says it, without the v.
        commit: What was released.
        step: The step of the schema that its program works with.
    """

    version: str
    commit: str
    step: str


EARLIER: Final = (EarlierRelease("0.1.0", "3c1a9e8c9ab1f8d7a3d864938a5f57abd036f220", "0001"),)
"""Oldest first."""


class HistoryMissingError(Exception):
    """The commit of a release is not in this clone; the message says how to get it."""


def unpack(release: EarlierRelease, folder: Path) -> None:
    """Write a release's files into an empty folder.

    Raises:
        HistoryMissingError: Its commit is not here.
    """
    # Git refuses the repository of another user, which a checkout in a container is, unless told.
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT)]
    archive = folder / "archive.tar"
    done = subprocess.run(
        [*git, "archive", f"--output={archive}", release.commit],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise HistoryMissingError(
            f"{release.version} is commit {release.commit[:12]}, which is not here ({done.stderr.strip()}). "
            "Where this clone is shallow: git fetch --unshallow"
        )
    subprocess.run(["tar", "-x", "-f", archive, "-C", folder], check=True)
    archive.unlink()
