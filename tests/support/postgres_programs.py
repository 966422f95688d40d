"""PostgreSQL's server programs: where they are, and how to get them.

``python -m tests.support.postgres_programs`` is what ``make`` asks before the tests. On a person's machine it
only says what is missing (the tests that need it are then skipped, with the reason). In CI they must run: as
root on Debian or Ubuntu the programs are installed, elsewhere it is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.support import apt

NEEDED: Final = ("initdb", "postgres")

FOLDER_VARIABLE: Final = "PRACTICUS_MFA_TEST_PG_BIN"
"""Names the folder of the programs, where they are found in no usual place or another version is wanted."""

USUAL_FOLDERS: Final = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # PostgreSQL's own RPMs
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)

REMEDY: Final = (
    "Install PostgreSQL's server (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install "
    "postgresql-server; macOS: brew install postgresql@17), or name its folder of programs in "
    f"{FOLDER_VARIABLE}."
)

_CLUSTERS: Final = Path("/etc/postgresql-common/createcluster.conf")


def in_ci() -> bool:
    """Say whether this runs in CI, where a missing server is a failure and never a skip."""
    return os.environ.get("CI") == "true"


def find() -> Path | None:
    """Return the folder of PostgreSQL's server programs, the newest version's where there are several.

    Raises:
        FileNotFoundError: The folder named by the environment does not hold them.
    """
    if named := os.environ.get(FOLDER_VARIABLE):
        if _complete(Path(named)):
            return Path(named)
        message = f"{FOLDER_VARIABLE} names {named}, which holds no {' and '.join(NEEDED)}."
        raise FileNotFoundError(message)
    if (initdb := shutil.which("initdb")) and _complete(folder := Path(initdb).resolve().parent):
        return folder
    found = [folder for usual in USUAL_FOLDERS for folder in Path("/").glob(usual) if _complete(folder)]
    return max(found, key=_version, default=None)


def main() -> int:
    """Find the programs or, in CI, install them; return an exit code."""
    if find() is not None:
        return 0
    print(f"PostgreSQL's server programs are missing. {REMEDY}", file=sys.stderr)
    if not in_ci():
        print("Until then the tests on PostgreSQL are skipped.", file=sys.stderr)
        return 0
    if apt.usable():
        _install_on_debian()
    return 0 if find() is not None else 1


def _complete(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in NEEDED)


def _version(folder: Path) -> int:
    numbers = re.findall(r"\d+", str(folder))
    return int(numbers[-1]) if numbers else 0


def _install_on_debian() -> None:
    """Install the server without the cluster that the package would make and start by itself."""
    apt.update()
    apt.install("postgresql-common")
    settings = re.sub(r"(?m)^#?\s*create_main_cluster\b.*\n?", "", _CLUSTERS.read_text("utf-8"))
    _CLUSTERS.write_text(f"{settings}\ncreate_main_cluster = false\n", "utf-8")
    apt.install("postgresql")


if __name__ == "__main__":
    sys.exit(main())
