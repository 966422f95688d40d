"""Gathering: from the user's request, the keyring and the database to one frozen snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from practicus_mfa.clock import Clock
from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import (
    DatabaseSeen,
    DatabaseUnreachable,
    KeyReading,
    MalformedKey,
    Observed,
    SecretMissing,
    SecretSeen,
    WorkSeen,
)
from practicus_mfa.crypto.keys import FernetKey, HeldKeys, MalformedKeyError, parse_key
from practicus_mfa.crypto.tokens import opened_by
from practicus_mfa.errors import UnreachableError
from practicus_mfa.reconciler.ports import KeyringStore, Request, Workers
from practicus_mfa.reconciler.totals import RecentTotals
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.facts import observe
from practicus_mfa.storage.samples import sample_tokens


@dataclass(frozen=True, slots=True)
class Gathered:
    """The snapshot, and the keys at hand that actions may need: the keyring's and the Secret's."""

    seen: Observed
    held: HeldKeys


def gather(
    request: Request,
    db: Database | DatabaseUnreachable,
    keyrings: KeyringStore,
    workers: Workers,
    *,
    clock: Clock,
    totals: RecentTotals,
) -> Gathered:
    """Look at everything once.

    Raises:
        UsageError: The keyring is damaged, or the database is not set up for this program.
    """
    secret, named = _read_secret(request)
    loaded = keyrings.load()
    keyring, held = loaded or (None, HeldKeys(()))
    database, trial = _look(db, totals, held)
    seen = Observed(
        now=clock(),
        generation=request.generation,
        policy=request.policy,
        identity=request.identity,
        secret=secret,
        keyring=keyring,
        database=database,
        work=workers.seen() if _may_be_at_work(database) else WorkSeen(),
        trial=trial,
        adopt=request.adopt,
    )
    return Gathered(seen, HeldKeys((*held.values(), *named)))


def _read_secret(request: Request) -> tuple[SecretSeen | SecretMissing, list[FernetKey]]:
    if request.secret is None:
        return SecretMissing(request.policy.secret_ref.name), []
    named: list[FernetKey] = []

    def read(name: str, text: str) -> KeyReading:
        if not text:
            return None
        try:
            key = parse_key(text, name=f"secretStore.{name}")
        except MalformedKeyError as error:
            return MalformedKey(f"{error.message}. {error.remedy}")
        named.append(key)
        return key.id

    return SecretSeen(
        read("activeKey", request.secret.active), read("rollingKey", request.secret.rolling)
    ), named


def _may_be_at_work(database: DatabaseSeen | DatabaseUnreachable) -> bool:
    """Whether somebody may be at work: only for a rotation. Otherwise a platform need not be asked."""
    return isinstance(database, DatabaseUnreachable) or database.rotation is not None


def _look(
    db: Database | DatabaseUnreachable, totals: RecentTotals, held: HeldKeys
) -> tuple[DatabaseSeen | DatabaseUnreachable, dict[KeyId, int]]:
    if isinstance(db, DatabaseUnreachable):
        return db, {}
    try:
        database = observe(db, totals.of(db))
        return database, _trial(db, database, held)
    except UnreachableError as error:
        return DatabaseUnreachable(f"{error.message} {error.remedy}"), {}


def _trial(db: Database, database: DatabaseSeen, held: HeldKeys) -> dict[KeyId, int]:
    """Try a sample of rows with every key; asked only while no key writes and readers are there already."""
    opened: dict[KeyId, int] = {}
    if database.write_key or not database.readers:
        return opened
    for token in sample_tokens(db):
        found = opened_by(token, held.values())
        if found:
            opened[found[0].id] = opened.get(found[0].id, 0) + 1
    return opened
