"""What the documents say about the repository is so."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS: Final = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))

LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PIN: Final = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?(==\S+)", re.MULTILINE)
FENCE: Final = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def _prose(document: Path) -> str:
    return FENCE.sub("", document.read_text("utf-8"))


def _requirements(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+?)\s*$", _prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    broken = []
    for link in LINK.findall(_prose(document)):
        path, _, anchor = link.partition("#")
        target = document if not path else document.parent / path
        if "://" in link or link.startswith("mailto:"):
            continue
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("name", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_each_file_that_developers_are_sent_to_is_there(name: str) -> None:
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", _prose(ROOT / name)))
    roots = (ROOT, ROOT / "operator" / "practicus_mfa")
    assert named
    assert {path for path in named if not any((root / path).exists() for root in roots)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", document.read_text("utf-8")))
    assert named <= targets


def test_make_alone_lists_the_targets_that_people_use() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"^  make ([a-z-]+) +\S", shown, re.MULTILINE))
    phony = set(re.findall(r"^\.PHONY: (\S+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert listed == phony - {"postgresql", "chromium", "kubernetes"}


def test_the_list_of_decisions_is_complete_and_in_order() -> None:
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (ROOT / "docs" / "adr" / "README.md").read_text("utf-8"))
    assert listed == [path.name for path in DECISIONS]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_dated_and_says_why_what_and_what_follows(decision: Path) -> None:
    text = decision.read_text("utf-8")
    assert re.match(rf"# {int(decision.name[:4])}\. \S", text)
    assert re.search(r"^Date: \d{4}-\d{2}-\d{2}\nStatus: \S", text, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [heading for heading in headings if heading in {"Context", "Decision", "Consequences"}] == [
        "Context",
        "Decision",
        "Consequences",
    ]


@pytest.mark.parametrize("name", ["run", "dev", "build", "sbom"])
def test_requirements_are_pinned_with_hashes_and_name_no_host(name: str) -> None:
    text = _requirements(name)
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert requirements
    for requirement in requirements:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ ", requirement), requirement
        assert "--hash=sha256:" in requirement
    assert "://" not in text


def test_what_runs_is_part_of_what_is_developed_in_the_same_versions() -> None:
    pins = {name: set(PIN.findall(_requirements(name))) for name in ("run", "dev", "build", "sbom")}
    assert pins["run"] <= pins["dev"]
    for name in ("build", "sbom"):
        shared = {package for package, _ in pins["dev"]} & {package for package, _ in pins[name]}
        assert {pin for pin in pins[name] if pin[0] in shared} <= pins["dev"]


def test_one_oldest_python_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    oldest = re.search(r"\d+\.\d+", project["project"]["requires-python"])
    assert oldest is not None
    assert project["tool"]["mypy"]["python_version"] == oldest[0]
    assert project["tool"]["ruff"]["target-version"] == f"py{oldest[0].replace('.', '')}"
    needed = re.search(
        r"^NEEDED = \((\d+), (\d+)\)", (ROOT / "tools" / "environment.py").read_text("utf-8"), re.MULTILINE
    )
    assert needed is not None
    assert ".".join(needed.groups()) == oldest[0]
