"""A backup's file: new, its owner's alone, and never in the place of another one."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from practicus_mfa.errors import UsageError
from practicus_mfa.storage.backup import write as backup_write
from practicus_mfa.storage.backup.read import verify
from practicus_mfa.storage.backup.rows import encode_row
from practicus_mfa.storage.backup.write import create
from tests.support.people import People

if TYPE_CHECKING:
    from pathlib import Path

    from practicus_mfa.storage.engine import Database


@pytest.fixture(params=[True, False], ids=["with links", "without links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has hard links, and one that has none."""

    def refuse(*_names: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not request.param:
        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("links")
def test_the_file_appears_whole_and_for_its_owner_alone(sqlite_db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    manifest = create(sqlite_db, folder / "backup.zip")
    assert verify(folder / "backup.zip") == manifest
    assert stat.S_IMODE((folder / "backup.zip").stat().st_mode) == 0o600
    assert [entry.name for entry in folder.iterdir()] == ["backup.zip"]


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("other", ["file", "broken link"])
def test_a_file_that_came_meanwhile_is_left_alone(
    sqlite_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    path = folder / "backup.zip"
    People(sqlite_db).add("anna")

    def while_it_comes(row: dict[str, Any]) -> bytes:
        if not os.path.lexists(path):
            path.write_text("precious") if other == "file" else path.symlink_to(tmp_path / "nowhere")
        return encode_row(row)

    monkeypatch.setattr(backup_write, "encode_row", while_it_comes)
    with pytest.raises(UsageError) as refused:
        create(sqlite_db, path)
    assert refused.value.message == f"There is a file {path} already."
    assert [entry.name for entry in folder.iterdir()] == ["backup.zip"]
    assert path.is_symlink() if other == "broken link" else path.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
