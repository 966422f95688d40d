"""Re-encrypting the MFA of named users now, ahead of the rotation that would do it in its own time.

The rotation's treatment and compare-and-swap, in a transaction of the one writer: a row changes only where
the token is still what was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final, assert_never

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.login.enrol import WriteKeyNotHeldError
from practicus_mfa.storage import audit, factors, users
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.relations.cells import Kind, Treat
from practicus_mfa.storage.relations.own import OwnTable
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.writer import with_token_write

BATCH: Final = 200
"""Users in one transaction: a promotion waits for it."""

Treatment = Callable[[str, HeldKeys, KeyId], Treat]
"""Gives what brings tokens of a relation, with the keys that are held, under a key."""


class Migrated(StrEnum):
    """What became of a user's MFA; where there are several factors, the one that needs most care."""

    NO_MFA = "no MFA"
    ACTIVE = "already active"
    MIGRATED = "migrated"
    CHANGED = "changed meanwhile"
    """Somebody else wrote the row between reading and writing: it was left alone."""
    UNDECRYPTABLE = "undecryptable"
    """No key that is held opens it; the row stays as it is."""


@dataclass(frozen=True, slots=True)
class MigratedUser:
    """A user, and what became of its MFA."""

    username: str
    outcome: Migrated


def migrate_key(
    db: Database, usernames: Sequence[str], *, keys: HeldKeys, treatment: Treatment, actor: str
) -> tuple[MigratedUser, ...]:
    """Re-encrypt the MFA of these users with the key that writes now.

    Args:
        db: The database.
        usernames: Whose; a name given twice is done once.
        keys: The keys that this process holds, the write key among them.
        treatment: What a rotation does to tokens.
        actor: Who does it, for the audit.

    Raises:
        NoSuchUserError: One of them does not exist; nothing was changed.
        WriteKeyNotHeldError: *keys* lacks the write key.
    """
    with db.read() as connection:
        named = {user.id: user.username for user in (users.get(connection, name) for name in usernames)}
    done: list[MigratedUser] = []
    ids = list(named)
    for start in range(0, len(ids), BATCH):
        part = {user_id: named[user_id] for user_id in ids[start : start + BATCH]}
        done += with_token_write(db, partial(_named, part, keys, treatment, actor))
    return tuple(done)


def _named(
    named: Mapping[int, str],
    keys: HeldKeys,
    treatment: Treatment,
    actor: str,
    connection: Transaction,
    key: KeyId,
) -> list[MigratedUser]:
    outcomes = migrate_users(connection, key, list(named), keys=keys, treatment=treatment)
    migrated = [MigratedUser(username, outcomes[user_id]) for user_id, username in named.items()]
    for one in migrated:
        audit.append(connection, actor, "mfa.migrate-key", subject=one.username, result=one.outcome)
    return migrated


def migrate_users(
    connection: Transaction,
    key: KeyId,
    user_ids: Sequence[int],
    *,
    keys: HeldKeys,
    treatment: Treatment,
) -> Mapping[int, Migrated]:
    """Re-encrypt the MFA of users, in a transaction of the one writer; return what became of each.

    Args:
        connection: The transaction.
        key: Its write key.
        user_ids: Whose, :data:`BATCH` at most.
        keys: The keys that this process holds.
        treatment: What a rotation does to tokens.

    Raises:
        WriteKeyNotHeldError: *keys* lacks the write key.
    """
    if key not in keys:
        raise WriteKeyNotHeldError(key)
    table = OwnTable(is_sqlite=connection.dialect.name == "sqlite")
    treat = treatment(table.name, keys, key)
    treated = treat(table.reread(connection, factors.ids_of(connection, user_ids)))
    if changes := table.changes(treated, key):
        table.swap(connection, changes, key)
    cells = treated.cells
    present = table.reread(connection, cells.ids)
    now = dict(zip(present.ids, present.tokens, strict=True))
    outcomes: defaultdict[int, list[Migrated]] = defaultdict(list)
    for owner, row_id, kind, token in zip(
        cells.owners, cells.ids, treated.kinds, treated.tokens, strict=True
    ):
        outcomes[owner].append(_outcome(kind) if now.get(row_id) == token else Migrated.CHANGED)
    return {
        user_id: max(outcomes[user_id], key=list(Migrated).index, default=Migrated.NO_MFA)
        for user_id in user_ids
    }


def _outcome(kind: Kind) -> Migrated:
    """Return what became of a factor whose token nobody else wrote."""
    match kind:
        case Kind.MIGRATED:
            return Migrated.MIGRATED
        case Kind.CURRENT:
            return Migrated.ACTIVE
        case Kind.UNKNOWN | Kind.CORRUPT:
            return Migrated.UNDECRYPTABLE
        case _:
            assert_never(kind)
