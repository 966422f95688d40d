"""A rotation begins: another key shall write, a rolling key joined, or rows were never tried."""

from __future__ import annotations

from practicus_mfa.core.plan import Act, CompleteRotation, RetargetRotation, StartRotation, Step, Verdict
from practicus_mfa.core.situation import Situation


def rotation_due(s: Situation) -> Verdict | None:
    """Record the rotation and its target; a newer edit before promotion replaces the target."""
    if s.target is None or (s.rotation is None and not _something_to_do(s)):
        return None
    if s.rotation is None:
        return Act(Step.STAGE, (StartRotation(s.target),))
    if s.rotation.to_key == s.write_key != s.target:
        # It was promoted, and the key is lost since then (a database restored in the middle of a rotation).
        return Act(Step.STAGE, (CompleteRotation(s.rotation.id, frozenset()),))
    if s.rotation.to_key != s.target:
        return Act(Step.STAGE, (RetargetRotation(s.rotation.id, s.target),))
    return None


def _something_to_do(s: Situation) -> bool:
    never_scanned = any(table.table not in s.table_counts for table in s.tables)
    left_behind = any(counts.awaiting(s.write_key) for counts in s.table_counts.values())
    rows_to_move = s.workable > 0 or never_scanned or left_behind
    return s.target != s.write_key or bool(s.rolling_keys) or rows_to_move
