"""No key writes yet: the bootstrap's last act.

Without readers the active key writes at once. With readers (a new operator beside replicas that run
already) the key that opens the rows goes on writing, and the active key is then staged as usual.
"""

from __future__ import annotations

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.plan import Act, SetFirstWriteKey, Step, Verdict
from practicus_mfa.core.rules.new_key_not_valid import keys_wait
from practicus_mfa.core.rules.readers_lag import readers_lag
from practicus_mfa.core.situation import Situation


def no_write_key(s: Situation) -> Verdict | None:
    """Choose the first write key."""
    if s.write_key is not None:
        return None
    first = _opener(s) if s.database.readers else s.target
    if first is None:
        return keys_wait(s)
    return readers_lag(s) or Act(Step.VALIDATE, (SetFirstWriteKey(first),))


def _opener(s: Situation) -> KeyId | None:
    """Return the key that opens the rows; the active key where it opens as many."""
    opened = {key: rows for key, rows in s.seen.trial.items() if rows and key in s.readable}
    return max(opened, key=lambda key: (opened[key], key == s.target), default=s.target)
