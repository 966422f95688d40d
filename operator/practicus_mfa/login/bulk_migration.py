"""A bulk run that brings MFA under the active key: a batch in each transaction of the one writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.login import rights
from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rights import Action
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.login.acts.by import By, Outcome, outcome_of
from practicus_mfa.login.bulk_run import Stop, counted, run_by, waiting_for
from practicus_mfa.login.migrate_key import BATCH, Migrated, Treatment, migrate_users
from practicus_mfa.storage import accounts, audit, bulk_runs
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.user_list import counted_key, waiting_readers
from practicus_mfa.storage.writer import NoWriteKeyError, with_token_write

_OUTCOMES: Final = {
    Migrated.NO_MFA: Outcome.NO_MFA,
    Migrated.ACTIVE: Outcome.ACTIVE,
    Migrated.MIGRATED: Outcome.MIGRATED,
    Migrated.CHANGED: Outcome.CHANGED,
    Migrated.UNDECRYPTABLE: Outcome.UNDECRYPTABLE,
}


def batch(
    db: Database, run_id: int, *, worker: str, keys: Callable[[], HeldKeys], treatment: Treatment
) -> None:
    """Migrate the next users of a run, and store how far it is; end it where none is left.

    Args:
        db: The database.
        run_id: The run.
        worker: Who is at work.
        keys: Returns the keys that this process may open and write with.
        treatment: What a rotation does to tokens.

    Raises:
        WriteKeyNotHeldError: *keys* lack the write key.
        NotReadyError: This process may open nothing at the moment.
    """

    def write(connection: Transaction, key: KeyId) -> None:
        run = bulk_runs.locked(connection, run_id)
        if run is None:
            return
        if counted_key(connection) != key:
            # What the list counts against can't write yet: all would be said to be migrated, and is not.
            bulk_runs.end(connection, run_id, stopped=waiting_for(waiting_readers(connection)))
            return
        by = run_by(run)
        actor = accounts.account(connection, by.account_id)
        if actor is None or not rights.may_administer(actor):
            bulk_runs.end(connection, run_id, stopped=Stop.NO_ADMINISTRATOR)
            return
        ids = bulk_runs.next_ids(connection, run, BATCH)
        if not ids:
            bulk_runs.end(connection, run_id)
            return
        found = accounts.accounts_of(connection, ids)
        refused = _refused(actor, list(found.values()))
        allowed = [user_id for user_id in found if user_id not in refused]
        migrated = migrate_users(connection, key, allowed, keys=keys(), treatment=treatment)
        for user_id in allowed:
            _note(connection, by, found[user_id], migrated[user_id])
        outcomes = refused | {user_id: _OUTCOMES[became] for user_id, became in migrated.items()}
        done = [
            (found[user_id].username, outcomes[user_id]) if user_id in found else ("", Outcome.GONE)
            for user_id in ids
        ]
        bulk_runs.save(connection, counted(run, done, position=ids[-1]), worker=worker)

    try:
        with_token_write(db, write)
    except NoWriteKeyError:
        with db.write() as connection:
            bulk_runs.end(connection, run_id, stopped=waiting_for(0))


def _refused(actor: Account, targets: Sequence[Account]) -> dict[int, Outcome]:
    # Nobody loses a right by it, so no row has to be locked.
    judged = {
        target.id: rights.refusal(actor, Action.MIGRATE_KEY, target, last_superuser=False)
        for target in targets
    }
    return {user_id: outcome_of(why) for user_id, why in judged.items() if why is not None}


def _note(connection: Transaction, by: By, user: Account, became: Migrated) -> None:
    audit.append(
        connection, by.username, "mfa.migrate-key", subject=user.username, result=became, detail=by.detail()
    )
