"""values.yaml names a rolling key that was retired and unloaded, and there are rows that no key opens.

Without such rows nothing happens, or rotations would loop for ever. With them the key deserves a try.
"""

from __future__ import annotations

from practicus_mfa.core.plan import Act, ReviveKey, Step, Verdict
from practicus_mfa.core.situation import Situation


def retired_key_returns(s: Situation) -> Verdict | None:
    """Forget that the rolling key was retired, so that it joins and the rows are tried with it."""
    rolling = s.wanted.rolling
    if rolling is None or rolling in s.readable or rolling not in s.database.retired_keys:
        return None
    if not any(counts.unknown for counts in (s.counts, *s.table_counts.values())):
        return None
    return Act(Step.VALIDATE, (ReviveKey(rolling),))
