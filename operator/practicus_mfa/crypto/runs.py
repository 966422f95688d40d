"""An opened page: rows that were opened together, rows that were opened one by one, and rows refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress

from practicus_mfa.crypto.faults import Reason
from practicus_mfa.crypto.keys import FernetKey
from practicus_mfa.crypto.records import Shape
from practicus_mfa.crypto.streams import KeyStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Rows of one shape that one key authenticated.

    Attributes:
        key: The key.
        shape: The layout of their tokens.
        rows: Where each stands in the page.
        signed: What each one's MAC covers: head, IV and ciphertext.
        padded: The padded plaintexts, joined, each after a block of rubbish; empty until decrypted.
    """

    key: KeyStream
    shape: Shape
    rows: Sequence[int]
    signed: Sequence[bytes] = field(repr=False)
    padded: bytes = field(default=b"", repr=False)

    def only(self, wanted: Sequence[bool]) -> Run:
        """Return the run with the *wanted* rows alone."""
        size = self.shape.body
        parts = [self.padded[at : at + size] for at in range(0, len(self.padded), size)]
        return Run(
            key=self.key,
            shape=self.shape,
            rows=list(compress(self.rows, wanted)),
            signed=list(compress(self.signed, wanted)),
            padded=b"".join(compress(parts, wanted)),
        )


@dataclass(frozen=True, slots=True)
class Single:
    """A row that ``cryptography`` opened: where it stands in the page, its token, and the key."""

    row: int
    token: str | bytes = field(repr=False)
    key: FernetKey


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """A page, opened: each of its rows is in exactly one of these.

    Attributes:
        runs: Rows opened together.
        singles: Rows opened one by one.
        refused: Rows that can't be read, and why.
    """

    runs: list[Run] = field(default_factory=list)
    singles: list[Single] = field(default_factory=list)
    refused: dict[int, Reason] = field(default_factory=dict)
