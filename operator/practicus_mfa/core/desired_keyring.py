"""Which keyring there should be: every key that may still be needed, each in its true state.

This is where a key could be lost, so the rule is short: a key leaves the keyring only when it is proved to
be needed by no row and values.yaml no longer names it, or when it was staged and never wrote; and only
while no row waits to be tried.
"""

from __future__ import annotations

from practicus_mfa.core.keyring import KeyId, Keyring, KeyState
from practicus_mfa.core.situation import Situation


def desired_states(s: Situation) -> dict[KeyId, KeyState]:
    """Return the keys that the keyring should hold, with their states."""
    candidates = s.readable | _joining(s)
    states = {key: _state(s, key) for key in candidates}
    return {key: state for key, state in states.items() if not _unloads(s, key, state)}


def desired_keyring(s: Situation) -> Keyring:
    """Return the keyring of the next generation, above the highest there ever was."""
    present = s.keyring.generation if s.keyring else 0
    return Keyring(max(present, s.database.keyring_generation) + 1, desired_states(s))


def _joining(s: Situation) -> frozenset[KeyId]:
    """Keys that the Secret holds and the keyring should take up."""
    joining = {s.target} if s.target in s.wanted.named else set()
    joining |= s.wanted.named & (s.needed_but_absent.keys() | {s.write_key})
    rolling = s.wanted.rolling
    # While rows are being moved a new rolling key waits: rows tried before it came would miss it. A keyring
    # that is rebuilt takes it up at once, for it was in the one that was lost.
    rows_are_moving = s.keyring is not None and s.rotation is not None and s.rotation.passes
    if rolling and not rows_are_moving and rolling not in s.database.retired_keys:
        joining.add(rolling)
    return frozenset(key for key in joining if key)


def _state(s: Situation, key: KeyId) -> KeyState:
    """Return the true state of *key*.

    Only a key that nothing was ever written under is called staged, for such a key may leave the keyring
    unproved; one that was already read with stays rolling although it is about to write (again).
    """
    present = s.keyring.states.get(key) if s.keyring else None
    if key == s.write_key:
        return KeyState.ACTIVE
    if key == s.target and present is KeyState.ACTIVE and s.write_key_lost:
        return KeyState.ACTIVE  # it wrote in a database that was lost or restored, and will write again
    if key == s.target and present not in (KeyState.ROLLING, KeyState.ACTIVE):
        return KeyState.STAGED
    if key in s.under_other_keys:
        return KeyState.ROLLING
    if key in s.database.retired_keys:
        return KeyState.RETIRED
    if present is KeyState.STAGED and key not in s.wanted.named:
        return KeyState.STAGED
    return KeyState.ROLLING


def _unloads(s: Situation, key: KeyId, state: KeyState) -> bool:
    if not s.wanted.legible or key in s.wanted.named or key in s.database.live_keys:
        return False
    if s.counts.untried:
        return False  # a row that was put there by hand and not tried yet may need any key
    never_wrote = state is KeyState.STAGED and key != s.target
    return never_wrote or state is KeyState.RETIRED
