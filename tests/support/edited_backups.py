"""Backup files packed anew after a change, as an editor of ZIPs, a forger or an earlier release would."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import TYPE_CHECKING

from practicus_mfa.storage.backup.format import COMMENT, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

Parts = dict[str, bytes]
"""Every part of a file by its name."""


def rewrite(whole: bytes, path: Path, change: Callable[[Parts], None], *, sign: bool = False) -> None:
    """Pack the file anew after *change*, as an editor of ZIPs would; with *sign* as a forger would."""
    path.write_bytes(whole)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
        comment = archive.comment
    change(parts)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
        archive.comment = (
            (COMMENT + hashlib.sha256(parts[MANIFEST]).hexdigest()).encode() if sign else comment
        )


def of_an_earlier_step(
    path: Path, step: str, *, tables: Collection[str], columns: Mapping[str, Collection[str]]
) -> None:
    """Make the backup at *path* one of an earlier *step*, which had no such *tables* and *columns*."""

    def change(parts: Parts) -> None:
        manifest = json.loads(parts[MANIFEST])
        for name in ("contains", "audit_head"):
            del manifest[name]
        manifest["schema"] = step
        manifest["parts"] = [part for part in manifest["parts"] if part["table"] not in tables]
        for part in manifest["parts"]:
            name = f"{part['table']}.jsonl"
            rows = [json.loads(line) for line in parts[name].splitlines()]
            for column in columns.get(part["table"], ()):
                for row in rows:
                    del row[column]
            parts[name] = "".join(json.dumps(row) + "\n" for row in rows).encode()
            part["sha256"] = hashlib.sha256(parts[name]).hexdigest()
        for table in tables:
            del parts[f"{table}.jsonl"]
        parts[MANIFEST] = json.dumps(manifest).encode()

    rewrite(path.read_bytes(), path, change, sign=True)
