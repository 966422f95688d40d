"""The keyring as a file of mode 0600, and its archive: the last keys that were unloaded, for old backups."""

from __future__ import annotations

from practicus_mfa.core.keyring import Keyring
from practicus_mfa.crypto.keyring_archive import archived, leaving
from practicus_mfa.crypto.keyring_file import dump, load
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.files import read_text, write_secretly
from practicus_mfa.reconciler.embedded.presence import is_there


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
        gone = leaving(present, keyring)
        if present and gone:
            path = self._folder.keyring_archive
            before = read_text(path) if is_there(path) else None
            write_secretly(path, archived(before, gone, present[1], source=str(path)))
        write_secretly(self._folder.keyring, text)
