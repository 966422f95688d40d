"""The Secret was broken while a key was staged: hold still; promotion needs valid keys."""

from __future__ import annotations

from practicus_mfa.core.plan import For, Step, Verdict, Wait
from practicus_mfa.core.situation import Situation
from practicus_mfa.core.wanted import KeysReason


def new_key_not_valid(s: Situation) -> Verdict | None:
    """Wait while another key should write and the Secret that asked for it is not valid any more.

    Not where the write key can't be read: then nobody can write, and going on with the keyring's active
    key, which wrote before, is the only way out.
    """
    if s.target == s.write_key or s.wanted.valid or s.write_key not in s.readable:
        return None
    return keys_wait(s)


def keys_wait(s: Situation) -> Wait:
    """Wait for valid keys; a Secret that is merely late needs no person."""
    who = For.MACHINE if s.wanted.reason is KeysReason.SECRET_STALE else For.PERSON
    return Wait(Step.VALIDATE, who, s.wanted.reason, s.wanted.message)
