"""What passes between a table and the one who treats its tokens.

A *cell* is one token where it stands: a row and a column of it. A page is the cells of some rows in the
order of their ids. Treating a cell gives its *kind*, and a new token where it was re-encrypted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol
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


class Cell(NamedTuple):
    """A token where it stands. A tuple, for a page has thousands.

    Attributes:
        id: The row's id.
        column: Which of the token columns, counted from 0.
        token: Neither NULL nor empty.
        hint: The key that the row names, if it names one.
        fault: The fault that the row already bears.
        owner: The user's id, in our own table.
    """

    id: RowId
    column: int
    token: Token
    hint: KeyId | None = None
    fault: str | None = None
    owner: int | None = None

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Cell(id={self.id!r}, column={self.column}, hint={self.hint!r}, fault={self.fault!r})"


class Treated(NamedTuple):
    """A cell, and what became of its token. A tuple, for a page has thousands.

    Attributes:
        cell: The cell as it was read.
        kind: What became of it.
        token: The new token where it was migrated, the old one otherwise.
        reason: Why it can't be read, where it can't.
    """

    cell: Cell
    kind: Kind
    token: Token
    reason: str = ""

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Treated({self.cell!r}, {self.kind.value}, reason={self.reason!r})"


Treat = Callable[[Sequence[Cell]], list[Treated]]
"""Treats cells, in their order; called again with those that changed in between."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows' cells in the order of their ids.

    Attributes:
        cells: The tokens.
        last: The last row's id as text; ``None`` where there was no row.
        more: Rows may follow.
    """

    cells: tuple[Cell, ...]
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

    def reread(self, connection: Connection, ids: Sequence[RowId]) -> list[Cell]:
        """Return the cells of these rows as they are now; rows that are gone have none."""
        ...

    def changes(self, treated: Sequence[Treated], write_key: KeyId) -> list[Treated]:
        """Return those of *treated* that the table must be told of."""
        ...

    def swap(self, connection: Connection, changes: Sequence[Treated], write_key: KeyId) -> int:
        """Write *changes* where the token is still the one that was read; return how many were."""
        ...
