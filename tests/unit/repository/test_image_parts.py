"""What is left out of the image: parts of packages, and no more than the rules say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.web.translations import LANGUAGES
from tools.image import leave_out

if TYPE_CHECKING:
    from pathlib import Path


def test_no_language_of_the_pages_is_left_out() -> None:
    assert set(leave_out.LANGUAGES) == set(LANGUAGES)


@pytest.mark.parametrize(
    ("package", "path", "gone"),
    [
        ("kubernetes", "kubernetes/aio/client/api_client.py", True),
        ("kubernetes", "kubernetes/client/api_client.py", False),
        ("babel", "babel/locale-data/de.dat", True),
        ("babel", "babel/locale-data/trv.dat", True),
        ("babel", "babel/locale-data/tr_TR.dat", False),
        ("babel", "babel/locale-data/en_GB.dat", False),
        ("babel", "babel/locale-data/root.dat", False),
        ("babel", "babel/locale-data/LICENSE.unicode", False),
        ("babel", "babel/global.dat", False),
    ],
)
def test_what_the_rules_are_about(package: str, path: str, gone: bool) -> None:
    assert bool(leave_out.LEFT_OUT[package].fullmatch(path)) == gone


def test_files_go_with_their_lines_and_empty_folders(tmp_path: Path) -> None:
    record = _package(tmp_path, "one/__init__.py", "one/big/a.py", "one/big/deep/b.py")

    assert leave_out.leave_out(tmp_path, "one", re.compile(r"one/big/.*")) == 2

    assert record.read_text() == "one/__init__.py,sha256=x,0\n"
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "one",
        "one-1.0.dist-info",
        "one-1.0.dist-info/RECORD",
        "one/__init__.py",
    ]


def test_a_package_that_has_no_such_part_ends_the_build(tmp_path: Path) -> None:
    _package(tmp_path, "one/__init__.py")

    with pytest.raises(SystemExit, match=r"one has no file one/big/\.\*: see leave_out\.py\."):
        leave_out.leave_out(tmp_path, "one", re.compile(r"one/big/.*"))


def test_a_package_that_is_not_there_ends_the_build(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="should hold one once"):
        leave_out.leave_out(tmp_path, "one", re.compile(r".*"))


def _package(site_packages: Path, *files: str) -> Path:
    for name in files:
        (site_packages / name).parent.mkdir(parents=True, exist_ok=True)
        (site_packages / name).touch()
    record = site_packages / "one-1.0.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text("".join(f"{name},sha256=x,0\n" for name in files))
    return record
