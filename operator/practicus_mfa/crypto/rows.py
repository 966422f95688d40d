"""What goes into the page engine and what comes out of it: columns, for a page has thousands of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.faults import Reason

TokenT = TypeVar("TokenT", bound=str | bytes | memoryview)
"""A token as its column holds it: text, or the bytes of a bytea, which some drivers give as memoryview."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPage(Generic[TokenT]):
    """Rows whose tokens are to be opened.

    Attributes:
        tokens: The token of each row, neither NULL nor empty.
        hints: The key that each row names, if it names one; tried first.
        owners: Our own table: the user's id of each row, which every open compares with the one in the
            plaintext. ``None`` for another application's table: the plaintext is its own affair.
    """

    tokens: Sequence[TokenT] = field(repr=False)
    hints: Sequence[KeyId | None]
    owners: Sequence[int] | None

    def __post_init__(self) -> None:
        """Look whether every row has a hint, be it None, and an owner where tokens are bound to one.

        Raises:
            ValueError: The columns differ in length.
        """
        if any(len(column) != len(self.tokens) for column in (self.hints, self.owners) if column is not None):
            msg = "the columns of a page differ in length"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedPage(Generic[TokenT]):
    """What became of a page: each of its rows, counted from 0, is in one of the last three.

    Attributes:
        tokens: The token of each row: a new one where it was rotated, sealed under the write key, of the old
            one's type and with its timestamp; otherwise the old one.
        rotated: Rows that have a new token.
        current: Rows whose token opens under the write key already.
        refused: Rows whose token can't be read and must stay as it is, and why.
    """

    tokens: list[TokenT] = field(repr=False)
    rotated: list[int] = field(default_factory=list)
    current: list[int] = field(default_factory=list)
    refused: dict[int, Reason]
