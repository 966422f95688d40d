"""The keyring's archive: the last keys that left the keyring, for backups that are older than that.

It has the keyring's own form. Which keys stay is decided here; a platform only keeps the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from practicus_mfa.core.keyring import KeyId, Keyring, KeyState
from practicus_mfa.crypto.keyring_file import HEADER, load
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.documents import dump_yaml

ARCHIVED: Final = 3
"""How many unloaded keys are kept."""


def leaving(present: tuple[Keyring, HeldKeys] | None, keyring: Keyring) -> Mapping[KeyId, KeyState]:
    """Return the keys that leave when *keyring* takes the place of *present*, with the state they had."""
    if present is None:
        return {}
    was, keys = present
    return {name: was.states[name] for name in keys if name not in keyring.ids}


def archived(text: str | None, gone: Mapping[KeyId, KeyState], keys: HeldKeys, *, source: str) -> str:
    """Return the archive with the keys *gone* in it. A secret.

    Args:
        text: The archive as it is; ``None`` where there is none.
        gone: The keys that leave the keyring, with the state they had.
        keys: Those keys, others may be among them.
        source: What messages call the archive.

    Raises:
        InvalidConfiguration: The archive is damaged.
    """
    states: dict[KeyId, KeyState] = {}
    held = HeldKeys(keys.values())
    if text is not None:
        before, kept = load(text, source=source)
        held = HeldKeys((*keys.values(), *kept.values()))
        # In the text's order, which is that of their leaving; a keyring sorts them.
        states = {name: before.states[name] for name in kept if name not in gone}
    for name, state in gone.items():
        # A key that was staged only was never written under: it makes room first.
        states[name] = state if state is KeyState.STAGED else KeyState.RETIRED
    last = _last(states)
    entries = [
        {"id": str(name), "state": states[name].value, "key": held[name].text}
        for name in states
        if name in last
    ]
    return HEADER + dump_yaml({"generation": 0, "keys": entries})


def _last(states: Mapping[KeyId, KeyState]) -> frozenset[KeyId]:
    wrote = [name for name, state in states.items() if state is not KeyState.STAGED][-ARCHIVED:]
    room = ARCHIVED - len(wrote)
    never = [name for name, state in states.items() if state is KeyState.STAGED][-room:] if room else []
    return frozenset((*wrote, *never))
