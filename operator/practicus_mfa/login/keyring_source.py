"""Where a log-in replica finds the keyring: a file, alone or in the folder that a Secret is mounted as.

Only the reconciler writes it. A mounted Secret changes by its folder's link ``..data`` leading elsewhere, so
what is compared is the file that the name leads to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from practicus_mfa.core.keyring import Keyring
from practicus_mfa.crypto.keyring_file import load
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.files import read_text

ENTRY: Final = "keyring.yaml"
"""The file's name in a folder."""


class KeyringSource(Protocol):
    """Gives the keyring, and tells when it may have changed."""

    def stamp(self) -> object:
        """Return what changes with the keyring; ``None`` where it can't be told."""

    def load(self) -> tuple[Keyring, HeldKeys]:
        """Return the keyring and its keys.

        Raises:
            UsageError: There is none, or it is damaged.
        """


@dataclass(frozen=True, slots=True)
class KeyringFile:
    """The keyring as a file.

    Attributes:
        path: The file, or the folder that holds it as ``keyring.yaml``.
    """

    path: Path

    @property
    def _file(self) -> Path:
        # Asked each time: a volume may be mounted after the process has begun.
        return self.path / ENTRY if self.path.is_dir() else self.path

    def stamp(self) -> object:
        """Return which file it is and how it was changed last, ``None`` where it can't be looked at."""
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def load(self) -> tuple[Keyring, HeldKeys]:
        """Return the keyring and its keys.

        Raises:
            UsageError: There is none, or it is damaged.
        """
        file = self._file
        return load(read_text(file), source=str(file))
