"""Reading a backup: nothing of it is believed before its checksum was seen to be right.

Every way in which a file can be broken ends in :class:`DamagedBackupError`, which names the part.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from practicus_mfa.errors import UsageError
from practicus_mfa.storage import versions
from practicus_mfa.storage.backup.format import COMMENT, MANIFEST, TABLES
from practicus_mfa.storage.backup.manifest import Manifest, Part
from practicus_mfa.storage.backup.rows import decode_row

if TYPE_CHECKING:
    from sqlalchemy import Table

_BEGINNING: Final = b"PK\x03\x04"
"""How a ZIP with something in it begins."""

_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    NotImplementedError,  # a way of compression that is none
    RuntimeError,  # "encrypted"
    UnicodeDecodeError,
    ValueError,
)
"""What ``zipfile`` raises where bytes of a file are not what they were."""


class DamagedBackupError(UsageError):
    """A backup file that was cut short or edited; nothing of it was used."""

    def __init__(self, path: Path, what: str) -> None:
        """Say what of the file is wrong."""
        super().__init__(
            f"The backup {path} {what}.",
            remedy="Take another copy of the file, or an older backup; nothing was changed.",
        )


@dataclass(frozen=True, slots=True)
class Backup:
    """An open backup file whose manifest is what it was when it was written."""

    path: Path
    manifest: Manifest
    archive: zipfile.ZipFile

    def rows(self, part: Part, table: Table) -> Iterator[dict[str, Any]]:
        """Yield the rows of *part*; at its end, or before, tell whether it is whole.

        Raises:
            DamagedBackupError: It is not; who used the rows must undo that.
        """
        digest, count = hashlib.sha256(), 0
        columns: Collection[str] = ()
        for line in self._lines(part):
            digest.update(line)
            count += 1
            try:
                row = decode_row(table, line)
            except ValueError as error:
                raise self._damaged(part, f"line {count} is no row of its table: {error}") from error
            columns = columns or row.keys()
            if row.keys() != columns:
                raise self._damaged(part, f"line {count} has other columns than line 1")
            yield row
        if count != part.rows:
            raise self._damaged(part, f"it has {count} rows, the manifest says {part.rows}")
        if digest.hexdigest() != part.sha256:
            raise self._damaged(part, "its checksum is not the one in the manifest")

    def _lines(self, part: Part) -> Iterator[bytes]:
        try:
            with self.archive.open(part.name) as lines:
                yield from lines
        except _BROKEN as error:
            raise self._damaged(part, "its bytes can't be unpacked") from error

    def _damaged(self, part: Part, why: str) -> DamagedBackupError:
        return DamagedBackupError(self.path, f"was edited or is damaged in its part {part.name}: {why}")


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """Open the backup at *path*; its manifest is checked, its parts are not yet.

    Raises:
        DamagedBackupError: It was cut short or edited.
        UsageError: It is no backup, or of a newer program.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(
            f"The backup {path} can't be read: {error.strerror}.",
            remedy="Check the path and the file's rights.",
        ) from error
    with file:
        if file.read(len(_BEGINNING)) != _BEGINNING:
            raise UsageError(
                f"{path} is not a backup of this program.",
                remedy="Give a file that `practicus-mfa backup create` wrote.",
            )
        with _archive(path, file) as archive:
            yield Backup(path, _manifest(path, archive), archive)


@contextmanager
def _archive(path: Path, file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN as error:
        # The table of contents is a ZIP's end, so it is the first thing that a file cut short lacks.
        raise DamagedBackupError(
            path, "is cut short or damaged: its table of contents is not there"
        ) from error
    with archive:
        yield archive


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    try:
        data = archive.read(MANIFEST)
    except (KeyError, *_BROKEN) as error:
        raise DamagedBackupError(path, f"was edited or is damaged in its part {MANIFEST}") from error
    if archive.comment != (COMMENT + hashlib.sha256(data).hexdigest()).encode("ascii"):
        # The comment is the very end of the file: a few bytes cut off show here.
        raise DamagedBackupError(
            path, f"was cut short, or edited: the checksum of its part {MANIFEST} is not the one at its end"
        )
    try:
        manifest = Manifest.from_json(data)
    except (ValueError, RecursionError) as error:
        raise _newer(path, "its form is another one") from error
    if manifest.schema not in versions.STEPS:
        raise _newer(path, f"its tables are at step {manifest.schema}, this program's at {versions.head()}")
    _compare_parts(path, archive, manifest)
    return manifest


def _newer(path: Path, why: str) -> UsageError:
    return UsageError(
        f"The backup {path} is of a newer program: {why}.",
        remedy="Restore it with the program that wrote it.",
    )


def _compare_parts(path: Path, archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Make sure that the file holds every part that the manifest names, and no other, once each."""
    expected = [*(part.name for part in manifest.parts), MANIFEST]
    there = archive.namelist()
    if missing := [name for name in expected if name not in there]:
        raise DamagedBackupError(path, f"was edited: its part {missing[0]} is missing")
    if len(there) > len(expected):
        surplus = [name for name in there if name not in expected or there.count(name) > 1]
        raise DamagedBackupError(path, f"was edited: its part {surplus[0]!r} does not belong there")
    known = {table.name for table in TABLES}
    if unknown := [part.table for part in manifest.parts if part.table not in known]:
        raise _newer(path, f"this program has no table {unknown[0]}")


def verify(path: Path) -> Manifest:
    """Read the whole backup at *path* and return what it holds.

    Raises:
        DamagedBackupError: It was cut short or edited.
        UsageError: It is no backup, or of a newer program.
    """
    with opened(path) as backup:
        check(backup)
        return backup.manifest


def check(backup: Backup, *, but: Collection[Table] = ()) -> None:
    """Read every part of *backup*, except those of tables that the caller reads anyway (*but*).

    Raises:
        DamagedBackupError: One of them is not what it was.
    """
    tables = {table.name: table for table in TABLES if table not in but}
    for part in (part for part in backup.manifest.parts if part.table in tables):
        for _ in backup.rows(part, tables[part.table]):
            pass
