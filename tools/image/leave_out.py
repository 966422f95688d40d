"""Leaves parts of installed packages out of the image: ``python3 leave_out.py …/site-packages``.

What goes is gone from the package's own list of its files (RECORD) as well, so that the list stays true. A
package whose next version has nothing of the kind ends the build: then the rule here is out of date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("en", "tr")
"""Those of the pages (``practicus_mfa.web.translations``), whose dates and numbers stay."""

LEFT_OUT: Final = {
    # A second client, for asyncio, as large as the first; nothing imports it.
    "kubernetes": re.compile(r"kubernetes/aio/.*"),
    # More than a thousand languages' and countries' dates and numbers.
    "babel": re.compile(rf"babel/locale-data/(?!(?:root|{'|'.join(LANGUAGES)})[_.])\w+\.dat"),
}
"""By the package's name: which of its files are left out, by their paths in RECORD."""


def leave_out(site_packages: Path, package: str, unwanted: re.Pattern[str]) -> int:
    """Remove files of a package.

    Args:
        site_packages: Where it is installed.
        package: Its name.
        unwanted: Matches the whole path of each file to remove.

    Returns:
        How many files were removed.

    Raises:
        SystemExit: It has no such file, or is not there exactly once.
    """
    try:
        (record,) = site_packages.glob(f"{package}-*.dist-info/RECORD")
    except ValueError:
        raise SystemExit(f"{site_packages} should hold {package} once.") from None
    lines = record.read_text("utf-8").splitlines(keepends=True)
    # "path,hash,size"; a path with a comma would be in quotes, and none that is left out has one.
    paths = [line.split(",", 1)[0] for line in lines]
    gone = [path for path in paths if unwanted.fullmatch(path)]
    if not gone:
        raise SystemExit(f"{package} has no file {unwanted.pattern}: see {Path(__file__).name}.")
    for path in gone:
        (site_packages / path).unlink()
    for folder in sorted({parent for path in gone for parent in Path(path).parents}, reverse=True):
        if not any((site_packages / folder).iterdir()):
            (site_packages / folder).rmdir()
    kept = [line for line, path in zip(lines, paths, strict=True) if not unwanted.fullmatch(path)]
    record.write_text("".join(kept), "utf-8")
    return len(gone)


if __name__ == "__main__":
    for name, pattern in LEFT_OUT.items():
        print(f"{leave_out(Path(sys.argv[1]), name, pattern)} files of {name} left out")
