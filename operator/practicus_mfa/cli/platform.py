"""Looking at a data folder as the embedded platform would, without changing anything."""

from __future__ import annotations

from practicus_mfa.bootstrap import look_at
from practicus_mfa.cli.target import Target
from practicus_mfa.errors import UsageError
from practicus_mfa.reconciler.loop import Pass


def look(target: Target) -> Pass:
    """Return what a pass would see and decide now.

    Raises:
        UsageError: The target is no data folder, or not valid.
    """
    if target.folder is None:
        raise UsageError(
            "a database alone has no policy, so it has no status",
            remedy="name the data folder with --data-dir DIR",
        )
    return look_at(target.folder, target.database)
