"""Two policies on one database: the first owns it, the second changes nothing until a person decides."""

from __future__ import annotations

from dataclasses import replace

from practicus_mfa.core.plan import Act, For, Step, TakeClaim, Verdict, Wait
from practicus_mfa.core.situation import Situation

REASON = "ClaimedByOther"


def database_claimed_by_other(s: Situation) -> Verdict | None:
    """Take the claim where it is free, ours under another owner, or to be adopted; else wait."""
    claim, ours = s.database.claim, s.seen.identity
    if claim is None:
        return Act(Step.VALIDATE, (TakeClaim(replace(ours, epoch=1)),))
    if claim.same_policy(ours) and claim.owner == ours.owner:
        return None
    if claim.same_policy(ours) or s.seen.adopt:
        return Act(Step.VALIDATE, (TakeClaim(replace(ours, epoch=claim.epoch + 1)),))
    message = (
        f"The database belongs to policy {claim.namespace}/{claim.policy} of cluster {claim.cluster}: use "
        "another database, or annotate this policy with mfa.practicus.ai/adopt=true to take it over."
    )
    return Wait(Step.VALIDATE, For.PERSON, REASON, message)
