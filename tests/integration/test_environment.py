from __future__ import annotations

from typing import TYPE_CHECKING

from tools import environment

if TYPE_CHECKING:
    from pathlib import Path


def test_a_broken_environment_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    (folder / "bin" / "python").symlink_to(tmp_path / "gone")
    assert not environment.is_usable(folder)
    environment.make(folder)
    assert environment.is_usable(folder)
