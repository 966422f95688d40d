"""Files that are whole at every moment, and private where they hold a secret.

A file is replaced, never changed: the new text goes to a file beside it, reaches the disk, and takes the
name. Whoever reads meanwhile, or after a crash, finds the old text or the new one.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from practicus_mfa.errors import MfaError, UsageError

PRIVATE: Final = 0o600
"""Mode of a file with a secret: its owner alone."""

PRIVATE_FOLDER: Final = 0o700
"""Mode of a folder with secrets: its owner alone."""

PUBLIC: Final = 0o644


def write_secretly(path: Path, text: str) -> None:
    """Replace the file at *path*, for its owner alone (mode 0600), also where it was open to others before.

    Raises:
        UsageError: The folder is missing, or may not be written; the old file is as it was.
    """
    _replace(path, text, PRIVATE)


def write_openly(path: Path, text: str) -> None:
    """Replace the file at *path*, for everybody to read (mode 0644).

    Raises:
        UsageError: The folder is missing, or may not be written; the old file is as it was.
    """
    _replace(path, text, PUBLIC)


def _replace(path: Path, text: str, mode: int) -> None:
    # A link would be replaced by a file of its own, and what it points to be left behind.
    target = path.resolve()
    try:
        # Made with mode 0600: nobody else can open it before its mode is set.
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise _cannot("write", path, error) from error
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise _cannot("write", path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring the names in *folder* to the disk: what was renamed or removed stays so after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private_folder(path: Path) -> None:
    """Make the folder *path* for its owner alone (mode 0700), its parents included; one that is there stays.

    Raises:
        UsageError: It can't be made, or something else has its name.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise _cannot("make", path, error) from error


def read_text(path: Path) -> str:
    """Return the text of the file at *path*.

    Raises:
        UsageError: It is missing, may not be read, or is not UTF-8.
    """
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise _cannot("read", path, error) from error
    except UnicodeDecodeError:
        # The error holds the bytes, which may be a secret: it is not chained.
        raise UsageError(f"{path} is not text in UTF-8", remedy="check that it is the right file") from None


def _cannot(act: str, path: Path, error: OSError) -> MfaError:
    match error:
        case FileNotFoundError() if act == "read":
            return UsageError(f"there is no file {path}", remedy="check its name and folder")
        case FileNotFoundError():
            return UsageError(
                f"there is no folder {path.parent}", remedy="make the folder or correct its name"
            )
        case IsADirectoryError():
            return UsageError(f"{path} is a folder", remedy="name a file in it")
        case FileExistsError() | NotADirectoryError():
            return UsageError(f"{path}: a file is where a folder is needed", remedy="choose another name")
        case PermissionError():
            return UsageError(
                f"{path} may not be {_DONE[act]} by this user",
                remedy="change the rights of the file or its folder",
            )
        case _:
            why = os.strerror(error.errno) if error.errno else "unknown reason"
            return UsageError(f"{path} can't be {_DONE[act]}: {why}", remedy="check the disk and the folder")


_DONE: Final = {"read": "read", "write": "written", "make": "made"}
