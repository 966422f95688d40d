"""There is no keyring: a first install, or somebody deleted it.

Where the database knows no key this is a first install and the Secret's keys make the first keyring. Where
it knows keys the keyring is rebuilt only if the Secret holds every key that is needed; otherwise nothing is
written and log-ins fail closed, because a keyring without a needed key would look like a sound one.
"""

from __future__ import annotations

from practicus_mfa.core.desired_keyring import desired_keyring
from practicus_mfa.core.keyring import joined
from practicus_mfa.core.plan import Act, For, Step, Verdict, Wait, WriteKeyring
from practicus_mfa.core.rules.new_key_not_valid import keys_wait
from practicus_mfa.core.situation import Situation

REASON = "RollingKeyMissing"


def keyring_missing(s: Situation) -> Verdict | None:
    """Make the first keyring, rebuild a lost one, or wait for a person."""
    if s.keyring is not None:
        return None
    if s.write_key is None and not s.wanted.valid:
        return keys_wait(s)
    message = lost_message(s)
    if message:
        return Wait(Step.VALIDATE, For.PERSON, REASON, message)
    return Act(Step.VALIDATE, (WriteKeyring(desired_keyring(s)),))


def lost_message(s: Situation) -> str:
    """Name the keys without which a lost keyring can't be rebuilt, and the way back; empty where it can."""
    if s.keyring is not None or s.write_key is None:
        return ""
    others = s.under_other_keys.keys()
    missing = ({s.write_key} | others) - s.wanted.named
    if not missing:
        return ""
    match len(others):
        case 0:
            remedy = f"put key {s.write_key} into rollingKey"
        case 1:
            remedy = f"set activeKey to key {s.write_key} and rollingKey to key {joined(others)}"
        case _:
            remedy = "restore the keyring itself from a backup, for secretStore can't hold as many keys"
    return (
        f"The keyring is lost and rows need key {joined(missing)}, which secretStore does not hold: {remedy} "
        "(the keyring's archive or a backup of values.yaml may have it; where nobody has it any more, "
        "`practicus-mfa recover --keys-lost`)."
    )
