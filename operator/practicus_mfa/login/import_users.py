"""Importing users: all of a source or nothing of it, in one transaction.

Passwords in the clear are hashed first, on all processors, since that is slow on purpose: tens of
milliseconds each. Then everything is written at once, tokens sealed under the key that writes at that moment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from practicus_mfa.clock import Clock
from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.usernames import username_key
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.passwords import hash_password
from practicus_mfa.login.candidates import Candidate, Findings, LeftOut, settle_existing
from practicus_mfa.login.enrol import Secret, add_factors
from practicus_mfa.storage import audit, users
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.users import UserExistsError
from practicus_mfa.storage.writer import with_token_write

BATCH: Final = 1_000
"""Users in one statement."""

Progress = Callable[[int, int], None]
"""Told how many passwords are hashed, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did.

    Attributes:
        created: Users that were created.
        enrolled: Those of them that have MFA.
        left_out: What it did without.
    """

    created: int
    enrolled: int
    left_out: tuple[LeftOut, ...]


def import_users(
    db: Database,
    findings: Findings,
    *,
    source: str,
    keys: Callable[[], HeldKeys],
    clock: Clock,
    actor: str,
    skip_existing: bool = False,
    progress: Progress = lambda _done, _all: None,
) -> Imported:
    """Create the users that a source has.

    Args:
        db: The database.
        findings: What was read of the source.
        source: Its name, for messages and the audit; no secret.
        keys: Gives the keys that this process holds; asked only where there are TOTP secrets to seal.
        clock: The time that tokens are sealed at.
        actor: Who does it, for the audit.
        skip_existing: Users that exist already are left out; otherwise they are faults.
        progress: Told of passwords that are hashed.

    Raises:
        InvalidConfiguration: The source has faults, all of which it tells; nothing was changed.
        UserExistsError: A user was created by somebody else meanwhile; nothing was changed.
        WriteKeyNotHeldError: There are TOTP secrets, and *keys* lacks the write key.
    """
    with db.read() as connection:
        settle_existing(connection, findings, skip=skip_existing)
    findings.raise_faults(source)
    candidates = _hashed(findings.candidates, progress)
    imported = Imported(
        created=len(candidates),
        enrolled=sum(bool(candidate.factors) for candidate in candidates),
        left_out=tuple(findings.left_out),
    )

    def note(connection: Transaction) -> None:
        counts = {
            "created": imported.created,
            "enrolled": imported.enrolled,
            "left_out": len(imported.left_out),
        }
        audit.append(connection, actor, "user.import", subject=source, detail=counts)

    if imported.enrolled:
        held = keys()

        def write(connection: Transaction, key: KeyId) -> None:
            for batch in _batches(candidates):
                add_factors(connection, key, _secrets(batch, _create(connection, batch)), held, clock)
            note(connection)

        with_token_write(db, write)
    else:
        with db.write() as connection:
            for batch in _batches(candidates):
                _create(connection, batch)
            note(connection)
    return imported


def _hashed(candidates: Sequence[Candidate], progress: Progress) -> list[Candidate]:
    """Return *candidates* with a hash in place of each password in the clear."""
    places = [place for place, candidate in enumerate(candidates) if candidate.password is not None]
    done = list(candidates)
    # Threads do: the hashing itself holds no lock of the interpreter.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = pool.map(hash_password, [candidates[place].password or "" for place in places])
        for number, (place, password_hash) in enumerate(zip(places, hashes, strict=True), 1):
            user = replace(candidates[place].user, password_hash=password_hash)
            done[place] = replace(candidates[place], user=user, password=None)
            progress(number, len(places))
    return done


def _batches(candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    for start in range(0, len(candidates), BATCH):
        yield candidates[start : start + BATCH]


def _create(connection: Transaction, batch: Sequence[Candidate]) -> Mapping[str, int]:
    ids = users.create_many(connection, [candidate.user for candidate in batch])
    for candidate in batch:
        if username_key(candidate.user.username) not in ids:
            raise UserExistsError(candidate.user.username)
    return ids


def _secrets(batch: Sequence[Candidate], ids: Mapping[str, int]) -> list[Secret]:
    return [
        Secret(user_id=ids[username_key(candidate.user.username)], secret=factor.secret, totp=factor.totp)
        for candidate in batch
        for factor in candidate.factors
    ]
