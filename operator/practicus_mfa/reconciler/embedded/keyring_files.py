"""The keyring as a file of mode 0600, and its archive: the last keys that were unloaded, for old backups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from practicus_mfa.core.keyring import KeyId, Keyring, KeyState
from practicus_mfa.crypto.keyring_file import HEADER, dump, load
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import dump_yaml
from practicus_mfa.files import read_text, write_secretly
from practicus_mfa.reconciler.embedded.presence import is_there

ARCHIVED: Final = 3
"""How many unloaded keys are kept."""


class KeyringFiles:
    """Keeps the keyring of a data folder."""

    def __init__(self, folder: DataFolder) -> None:
        """Keep it in *folder*."""
        self._folder = folder

    def load(self) -> tuple[Keyring, HeldKeys] | None:
        """Return the keyring and its keys, ``None`` where there is none.

        Raises:
            UsageError: The file is damaged, or can't be read.
        """
        path = self._folder.keyring
        return load(read_text(path), source=str(path)) if is_there(path) else None

    def save(self, keyring: Keyring, held: HeldKeys) -> None:
        """Replace the keyring; keys that leave it go to the archive first.

        Raises:
            UsageError: A file is damaged or can't be written; the keyring is as it was.
        """
        text = dump(keyring, held)
        present = self.load()
        if present:
            was, keys = present
            leaving = {name: was.states[name] for name in keys if name not in keyring.ids}
            if leaving:
                self._archive(leaving, keys)
        write_secretly(self._folder.keyring, text)

    def _archive(self, leaving: Mapping[KeyId, KeyState], keys: HeldKeys) -> None:
        path = self._folder.keyring_archive
        states: dict[KeyId, KeyState] = {}
        held = HeldKeys(keys.values())
        if is_there(path):
            archived, kept = load(read_text(path), source=str(path))
            held = HeldKeys((*keys.values(), *kept.values()))
            # In the file's order, which is that of their leaving; a keyring sorts them.
            states = {name: archived.states[name] for name in kept if name not in leaving}
        for name, state in leaving.items():
            # A key that was staged only was never written under: it makes room first.
            states[name] = state if state is KeyState.STAGED else KeyState.RETIRED
        wrote = [name for name, state in states.items() if state is not KeyState.STAGED][-ARCHIVED:]
        room = ARCHIVED - len(wrote)
        never = [name for name, state in states.items() if state is KeyState.STAGED][-room:] if room else []
        last = {*wrote, *never}
        entries = [
            {"id": str(name), "state": states[name].value, "key": held[name].text}
            for name in states
            if name in last
        ]
        write_secretly(path, HEADER + dump_yaml({"generation": 0, "keys": entries}))
