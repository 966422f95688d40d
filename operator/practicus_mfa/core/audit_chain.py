"""The chain over the audit: each hash is of the one before it and of one line.

    hash of nothing  = SHA-256 of a fixed text
    hash of line n   = SHA-256 of (hash of line n-1, then the line as canonical JSON)

So the last hash, with the number of lines before it, is a *head* that speaks for every line up to it: whoever
keeps a head somewhere else can tell later whether one of them was changed, taken away or put in. What a line
is in bytes does not depend on the database, nor on how the database spells numbers, times or documents.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

GENESIS: Final = hashlib.sha256(b"practicus-mfa audit chain v1").digest()
"""The hash of no lines."""

_HEAD: Final = re.compile(r"(0|[1-9][0-9]{0,17}):([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One line of the audit.

    Attributes:
        id: Its number; later lines have higher ones.
        at: When, by the database's clock.
        actor: Who: a user's name, or a part of the program.
        action: What, as ``noun.verb``.
        subject: To whom or what; empty where that is plain.
        result: How it ended.
        detail: More, as plain values by name; a line that this program did not write may have any value.
    """

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    result: str
    detail: Any = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many lines it has, and the hash that speaks for all of them."""

    count: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.count}:{self.hash.hex()}"


NOTHING: Final = Head(0, GENESIS)
"""The head of a chain without lines."""


def parse_head(text: str) -> Head:
    """Return the head that is written as ``COUNT:HASH``, the hash in hexadecimal digits.

    Raises:
        ValueError: It is not written so.
    """
    found = _HEAD.fullmatch(text.strip())
    if found is None:
        msg = "a head is written COUNT:HASH, for example 1042:9f86d081… with 64 hexadecimal digits"
        raise ValueError(msg)
    return Head(int(found[1]), bytes.fromhex(found[2]))


def link(head: Head, line: AuditLine) -> Head:
    """Return the head of the chain with *line* put behind *head*."""
    return Head(head.count + 1, hashlib.sha256(head.hash + canonical(line)).digest())


def members(line: AuditLine) -> dict[str, object]:
    """Return what *line* says, as plain values whose names and forms do not depend on the database."""
    return {
        "id": line.id,
        "at": written_instant(line.at),
        "actor": line.actor,
        "action": line.action,
        "subject": line.subject,
        "result": line.result,
        "detail": _plain(line.detail),
    }


def canonical(line: AuditLine) -> bytes:
    """Return *line* as JSON in UTF-8: members in the order of their names, no spaces, times in UTC."""
    # What is no text, or half a character ("surrogatepass"), in a line that somebody changed makes a wrong
    # line, not an error.
    text = json.dumps(members(line), ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=repr)
    return text.encode("utf-8", "surrogatepass")


def written_instant(moment: datetime) -> str:
    """Return *moment* in UTC with six digits of the second, always: isoformat() leaves zeros out."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _plain(value: object) -> object:
    # jsonb keeps 1e2 as 100, and SQLite keeps the text that was written: a whole number has no point.
    match value:
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
