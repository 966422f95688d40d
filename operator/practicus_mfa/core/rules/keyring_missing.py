"""There is no keyring: a first install, or somebody deleted it.

Where the database knows no key this is a first install and the Secret's keys make the first keyring. Where
it knows keys the keyring is rebuilt only if the Secret holds every key that is needed; otherwise nothing is
written and log-ins fail closed, because a keyring without a needed key would look like a sound one.
"""

from __future__ import annotations

from practicus_mfa.core.desired_keyring import desired_keyring
from practicus_mfa.core.keyring import joined
from practicus_mfa.core.plan import Act, For, Step, Verdict, Wait, WriteKeyring
from practicus_mfa.core.situation import Situation

REASON = "RollingKeyMissing"


def keyring_missing(s: Situation) -> Verdict | None:
    """Make the first keyring, rebuild a lost one, or wait for a person."""
    if s.keyring is not None:
        return None
    if s.write_key is None:
        if s.wanted.valid:
            return Act(Step.VALIDATE, (WriteKeyring(desired_keyring(s)),))
        return Wait(Step.VALIDATE, For.PERSON, s.wanted.reason, s.wanted.message)
    missing = ({s.write_key} | s.under_other_keys.keys()) - s.wanted.named
    if not missing:
        return Act(Step.VALIDATE, (WriteKeyring(desired_keyring(s)),))
    message = (
        f"The keyring is lost and rows need key {joined(missing)}, which secretStore does not hold: put it "
        "into rollingKey (the keyring's archive or a backup of values.yaml has it)."
    )
    return Wait(Step.VALIDATE, For.PERSON, REASON, message)
