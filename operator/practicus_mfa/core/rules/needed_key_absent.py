"""Rows need a key that nobody has: it was removed from values.yaml and is in no keyring.

They hold up no other row: what can be moved was moved before this rule is asked. They keep their hint and
their token, untouched, until a person brings the key back or clears them; until then nothing is proved and no
key is retired, for a key that comes back must be there when every row is tried.
"""

from __future__ import annotations

from practicus_mfa.core.keyring import joined
from practicus_mfa.core.plan import For, Step, Verdict, Wait
from practicus_mfa.core.sentences import rows
from practicus_mfa.core.situation import Situation

REASON = "RollingKeyMissing"


def needed_key_absent(s: Situation) -> Verdict | None:
    """Wait for a person: a pass over such rows alone would try them in vain."""
    if not s.needed_but_absent:
        return None
    return Wait(Step.MIGRATE, For.PERSON, REASON, absent_message(s))


def absent_message(s: Situation) -> str:
    """Name the keys and how many rows need them."""
    needing = rows(sum(s.needed_but_absent.values()), "needs", "need")
    return (
        f"{needing} key {joined(s.needed_but_absent)}, which is in neither the keyring nor "
        "secretStore: put it into rollingKey (the keyring's archive or a backup of values.yaml has it), "
        "or clear them with `practicus-mfa users remove-mfa`."
    )
