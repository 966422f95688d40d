"""Being an ordinary user for a moment: root may read and write everything, so it sees no refusal."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65_534


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Who is root is somebody else in the block; who is not stays who they are."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(mine)


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A folder that every user may look into, and only its owner write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
