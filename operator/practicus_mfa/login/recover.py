"""Break-glass: who lost the second factor, or whose platform lost its keys, gets in by password alone.

A backup comes first, then the user's MFA is cleared without being opened, with a line in the audit. No key is
needed. The next log-in asks for the password only, until the user has enrolled again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from practicus_mfa.login import throttling
from practicus_mfa.storage import audit, backup_write, factors, sessions, users
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.users import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A user whose MFA is cleared.

    Attributes:
        user: The user, as it was before.
        factors: How many factors were removed.
        backup: The backup that was made before.
    """

    user: User
    factors: int
    backup: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToClear:
    """The user had no MFA; nothing was done, and no backup made."""

    user: User


def recover(db: Database, username: str, *, backup: Path, actor: str) -> Recovered | NothingToClear:
    """Clear a user's MFA after a backup to the new file *backup*.

    Raises:
        NoSuchUserError: There is no such user.
        UsageError: There is a file *backup* already; nothing was changed.
        UnreachableError: The database or the backup's folder can't be used; nothing was changed.
    """
    with db.read() as connection:
        user = users.get(connection, username)
        if not factors.of_user(connection, user.id):
            return NothingToClear(user=user)
    backup_write.create(db, backup)
    with db.write() as connection:
        user = users.get(connection, username, lock=True)
        removed = factors.remove_all(connection, user.id)
        throttling.end_stop(connection, user.username)
        sessions.end_all(connection, user.id)
        audit.append(
            connection,
            actor,
            "mfa.recover",
            subject=user.username,
            detail={"factors": removed, "backup": str(backup)},
        )
    return Recovered(user=user, factors=removed, backup=backup)
