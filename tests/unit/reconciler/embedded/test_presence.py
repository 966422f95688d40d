"""Only "no such file" says that a file is not there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from practicus_mfa.reconciler.embedded.presence import is_there

if TYPE_CHECKING:
    import pytest


def test_a_file_and_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert is_there(tmp_path / "file")
    assert not is_there(tmp_path / "none")
    assert not is_there(tmp_path / "file" / "below")


def test_a_link_that_leads_nowhere_is_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a volume that is not mounted")
    assert is_there(tmp_path / "link")


def test_what_can_not_be_looked_at_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "lstat", refused)
    assert is_there(tmp_path / "keyring.yaml")
