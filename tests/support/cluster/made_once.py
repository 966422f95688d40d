"""A folder of the cache that is made once, whole or not at all, whoever else makes it at the same time."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def made_once(folder: Path, make: Callable[[Path], None]) -> None:
    """Have *make* fill a folder, unless it is there; of two processes that do so, one throws its own away.

    Args:
        folder: Named by all that its content depends on.
        make: Fills an empty folder beside it.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        make(fresh)
        # Another process may have been quicker: a folder that is not empty is not replaced.
        if not folder.exists():
            fresh.replace(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
