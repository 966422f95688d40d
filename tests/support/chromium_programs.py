"""Chromium: where it is, and how to get it.

``python -m tests.support.chromium_programs`` is what ``make`` asks before the tests. On a person's machine it
only says what is missing (the tests that need it are then skipped, with the reason). In CI they must run: as
root on Debian it is installed, elsewhere it is a failure. Playwright drives whichever browser there is; none
of its own is downloaded.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.support import apt
from tests.support.postgres_programs import in_ci

VARIABLE: Final = "PRACTICUS_MFA_TEST_CHROMIUM"
"""Names the program, where it is found in no usual place or another version is wanted."""

USUAL_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

USUAL_PLACES: Final = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

REMEDY: Final = (
    "Install it (Debian: apt-get install chromium; Fedora: dnf install chromium; macOS: brew install --cask "
    f"chromium), or name the program in {VARIABLE}."
)


def find() -> Path | None:
    """Return the program.

    Raises:
        FileNotFoundError: What the environment names is none.
    """
    if named := os.environ.get(VARIABLE):
        if os.access(named, os.X_OK):
            return Path(named)
        message = f"{VARIABLE} names {named}, which is no program."
        raise FileNotFoundError(message)
    on_path = (shutil.which(name) for name in USUAL_NAMES)
    found = [*filter(None, on_path), *(place for place in USUAL_PLACES if os.access(place, os.X_OK))]
    return Path(found[0]) if found else None


def main() -> int:
    """Find the program or, in CI, install it; return an exit code."""
    if find() is not None:
        return 0
    print(f"Chromium is missing. {REMEDY}", file=sys.stderr)
    if not in_ci():
        print("Until then the tests in a browser are skipped.", file=sys.stderr)
        return 0
    if apt.usable():
        _install_on_debian()
    return 0 if find() is not None else 1


def _install_on_debian() -> None:
    """Install it, and one family of letters: text that nothing can draw has no width."""
    apt.update()
    apt.install("chromium", "fonts-dejavu-core")


if __name__ == "__main__":
    sys.exit(main())
