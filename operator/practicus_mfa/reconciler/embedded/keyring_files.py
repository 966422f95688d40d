"""The keyring as a file of mode 0600, and its archive: the last keys that were unloaded, for old backups."""

from __future__ import annotations

from typing import Final

from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_file import dump, load
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.files import read_text, write_secretly

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
            UsageError: The file is damaged.
        """
        path = self._folder.keyring
        return load(read_text(path), source=str(path)) if path.exists() else None

    def save(self, keyring: Keyring, held: HeldKeys) -> None:
        """Replace the keyring; keys that leave it go to the archive first."""
        present = self.load()
        if present:
            leaving = [key for name, key in present[1].items() if name not in keyring.ids]
            if leaving:
                self._archive(leaving)
        write_secretly(self._folder.keyring, dump(keyring, held))

    def _archive(self, leaving: list[FernetKey]) -> None:
        path = self._folder.keyring_archive
        kept = list(load(read_text(path), source=str(path))[1].values()) if path.exists() else []
        newest = {key.id: key for key in (*kept, *leaving)}
        last = list(newest.values())[-ARCHIVED:]
        archive = Keyring(0, {key.id: KeyState.RETIRED for key in last})
        write_secretly(path, dump(archive, HeldKeys(last)))
