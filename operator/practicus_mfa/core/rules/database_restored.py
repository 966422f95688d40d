"""The database is older than the keyring: somebody restored it from a backup.

The generation of the keyring is recorded in the database before the keyring is written, so a keyring
that is ahead of the database always means this. Every row is then looked at anew. Keys that the restored
rows need and the keyring still holds are read with again; one that is absent is named by
:mod:`~practicus_mfa.core.rules.needed_key_absent`.
"""

from __future__ import annotations

from practicus_mfa.core.plan import Act, Action, RecordGeneration, StartRotation, Step, Verdict
from practicus_mfa.core.situation import Situation


def database_restored(s: Situation) -> Verdict | None:
    """Record the keyring's generation and have all rows looked at."""
    if s.keyring is None or s.keyring.generation <= s.database.keyring_generation:
        return None
    actions: list[Action] = []
    if s.rotation is None and s.write_key is not None and s.target is not None:
        actions.append(StartRotation(s.target))
    # Last: until it is recorded the next pass comes here again.
    actions.append(RecordGeneration(s.keyring.generation))
    return Act(Step.VALIDATE, tuple(actions))
