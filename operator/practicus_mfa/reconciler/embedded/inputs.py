"""The files that a person edits: which of them changed since they were read last.

A file is noted before it is read, so an edit that comes while it is being read is seen at the next look. An
editor may empty a file before it fills it, so a file that has just changed is left to come to rest first.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from practicus_mfa.datafolder import DataFolder

QUIET: Final = 0.1
"""Seconds without a change after which a file is taken to be written to its end."""

LONGEST: Final = 1.0
"""Seconds after which a file that keeps changing is read all the same."""

Stamps = Mapping[Path, object]
"""Of each file what changes with its content; a file that is not there has none."""


class Inputs:
    """Watches values.yaml and the objects of a data folder."""

    def __init__(
        self, folder: DataFolder, values_file: Path, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Note the files as they are: make it before they are read for the first time."""
        self._folder = folder
        self._values_file = values_file
        self._sleep = sleep
        self._noted: Stamps = self._stamps()

    def changed(self) -> set[Path]:
        """Return the files that changed, came or went since the last look."""
        present = self._stamps()
        # The keyring is the platform's own and never half written.
        if _differing(self._noted, present) - {self._folder.keyring}:
            present = self._at_rest(present)
        changed = _differing(self._noted, present)
        self._noted = present
        return changed

    def stirred(self) -> bool:
        """Whether there is anything for :meth:`changed` to tell."""
        return bool(_differing(self._noted, self._stamps()))

    def _at_rest(self, present: Stamps) -> Stamps:
        waited = 0.0
        while waited < LONGEST:
            self._sleep(QUIET)
            waited += QUIET
            before, present = present, self._stamps()
            if before == present:
                break
        return present

    def _stamps(self) -> Stamps:
        written_by_us = {self._folder.status, self._folder.keyring_archive}
        paths = {self._values_file, *self._folder.root.glob("*.yaml")} - written_by_us
        return {path: stamp for path in paths if (stamp := _stamp(path)) is not None}


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return stat.S_IFMT(found.st_mode)  # a pipe can be read once, and looks changed by that
    return found.st_mtime_ns, found.st_size, found.st_ino


def _differing(one: Stamps, other: Stamps) -> set[Path]:
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
