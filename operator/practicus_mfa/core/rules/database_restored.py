"""The database is older than the keyring: somebody restored it from a backup.

The generation of the keyring is recorded in the database before the keyring is written, so a keyring
that is ahead of the database always means this. What a rotation of the backup had proved is given up, keys
that the keyring calls in use are in use whatever the backup says, and every row is looked at anew. Keys that
the restored rows need and the keyring still holds are read with again; one that is absent is named by
:mod:`~practicus_mfa.core.rules.needed_key_absent`.
"""

from __future__ import annotations

from practicus_mfa.core.keyring import KeyId, Keyring, KeyState
from practicus_mfa.core.plan import (
    Act,
    Action,
    CompleteRotation,
    RecordGeneration,
    ReviveKey,
    StartRotation,
    Step,
    Verdict,
)
from practicus_mfa.core.situation import Situation


def database_restored(s: Situation) -> Verdict | None:
    """Record the keyring's generation and have all rows looked at."""
    if s.keyring is None or s.keyring.generation <= s.database.keyring_generation:
        return None
    if s.rotation is not None and s.rotation.passes:
        return Act(Step.VALIDATE, (CompleteRotation(s.rotation.id, frozenset()),))
    actions: list[Action] = [ReviveKey(key) for key in sorted(_in_use(s.keyring) & s.database.retired_keys)]
    if s.rotation is None and s.write_key is not None and s.target is not None:
        actions.append(StartRotation(s.target))
    # Last: until it is recorded the next pass comes here again.
    actions.append(RecordGeneration(s.keyring.generation))
    return Act(Step.VALIDATE, tuple(actions))


def _in_use(keyring: Keyring) -> frozenset[KeyId]:
    return keyring.ids - keyring.in_state(KeyState.RETIRED)
