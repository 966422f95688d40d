"""Writes the pages of the reference that are made from the sources, and the chart's own: ``make reference``.

A test compares them with what this would write, so none of them can be behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tools.reference import commands, mfapolicy, values

ROOT: Final = Path(__file__).resolve().parents[2]

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "docs/reference/commands.md": commands.page,
    "docs/reference/mfapolicy.md": mfapolicy.page,
    "docs/reference/values.md": values.page,
    "charts/practicus-mfa/README.md": values.readme,
}
"""By their place in the repository."""


def main() -> None:
    """Write them all."""
    for name, page in PAGES.items():
        (ROOT / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
