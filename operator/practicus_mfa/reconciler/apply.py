"""Applying a plan: each action as one durable change, made on behalf of our claim on the database.

Whatever the database refuses (somebody took over, readers lag after all, a lock was busy) is no error: the
next pass sees what is true then and decides anew. Each function returns whether it changed anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from practicus_mfa.core import plan as p
from practicus_mfa.core.keyring import KeyId, Keyring
from practicus_mfa.core.observed import Claim
from practicus_mfa.core.policy import MigrationRules
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.tokens import seal_canary
from practicus_mfa.errors import SupersededError
from practicus_mfa.reconciler.ports import KeyringStore, Workers
from practicus_mfa.storage import keys, rotations
from practicus_mfa.storage.claims import Claimed, guarded_write, record_generation, take_claim
from practicus_mfa.storage.counts import recount
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.passes import plan_work

LOCK_TIMEOUT: Final = timedelta(seconds=2)
"""How long a promotion or a retirement waits for writers; log-ins that write wait behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """Applies actions, with what they need.

    Attributes:
        db: The database.
        keyrings: Where the keyring is kept.
        workers: Who re-encrypts rows.
        claim: Our claim, as this pass saw it; ``None`` before it is taken.
        keyring: The keyring, as this pass saw it.
        held: Every key at hand.
        migration: How tables are cut.
        adopt: A person allowed taking the database over from another policy.
    """

    db: Database
    keyrings: KeyringStore
    workers: Workers
    claim: Claim | None
    keyring: Keyring | None
    held: HeldKeys
    migration: MigrationRules
    adopt: bool

    def apply(self, action: p.Action) -> bool:
        """Bring *action* about; return whether anything changed.

        Raises:
            SupersededError: Somebody else acts for the database by now.
            UnreachableError: The database can't be used at the moment.
        """
        match action:
            case p.TakeClaim(claim):
                return isinstance(take_claim(self.db, claim, adopt=self.adopt), Claimed)
            case p.NudgeReaders(generation):
                self.workers.nudge(generation)
                return False
            case p.StopWork():
                self.workers.stop()
                return False
            case p.WriteKeyring(keyring):
                return self._write_keyring(keyring)
            case p.SetFirstWriteKey(key):
                return self._promoted(
                    keys.set_write_key(self.db, self._ours, key, self._canary(key), lock_timeout=LOCK_TIMEOUT)
                )
            case p.Promote(rotation, key):
                return self._promoted(
                    keys.promote(
                        self.db,
                        self._ours,
                        rotation_id=rotation,
                        to_key=key,
                        canary=self._canary(key),
                        lock_timeout=LOCK_TIMEOUT,
                    )
                )
            case p.RetireKeys(rotation, retired):
                outcome = keys.retire(
                    self.db, self._ours, retired, rotation_id=rotation, lock_timeout=LOCK_TIMEOUT
                )
                return isinstance(outcome, keys.Retired)
            case p.Work():
                return self._work(action)
            case _:
                return self._record(action)

    @property
    def _ours(self) -> Claim:
        assert self.claim is not None, "the first rule takes the claim"  # noqa: S101 - an invariant
        return self.claim

    def _canary(self, key: KeyId) -> str:
        if key not in self.held:
            raise SupersededError(
                f"Key {key} is to write, and neither the keyring nor the Secret holds it.",
                remedy="Put it into secretStore.",
            )
        return seal_canary(self.held[key])

    @staticmethod
    def _promoted(outcome: keys.Promoted | keys.NotConverged | keys.LockBusy) -> bool:
        return isinstance(outcome, keys.Promoted)

    def _record(
        self,
        action: p.RecordGeneration | p.ReviveKey | p.StartRotation | p.RetargetRotation | p.CompleteRotation,
    ) -> bool:
        """Write down a fact."""
        with guarded_write(self.db, self._ours) as connection:
            match action:
                case p.RecordGeneration(generation):
                    record_generation(connection, generation)
                case p.ReviveKey(key):
                    keys.revive(connection, key)
                case p.StartRotation(to_key):
                    rotations.start_rotation(connection, to_key)
                case p.RetargetRotation(rotation, to_key):
                    rotations.retarget_rotation(connection, rotation, to_key)
                case p.CompleteRotation(rotation, retired):
                    rotations.complete_rotation(connection, rotation, retired)
                case _:
                    assert_never(action)
        return True

    def _write_keyring(self, keyring: Keyring) -> bool:
        # The database first: a keyring that is ahead of it would look like a restored database.
        with guarded_write(self.db, self._ours) as connection:
            record_generation(connection, keyring.generation)
        self.keyrings.save(keyring, self.held)
        return True

    def _work(self, work: p.Work) -> bool:
        assert self.keyring is not None, "no work without a keyring"  # noqa: S101 - an invariant
        if work.again:
            # Rows that a finished pass has left: were the counts wrong, passes would follow for ever.
            recount(self.db)
        shards = plan_work(self.db, self._ours, work, self.migration)
        self.workers.start(work, self.keyring, shards)
        return True
