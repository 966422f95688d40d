"""Putting back what ``recover`` took from a user, for whoever finds the device or the key again.

Nothing that was used comes to life by it. A recovery code that was used before was not taken, and one that
was taken could not be used since; the same is put back once; and of an authenticator app no code is good that
was shown before this moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.usernames import username_key
from practicus_mfa.errors import UsageError
from practicus_mfa.login.enrol import AlreadyEnrolledError
from practicus_mfa.login.recovery_file import Given
from practicus_mfa.storage import audit, devices, factors, recovery_archive, users, versions
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.putting_back import put_back
from practicus_mfa.storage.recovery_archive import Kept
from practicus_mfa.storage.schema import half_logins, pending_factors, sessions
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.users import User
from practicus_mfa.storage.writer import share_write_lock

ACTION: Final = "mfa.restore"

_ENDED: Final = frozenset(table.name for table in (pending_factors, half_logins, sessions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A user whose MFA is as it was.

    Attributes:
        user: The user.
        taken_at: When it had been taken away.
        factors: How many factors are there again.
        codes: How many recovery codes are.
        keys: The keys that factors are under: without them no code can be checked.
        absent_keys: Those of the keys that are not live any more: they are in no keyring.
    """

    user: User
    taken_at: datetime
    factors: int
    codes: int
    keys: frozenset[KeyId]
    absent_keys: frozenset[KeyId]


def restore_mfa(db: Database, username: str, *, actor: str, given: Given | None = None) -> Restored:
    """Put back what was taken from a user last, or what was *given*.

    Args:
        db: A database at this program's step of the migrations.
        username: Whose.
        actor: Who does it, for the audit.
        given: What a file holds, in place of the archive's newest.

    Raises:
        NoSuchUserError: There is no such user.
        AlreadyEnrolledError: The user has MFA by now.
        UsageError: There is nothing to be put back, it was put back before, or it is of somebody else.
    """
    versions.check(db)
    with db.write() as connection:
        # As writers of tokens do, and before the user: no promotion in between.
        share_write_lock(connection)
        user = users.get(connection, username, lock=True)
        if factors.of_user(connection, user.id):
            raise AlreadyEnrolledError(user.username)
        kept = _newest(connection, user) if given is None else _checked(connection, user, given)
        factors.remove_all(connection, user.id)  # those without a token: cleared by hand
        try:
            back = put_back(connection, kept)
        except ValueError as error:
            raise UsageError(
                f"What was kept of {user.username} can't be put back: {error}.",
                remedy="Take a file that was not edited, or have the user enrol again.",
            ) from error
        recovery_archive.mark_put_back(connection, kept)
        recovery_archive.end_all(connection, user.id, _ENDED)
        devices.delete_all(connection, user.id)  # a password was enough to be known
        detail = {"factors": back.factors, "recovery_codes": back.codes, "taken_at": kept.at.isoformat()}
        audit.append(connection, actor, ACTION, subject=user.username, detail=detail)
    return Restored(
        user=user,
        taken_at=kept.at,
        factors=back.factors,
        codes=back.codes,
        keys=back.keys,
        absent_keys=back.absent_keys,
    )


def _newest(connection: Transaction, user: User) -> Kept:
    kept = recovery_archive.newest(connection, user.id)
    if kept is None:
        raise UsageError(
            f"The archive has nothing of {user.username} that is to be put back.",
            remedy="Where `recover --backup` wrote a file, name it with --from FILE.",
        )
    return kept


def _checked(connection: Transaction, user: User, given: Given) -> Kept:
    kept = given.kept
    if kept.user_id != user.id or username_key(given.username) != username_key(user.username):
        raise UsageError(
            f"The file is of another user than {user.username}: tokens open for their owner alone.",
            remedy="Name that user's own file.",
        )
    # The archive is asked, and the audit: a database of an earlier release had no archive.
    lines = audit.read(connection, action=ACTION, subject=user.username)
    details = [line.detail for line in lines if isinstance(line.detail, Mapping)]
    before = any(detail.get("taken_at") == kept.at.isoformat() for detail in details)
    if before or recovery_archive.was_put_back(connection, kept):
        raise UsageError(
            f"This was put back before: recovery codes that were used since would be good again for "
            f"{user.username}.",
            remedy="Have the user enrol again.",
        )
    return kept
