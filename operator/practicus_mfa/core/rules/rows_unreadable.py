"""Rows that no known key opens: they hold up no rotation, but a person should look at them."""

from __future__ import annotations

from practicus_mfa.core.observed import Counts
from practicus_mfa.core.plan import For, Step, Verdict, Wait
from practicus_mfa.core.sentences import rows
from practicus_mfa.core.situation import Situation

CORRUPT = "CorruptRows"
UNKNOWN = "UnknownKey"


def rows_unreadable(s: Situation) -> Verdict | None:
    """Wait for a person where a row of any table can't be read."""
    found = unreadable(s)
    return Wait(Step.IDLE, For.PERSON, *found) if found else None


def unreadable(s: Situation) -> tuple[str, str] | None:
    """Return reason and message for unreadable rows, corrupt ones first."""
    everywhere: list[Counts] = [s.counts, *s.table_counts.values()]
    corrupt = sum(counts.corrupt for counts in everywhere)
    unknown = sum(counts.unknown for counts in everywhere)
    if corrupt:
        return CORRUPT, (
            f"{rows(corrupt, 'is', 'are')} damaged or moved from another user: `practicus-mfa verify` names "
            "them; clear each with `practicus-mfa users remove-mfa`, or restore it from a backup."
        )
    if unknown:
        return UNKNOWN, (
            f"{rows(unknown, 'is', 'are')} under a key that is not known: `practicus-mfa verify` names them; "
            "put that key into secretStore.rollingKey, or clear them with `practicus-mfa users remove-mfa`."
        )
    return None
