"""Everything is done, but the Secret is not as it should be: a person has to mend values.yaml."""

from __future__ import annotations

from practicus_mfa.core.plan import Verdict
from practicus_mfa.core.rules.new_key_not_valid import keys_wait
from practicus_mfa.core.situation import Situation


def keys_not_valid(s: Situation) -> Verdict | None:
    """Wait, running on the keyring as it is."""
    return None if s.wanted.valid else keys_wait(s)
