"""Draws the documents' diagrams for the site: ``make diagrams``.

GitHub draws a fence of Mermaid by itself. The site holds pictures instead, so that a reader's browser runs
no Mermaid and asks nobody for it. A picture is named after its source's hash: one that is missing or left
over is seen by comparing names, without drawing anything (a test does, and building the site needs neither
Node.js nor a browser). Mermaid comes from the npm registry, in one version, into a folder that is removed
afterwards.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
DOCS: Final = ROOT / "docs"
PICTURES: Final = DOCS / "img" / "diagrams"

MERMAID: Final = "mermaid@11.17.2"

FENCE: Final = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE: Final = re.compile(r"^\s*accTitle: *(\S.*)$", re.MULTILINE)

SETTINGS: Final = """{
  startOnLoad: false, securityLevel: "strict", theme: "neutral", deterministicIds: true,
  fontFamily: "system-ui, sans-serif"
}"""

DRAW: Final = """async ([name, source]) => {
  const {svg} = await mermaid.render("d" + name, source);
  const holder = document.createElement("div");
  holder.innerHTML = svg;
  const drawing = holder.querySelector("svg");
  // A picture in a page is as wide as it says, not as the page.
  const [, , width, height] = drawing.getAttribute("viewBox").split(" ");
  drawing.setAttribute("width", Math.ceil(width));
  drawing.setAttribute("height", Math.ceil(height));
  drawing.style.maxWidth = "";
  return new XMLSerializer().serializeToString(drawing);
}"""
"""As XML: the labels are HTML, and a browser takes a picture with a tag left open for broken."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """A fence of Mermaid."""

    source: str

    @property
    def name(self) -> str:
        """The name of its picture, without the ending."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:12]

    @property
    def title(self) -> str:
        """What it shows, for who can't see it.

        Raises:
            ValueError: It has no ``accTitle``.
        """
        found = TITLE.search(self.source)
        if found is None:
            raise ValueError(f"a diagram has no accTitle: {self.source.splitlines()[0]}")
        return found[1].strip()


def diagrams() -> dict[str, Diagram]:
    """Return all diagrams of the documents, by the names of their pictures."""
    found = (
        Diagram(source)
        for document in sorted(DOCS.rglob("*.md"))
        for source in FENCE.findall(document.read_text(encoding="utf-8"))
    )
    return {diagram.name: diagram for diagram in found}


def drawn() -> set[str]:
    """Return the names of all pictures that there are."""
    return {picture.stem for picture in PICTURES.glob("*.svg")}


def main() -> int:
    """Draw what is missing and remove what is left over; return an exit code."""
    from tests.support import chromium_programs

    wanted, there = diagrams(), drawn()
    for name in there - wanted.keys():
        (PICTURES / f"{name}.svg").unlink()
    missing = {name: wanted[name] for name in wanted.keys() - there}
    if missing:
        program = chromium_programs.find()
        if program is None:
            print(
                f"A browser draws the diagrams, and there is none.\n{chromium_programs.REMEDY}",
                file=sys.stderr,
            )
            return 1
        PICTURES.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            _draw(missing, program, _mermaid(Path(folder)))
    print(f"{len(missing)} drawn, {len(wanted)} in all.")
    return 0


def _mermaid(folder: Path) -> str:
    packed = subprocess.run(
        ["npm", "pack", "--silent", MERMAID],  # noqa: S607  (wherever this machine has it)
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with tarfile.open(folder / packed) as archive:
        script = archive.extractfile("package/dist/mermaid.min.js")
        if script is None:
            raise FileNotFoundError("package/dist/mermaid.min.js")
        return script.read().decode()


def _draw(missing: dict[str, Diagram], program: Path, mermaid: str) -> None:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=["--disable-dev-shm-usage"]) as chromium,
    ):
        page = chromium.new_page()
        page.add_script_tag(content=mermaid)
        page.evaluate(f"mermaid.initialize({SETTINGS})")
        for name, diagram in sorted(missing.items()):
            svg: str = page.evaluate(DRAW, [name, diagram.source])
            (PICTURES / f"{name}.svg").write_text(f"{svg}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
