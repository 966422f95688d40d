"""Every row is proved to be under the write key: close the fence behind the others."""

from __future__ import annotations

from practicus_mfa.core.plan import Act, RetireKeys, Step, Verdict
from practicus_mfa.core.situation import Situation


def retire(s: Situation) -> Verdict | None:
    """Delete the live keys' rows: a write that comes late fails in the database itself."""
    if s.rotation is None or s.write_key is None:
        return None
    past = s.database.live_keys - {s.write_key}
    return Act(Step.RETIRE, (RetireKeys(s.rotation.id, past),)) if past else None
