"""The keyring does not hold what it should: a key is to be staged, joins for reading, or is unloaded."""

from __future__ import annotations

from practicus_mfa.core.desired_keyring import desired_keyring
from practicus_mfa.core.plan import Act, NudgeReaders, Step, Verdict, WriteKeyring
from practicus_mfa.core.situation import Situation


def keyring_outdated(s: Situation) -> Verdict | None:
    """Write the next generation of the keyring, and bring it to the readers."""
    desired = desired_keyring(s)
    if s.keyring is None or desired.states == s.keyring.states:
        return None
    step = Step.UNLOAD if desired.ids < s.keyring.ids else Step.STAGE
    return Act(step, (WriteKeyring(desired), NudgeReaders(desired.generation)))
