"""Break-glass: who lost the second factor, or whose platform lost its keys, gets in by password alone.

In one transaction what the user has is put aside, unopened, and removed. No key is needed. The next log-in
asks for the password only, until the user has enrolled again. What was put aside can be put back
(:mod:`practicus_mfa.login.restore_mfa`).

It works at every step of the migrations that this program knows: who is locked out can't wait for an upgrade.
A database of a newer program is left alone. There a log-in may hang on more than this program would clear,
and what it puts aside would not be whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.errors import UsageError
from practicus_mfa.login import throttling
from practicus_mfa.login.recovery_file import to_text
from practicus_mfa.storage import audit, lost_keys, recovery_archive, versions
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.faults import not_set_up
from practicus_mfa.storage.recovery_archive import ARCHIVE, Kept, LockedOut
from practicus_mfa.storage.schema import attempts, factors, recovery_codes
from practicus_mfa.storage.transaction import Transaction

Backup = Callable[[str], None]
"""Keeps a text for good before it returns, or raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A user whose MFA is cleared.

    Attributes:
        user: The user.
        factors: How many factors were removed.
        archived: They can be put back from the database itself.
        lost_key: The key that writes no more, where it was called lost.
    """

    user: LockedOut
    factors: int
    archived: bool
    lost_key: KeyId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToClear:
    """The user had no MFA: nothing of the user was changed, and no backup made."""

    user: LockedOut
    lost_key: KeyId | None = None


@dataclass(frozen=True, slots=True)
class KeysLost:
    """A person says that the key that writes is lost; *held* are the keys that can be found all the same."""

    held: Collection[KeyId] = ()


def recover(
    db: Database,
    username: str,
    *,
    actor: str,
    backup: Backup | None = None,
    keys_lost: KeysLost | None = None,
) -> Recovered | NothingToClear:
    """Clear a user's MFA, put aside in the archive and, where one is given, in a *backup*.

    Args:
        db: A database at any step that this program knows.
        username: Who is locked out.
        actor: Who does it, for the audit.
        backup: Is given what was taken, in the form of :mod:`~practicus_mfa.login.recovery_file`, before
            anything is changed for good.
        keys_lost: Also let the write key be forgotten, so that new keys can be set up.

    Raises:
        NoSuchUserError: There is no such user.
        KeyStillReadError: The key that is called lost is not.
        UsageError: There is no place for a backup, or *db* is not of a step that this program knows; nothing
            was changed.
        UnreachableError: *db* can't be used at the moment; nothing was changed.
    """
    is_newest = _known_step(db) == versions.head()
    with db.write() as connection:
        lost_key = None if keys_lost is None else _forget_key(connection, keys_lost, actor)
        user = recovery_archive.locked_out(connection, username)
        if not recovery_archive.has_mfa(connection, user.id):
            return NothingToClear(user=user, lost_key=lost_key)
        tables = recovery_archive.tables_there(connection)
        archived = ARCHIVE in tables
        if not archived and backup is None:
            raise _nowhere_to_keep(db)
        kept = Kept(
            user_id=user.id,
            at=database_now(connection),
            rows=recovery_archive.take(connection, user.id, tables),
        )
        if archived:
            recovery_archive.keep(connection, kept, actor=actor)
        if is_newest:
            throttling.unlock(connection, user.username)
        elif attempts.name in tables:
            recovery_archive.end_stops_of_earlier_release(connection, throttling.subject_of(user.username))
        recovery_archive.end_all(connection, user.id, tables)
        removed = sum(bool(row["token"]) for row in kept.rows[factors.name])
        detail = {
            "factors": removed,
            "recovery_codes": len(kept.rows.get(recovery_codes.name, ())),
            "taken_at": kept.at.isoformat(),
            "archived": archived,
        }
        audit.append(connection, actor, "mfa.recover", subject=user.username, detail=detail)
        if backup is not None:
            # Last, so that nothing but the commit can fail after it. Where that fails the file is one too
            # many; the other way round it could be missing.
            backup(to_text(user, kept))
    return Recovered(user=user, factors=removed, archived=archived, lost_key=lost_key)


def _known_step(db: Database) -> str:
    found = versions.current(db)
    if found is None:
        raise not_set_up(db.shown)
    if found not in versions.STEPS:
        raise UsageError(
            f"The database {db.shown} is at step {found}, which is newer than this program "
            f"({versions.head()}): what keeps a user out there is not known here. Nothing was changed.",
            remedy="Use the practicus-mfa of the cluster (its image), or a newer one.",
        )
    return found


def _nowhere_to_keep(db: Database) -> UsageError:
    return UsageError(
        f"The database {db.shown} is of an earlier release and has no archive for what is cleared. "
        "Nothing was changed.",
        remedy="Name a new file with --backup FILE, or run `practicus-mfa db upgrade` first.",
    )


def _forget_key(connection: Transaction, said: KeysLost, actor: str) -> KeyId | None:
    key = lost_keys.forget_write_key(connection)
    if key is None:
        return None
    if key in said.held:
        raise UsageError(
            f"The key {key} is not lost: the keyring holds it. Nothing was changed.",
            remedy="Leave out --keys-lost.",
        )
    audit.append(connection, actor, "keys.forget", subject=key)
    return key
