"""Nothing is left to do: the rotation is over, and the keys that it rotated away are retired."""

from __future__ import annotations

from practicus_mfa.core.plan import Act, CompleteRotation, Step, Verdict
from practicus_mfa.core.situation import Situation


def rotation_complete(s: Situation) -> Verdict | None:
    """Record the end; all that could still be done had its say in an earlier rule."""
    if s.rotation is None:
        return None
    return Act(Step.COMPLETE, (CompleteRotation(s.rotation.id, s.rolling_keys),))
