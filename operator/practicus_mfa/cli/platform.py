"""Looking at a place as its platform would, without changing anything."""

from __future__ import annotations

from practicus_mfa.bootstrap import look_at, look_at_policy
from practicus_mfa.cli.target import Target
from practicus_mfa.errors import UsageError
from practicus_mfa.reconciler.loop import Pass


def look(target: Target) -> Pass:
    """Return what a pass would see and decide now.

    Raises:
        UsageError: The target is a database alone, or not valid.
        UnreachableError: The target is in a cluster, and its API server or database can't be reached.
    """
    if target.policy is not None:
        # Opened first, so that one that is out of reach from here is told as that.
        database = target.database
        return look_at_policy(target.policy, database)
    if target.folder is None:
        raise UsageError(
            "a database alone has no policy, so it has no status",
            remedy="name the data folder with --data-dir DIR, or the cluster with -n NAMESPACE",
        )
    return look_at(target.folder, target.database)
