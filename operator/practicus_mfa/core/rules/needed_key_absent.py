"""Rows need a key that nobody has: it was removed from values.yaml and is in no keyring.

The rows keep their hint and their token, untouched, until a person brings the key back.
"""

from __future__ import annotations

from practicus_mfa.core.keyring import joined
from practicus_mfa.core.plan import For, Step, Verdict, Wait
from practicus_mfa.core.sentences import rows
from practicus_mfa.core.situation import Situation

REASON = "RollingKeyMissing"


def needed_key_absent(s: Situation) -> Verdict | None:
    """Wait for a person: no pass is begun that would try such rows in vain."""
    if not s.needed_but_absent:
        return None
    return Wait(Step.MIGRATE, For.PERSON, REASON, absent_message(s))


def absent_message(s: Situation) -> str:
    """Name the keys and how many rows need them."""
    needing = rows(sum(s.needed_but_absent.values()), "needs", "need")
    return (
        f"{needing} key {joined(s.needed_but_absent)}, which is in neither the keyring nor "
        "secretStore: put it into rollingKey (the keyring's archive or a backup of values.yaml has it)."
    )
