"""What ``recover`` took from a user as a text, to be kept outside of the database.

It is JSON, with tokens encrypted and codes hashed as they were. It holds no key; whoever reads it and has the
key could make the user's codes, so its file is for its owner alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from practicus_mfa.errors import UnreachableError, UsageError
from practicus_mfa.files import PRIVATE, sync_folder
from practicus_mfa.storage.recovery_archive import Kept, LockedOut

FORMAT: Final = "practicus-mfa recover"
VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a file holds: what was taken, and from whom.

    Attributes:
        username: The name as it was.
        kept: What was taken.
    """

    username: str
    kept: Kept


def to_text(user: LockedOut, kept: Kept) -> str:
    """Return what was taken from *user* as a text."""
    tree = {
        "format": FORMAT,
        "version": VERSION,
        "user": {"id": user.id, "username": user.username},
        "at": kept.at.astimezone(UTC).isoformat(),
        "rows": kept.rows,
    }
    return json.dumps(tree, indent=2) + "\n"


def from_text(text: str, *, source: str) -> Given:
    """Read what :func:`to_text` wrote.

    Raises:
        UsageError: It is something else; the message quotes nothing of it.
    """
    try:
        match json.loads(text):
            case {
                "format": "practicus-mfa recover",
                "version": 1,
                "user": {"id": int(user_id), "username": str(username)},
                "at": str(at),
                "rows": dict(rows),
            } if (moment := datetime.fromisoformat(at)).tzinfo is not None and all(
                isinstance(of_table, list) for of_table in rows.values()
            ):
                kept = Kept(user_id=user_id, at=moment.astimezone(UTC), rows=rows)
                return Given(username=username, kept=kept)
    except (ValueError, RecursionError, OverflowError):
        pass  # neither JSON nor a time: the same as any other text
    raise UsageError(
        f"{source} is nothing that practicus-mfa recover wrote, or it was cut short or edited.",
        remedy="Name a file that `recover --backup` wrote; nothing was changed.",
    )


def write_new(path: Path, text: str) -> None:
    """Write the new file *path*, for its owner alone (mode 0600); it is on the disk when this returns.

    Raises:
        UsageError: There is a file of that name.
        UnreachableError: It can't be written; no file of that name is left behind.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    except FileExistsError:
        raise UsageError(
            f"There is a file {path} already.", remedy="Name a new file, or move that one away."
        ) from None
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> UnreachableError:
    return UnreachableError(
        f"The backup {path} can't be written: {error.strerror or 'the disk refuses'}. Nothing was changed.",
        remedy="Name a file in a folder that exists, is writable and has room.",
    )
