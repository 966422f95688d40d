"""Taking a backup: one snapshot of the database, streamed into a new file that appears whole or not at all.

The file is written beside its place under another name, readable by its owner alone from the first byte, and
gets its name after its last byte is on disk. Memory stays flat: rows pass through a thousand at a time.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from sqlalchemy import Connection, Table, select

from practicus_mfa.errors import UnreachableError, UsageError
from practicus_mfa.files import PRIVATE, sync_folder
from practicus_mfa.storage import versions
from practicus_mfa.storage.audit_chain import head
from practicus_mfa.storage.backup.format import COMMENT, MANIFEST, TABLES, part_name
from practicus_mfa.storage.backup.manifest import Manifest, Part
from practicus_mfa.storage.backup.rows import encode_row
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.schema import live_keys

FETCHED_AT_ONCE: Final = 1_000
"""Rows that the server sends in one go."""


def create(db: Database, path: Path) -> Manifest:
    """Write a backup of *db* to the new file *path* (mode 0600) and return what it holds.

    Raises:
        UsageError: There is a file already, or *db* is not at the step that this program works with.
        UnreachableError: *db* or the file's folder can't be used at the moment.
    """
    versions.check(db)
    with _new_file(path) as file, db.read(snapshot=True) as connection:
        return _write(connection, file)


def _write(connection: Connection, file: IO[bytes]) -> Manifest:
    created_at = database_now(connection)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        manifest = Manifest(
            created_at=created_at,
            schema=versions.head(),
            keys=tuple(connection.execute(select(live_keys.c.key_id).order_by(live_keys.c.key_id)).scalars()),
            audit_head=head(connection),
            parts=tuple(_write_part(connection, archive, table, created_at) for table in TABLES),
        )
        data = manifest.to_json()
        with archive.open(_entry(MANIFEST, created_at), "w") as out:
            out.write(data)
        archive.comment = (COMMENT + hashlib.sha256(data).hexdigest()).encode("ascii")
    return manifest


def _write_part(connection: Connection, archive: zipfile.ZipFile, table: Table, at: datetime) -> Part:
    digest, count = hashlib.sha256(), 0
    query = select(table).order_by(*table.primary_key)
    rows = connection.execute(query, execution_options={"yield_per": FETCHED_AT_ONCE})
    with archive.open(_entry(part_name(table.name), at), "w", force_zip64=True) as out:
        for some in rows.mappings().partitions():
            lines = b"".join(encode_row(dict(row)) for row in some)
            digest.update(lines)
            out.write(lines)
            count += len(some)
    return Part(table=table.name, rows=count, sha256=digest.hexdigest())


def _entry(name: str, at: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, at.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = PRIVATE << 16  # what unzip gives the part that it takes out
    return entry


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    if path.exists():
        raise _exists(path)
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _give_name(hidden, path)
        sync_folder(path.parent)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        hidden.unlink(missing_ok=True)


def _give_name(hidden: Path, path: Path) -> None:
    """Give the file *hidden* its name, unless another one took it meanwhile (FileExistsError then)."""
    try:
        os.link(hidden, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links. The name is taken by an empty file of ours, which is replaced.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
        try:
            hidden.replace(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise


def _exists(path: Path) -> UsageError:
    return UsageError(f"There is a file {path} already.", remedy="Name a new file, or move that one away.")


def _cannot_write(path: Path, error: OSError) -> UnreachableError:
    return UnreachableError(
        f"The backup {path} can't be written: {error.strerror or 'the disk refuses'}.",
        remedy="Name a file in a folder that exists, is writable and has room.",
    )
