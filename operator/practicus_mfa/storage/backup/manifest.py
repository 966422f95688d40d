"""A backup's manifest: what is in the file, and what it takes to trust and to read it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from practicus_mfa.core.audit_chain import Head
from practicus_mfa.storage.backup.format import FORMAT, VERSION, part_name
from practicus_mfa.storage.backup.rows import written

if TYPE_CHECKING:
    from sqlalchemy import Table

CONTAINS: Final = (
    "This file holds password hashes, e-mail addresses and encrypted TOTP secrets of all users, and the "
    "audit trail. It holds none of the keys that open the secrets. Keep it as you keep passwords, apart "
    "from the keys."
)
"""What whoever finds the file should know, in plain words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table of a backup.

    Attributes:
        table: The table's name.
        rows: How many rows it had.
        sha256: Of the part's bytes, in hex.
    """

    table: str
    rows: int
    sha256: str

    @property
    def name(self) -> str:
        """The part's name in the file."""
        return part_name(self.table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds.

    Attributes:
        created_at: The database's time of the snapshot.
        schema: The step of the migrations that the tables were at.
        audit_head: The end of the audit's chain of hashes; ``None`` in a file from before there was one.
        keys: The IDs of the keys that rows may be under: needed to read them after a restore.
        parts: Every table.
    """

    created_at: datetime
    schema: str
    keys: tuple[str, ...]
    parts: tuple[Part, ...]
    audit_head: Head | None = None

    def rows(self, table: Table) -> int:
        """Return how many rows of *table* there are."""
        return sum(part.rows for part in self.parts if part.table == table.name)

    def to_json(self) -> bytes:
        """Return the manifest as it is written."""
        head = self.audit_head
        fields = {
            "format": FORMAT,
            "version": VERSION,
            "contains": CONTAINS,
            "created_at": written(self.created_at),
            "schema": self.schema,
            "keys": self.keys,
            "audit_head": None if head is None else {"count": head.count, "hash": head.hash.hex()},
            "parts": [asdict(part) for part in self.parts],
        }
        return (json.dumps(fields, indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: It is something else.
        """
        match fields := json.loads(data):
            case {
                "format": "practicus-mfa backup",
                "version": 1,
                "created_at": str(created_at),
                "schema": str(schema),
                "keys": list(keys),
                "parts": list(parts),
            }:
                return cls(
                    created_at=datetime.fromisoformat(created_at),
                    schema=schema,
                    keys=tuple(str(key) for key in keys),
                    parts=tuple(_part(part) for part in parts),
                    audit_head=_head(fields.get("audit_head")),
                )
            case _:
                msg = "not a manifest of this format"
                raise ValueError(msg)


def _part(fields: object) -> Part:
    match fields:
        case {"table": str(table), "rows": int(rows), "sha256": str(sha256)}:
            return Part(table=table, rows=rows, sha256=sha256)
        case _:
            msg = "not a part of a manifest"
            raise ValueError(msg)


def _head(fields: object) -> Head | None:
    match fields:
        case None:
            return None
        case {"count": int(count), "hash": str(digest)}:
            return Head(count, bytes.fromhex(digest))
        case _:
            msg = "not a head of the audit"
            raise ValueError(msg)
