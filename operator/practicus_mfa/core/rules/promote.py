"""Every reader can read the new key: it may write."""

from __future__ import annotations

from practicus_mfa.core.plan import Act, Promote, Step, Verdict
from practicus_mfa.core.situation import Situation


def promote(s: Situation) -> Verdict | None:
    """Let the rotation's target write."""
    if s.rotation is None or s.rotation.to_key == s.write_key:
        return None
    return Act(Step.PROMOTE, (Promote(s.rotation.id, s.rotation.to_key),))
