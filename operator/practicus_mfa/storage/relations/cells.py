"""What passes between a table and the one who treats its tokens.

A *cell* is one token where it stands: a row and a column of it. A page is the cells of some rows in the
order of their ids. Treating a cell gives its *kind*, and a new token where it was re-encrypted.

A page has thousands of cells, so it is kept as columns: an object for each would take as long as to hash its
token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import compress
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import Mode

if TYPE_CHECKING:
    from sqlalchemy import Connection

RowId = int | str | UUID
Token = str | bytes


class Kind(StrEnum):
    """What became of a token."""

    MIGRATED = "migrated"
    """It was sealed anew under the write key."""
    CURRENT = "current"
    """It opens under the write key already."""
    UNKNOWN = "unknown"
    """Well-formed, but no known key opens it."""
    CORRUPT = "corrupt"
    """It is no token of its row at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Tokens where they stand. All columns have one length, but *owners* is empty where there are none.

    Attributes:
        ids: The id of each one's row.
        tokens: The tokens, neither NULL nor empty.
        columns: Which of the token columns each stands in, counted from 0.
        hints: The key that each one's row names, if it names one.
        faults: The fault that each one's row already bears.
        owners: The user's id of each one's row, in our own table.
    """

    ids: Sequence[RowId]
    tokens: Sequence[Token] = field(repr=False)
    columns: Sequence[int]
    hints: Sequence[KeyId | None]
    faults: Sequence[str | None]
    owners: Sequence[int] = ()

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self.ids)

    @property
    def places(self) -> Iterator[tuple[RowId, int]]:
        """Go through the row and the column of each."""
        return zip(self.ids, self.columns, strict=True)

    def only(self, wanted: Sequence[bool]) -> Cells:
        """Return the *wanted* ones alone."""
        return Cells(
            ids=list(compress(self.ids, wanted)),
            tokens=list(compress(self.tokens, wanted)),
            columns=list(compress(self.columns, wanted)),
            hints=list(compress(self.hints, wanted)),
            faults=list(compress(self.faults, wanted)),
            owners=list(compress(self.owners, wanted)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Treated:
    """Cells, and what became of their tokens.

    Attributes:
        cells: The cells as they were read.
        kinds: What became of each.
        tokens: The new token where it was migrated, the old one otherwise.
        reasons: Why each can't be read, where it can't; empty otherwise.
    """

    cells: Cells
    kinds: Sequence[Kind]
    tokens: Sequence[Token] = field(repr=False)
    reasons: Sequence[str]

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self.kinds)

    def only(self, wanted: Sequence[bool]) -> Treated:
        """Return the *wanted* ones alone."""
        if all(wanted):
            return self
        return Treated(
            cells=self.cells.only(wanted),
            kinds=list(compress(self.kinds, wanted)),
            tokens=list(compress(self.tokens, wanted)),
            reasons=list(compress(self.reasons, wanted)),
        )


Treat = Callable[[Cells], Treated]
"""Treats cells, in their order; called again with those that changed in between."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows' cells in the order of their ids.

    Attributes:
        cells: The tokens.
        last: The last row's id as text; ``None`` where there was no row.
        more: Rows may follow.
    """

    cells: Cells
    last: str | None
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which rows to read: ``after < id <= upper``, at most *limit*; ids as text, ``None``: open there."""

    after: str | None
    upper: str | None
    limit: int


class Relation(Protocol):
    """A table whose tokens rotate."""

    @property
    def name(self) -> str:
        """How the policy, the shards and the audit call it."""
        ...

    @property
    def table_sql(self) -> str:
        """The table, quoted for a statement."""
        ...

    @property
    def id_sql(self) -> str:
        """The id column, quoted for a statement."""
        ...

    def read(self, connection: Connection, rows: Span, mode: Mode, write_key: KeyId) -> Page:
        """Return the next page."""
        ...

    def reread(self, connection: Connection, ids: Sequence[RowId]) -> Cells:
        """Return the cells of these rows as they are now; rows that are gone have none."""
        ...

    def changes(self, treated: Treated, write_key: KeyId) -> Treated:
        """Return those of *treated* that the table must be told of."""
        ...

    def swap(self, connection: Connection, changes: Treated, write_key: KeyId) -> int:
        """Write *changes* where the token is still the one that was read; return how many were."""
        ...
