"""Whether a file is there. Only "no such file" says that it is not: for a keyring the difference is a key."""

from __future__ import annotations

from pathlib import Path


def is_there(path: Path) -> bool:
    """Whether *path* is there; reading says what is wrong with one that can't be looked at.

    ``Path.exists`` would call a file absent that lies behind a link that leads nowhere for the moment (a
    volume that is not mounted) and, as of Python 3.14, one that can't be reached.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
