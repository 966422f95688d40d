"""A reader can't yet read with every key: no key may write before all can read it."""

from __future__ import annotations

from practicus_mfa.core.plan import For, NudgeReaders, Step, Verdict, Wait
from practicus_mfa.core.situation import Situation

REASON = "WaitingForReaders"
NAMED = 5
"""How many readers a message names."""


def readers_lag(s: Situation) -> Verdict | None:
    """Wait, never skip, until each unexpired lease lists the keys; meanwhile bring them there.

    After promotion a reader that lags can't be ready, so it does not hold up the rows.
    """
    if s.keyring is None or not s.lagging or (s.rotation and s.rotation.promoted_at):
        return None
    return Wait(Step.CONVERGE, For.MACHINE, REASON, lagging_message(s), (NudgeReaders(s.keyring.generation),))


def lagging_message(s: Situation) -> str:
    """Say who lags."""
    names = ", ".join(reader.instance for reader in s.lagging[:NAMED])
    more = f" and {len(s.lagging) - NAMED} more" if len(s.lagging) > NAMED else ""
    generation = s.keyring.generation if s.keyring else 0
    return (
        f"{len(s.lagging)} of {len(s.database.readers)} readers can't read with every key of keyring "
        f"generation {generation} yet: {names}{more}."
    )
