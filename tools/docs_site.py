"""Builds the documentation site into build/site: ``make docs``.

The documents are written for GitHub and for an editor: their links lead through the repository, their lists
are CommonMark's, their diagrams are Mermaid. Here they are copied in the form that a generator of sites
understands, and MkDocs makes pages of them. What is peculiar to the generator is in mkdocs.yml and in this
module; no document knows of it. Any warning ends the build.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.diagrams import FENCE as MERMAID
from tools.diagrams import PICTURES, Diagram

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = ROOT / "build"

OF_THE_ROOT: Final = ("SECURITY.md", "CONTRIBUTING.md", "STYLE.md", "CHANGELOG.md")
"""Documents beside docs/ that have a page as well, in the folder ``project``."""

FENCE: Final = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
ITEM: Final = re.compile(r"( *)([-*]|\d+\.) +")

INDENTATION: Final = 4
"""What Python-Markdown wants before whatever belongs to an item of a list."""


def main(build: Path) -> int:
    """Build the site; return the generator's exit code.

    Args:
        build: Where the copies of the documents (``docs``) and the pages (``site``) go.
    """
    prepare(build / "docs")
    done = subprocess.run(
        # Not --quiet: what it keeps quiet about, --strict does not count.
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(build / "site")],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        # The theme announces its successor at each build; that decision is made and dated (docs/adr).
        env={**os.environ, "PRACTICUS_MFA_DOCS": str(build / "docs"), "NO_MKDOCS_2_WARNING": "1"},
    )
    if done.returncode == 0:
        print(build / "site" / "index.html")
    else:
        print(done.stdout + done.stderr, file=sys.stderr)
    return done.returncode


def prepare(folder: Path) -> None:
    """Copy all documents and pictures into *folder*, in the generator's form."""
    shutil.rmtree(folder, ignore_errors=True)
    for source in [*(ROOT / "docs").rglob("*"), *(ROOT / name for name in OF_THE_ROOT)]:
        place = place_of(source)
        if place is None or source.is_dir():
            continue
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            target.write_text(page(source), encoding="utf-8")
        else:
            shutil.copyfile(source, target)


def place_of(source: Path) -> Path | None:
    """Return where a file of the repository is in the site, or ``None`` where it is not part of it."""
    relative = source.relative_to(ROOT)
    if relative.parts[0] == "docs":
        return Path(*relative.parts[1:])
    return Path("project", relative.name) if str(relative) in OF_THE_ROOT else None


def page(source: Path) -> str:
    """Return a document in the generator's form."""
    text = MERMAID.sub(lambda found: _picture(Diagram(found[1]), source), source.read_text(encoding="utf-8"))
    text = text.replace("<details>", '<details markdown="1">')
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [_linked(text[end : fence.start()], source), fence[0]]
        end = fence.end()
    return lists("".join([*parts, _linked(text[end:], source)]))


def _picture(diagram: Diagram, source: Path) -> str:
    picture = os.path.relpath(PICTURES / f"{diagram.name}.svg", source.parent)
    return f"![{diagram.title}]({picture}){{ .diagram }}"


def _linked(text: str, source: Path) -> str:
    here = place_of(source)
    assert here is not None  # noqa: S101  (only documents of the site are asked for)

    def led(found: re.Match[str]) -> str:
        image, words, link = found.groups()
        path, hash_sign, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:") or not path:
            return found[0]
        target = (source.parent / path).resolve()
        place = place_of(target) if target.is_file() else None
        if place is None:
            # Sources and folders have no page: what they are called must do.
            return words
        return f"{image}[{words}]({os.path.relpath(place, here.parent)}{hash_sign}{anchor})"

    return LINK.sub(led, text)


def lists(text: str) -> str:
    """Return *text* with CommonMark's lists as Python-Markdown reads them.

    There what belongs to an item stands below its first word, here it is indented by four; and a list that
    follows a paragraph's last line at once needs an empty line between.
    """
    told: list[str] = []
    levels: list[int] = []
    fence, shift = "", 0
    for line in text.split("\n"):
        bare = line.lstrip(" ")
        depth = len(line) - len(bare)
        if fence:
            told.append(" " * (depth + shift) + bare if bare else "")
            fence = "" if bare.rstrip() == fence else fence
            continue
        if not bare:
            told.append("")
            continue
        item = ITEM.match(line)
        after_gap = not told or not told[-1]
        while levels and depth < levels[-1] and (item or after_gap or depth < levels[0]):
            levels.pop()
        if item and not levels and not after_gap and not ITEM.match(told[-1]):
            told.append("")
        shift = INDENTATION * len(levels) - min(depth, levels[-1] if levels else 0)
        told.append(" " * (depth + shift) + bare)
        if item:
            levels.append(item.end())
        elif bare.startswith(("```", "~~~")):
            fence = bare[:3]
    return "\n".join(told)


if __name__ == "__main__":
    sys.exit(main(BUILD))
