"""What goes into the page engine and what comes out of it, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, NamedTuple, TypeVar

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.faults import Fault, Reason

TokenT = TypeVar("TokenT", bound=str | bytes | memoryview)
"""A token as its column holds it: text, or the bytes of a bytea, which some drivers give as memoryview."""


class Binding(Enum):
    """What a token's plaintext says about the row it stands in."""

    OWNER = "owner"
    """Our own table: version and owner's id before the secret, checked at every open."""
    BARE = "bare"
    """Another application's table: the plaintext is its own affair and stays as it is."""


class PageRow(NamedTuple, Generic[TokenT]):
    """A row whose token is to be opened. A tuple, for a page has thousands.

    Attributes:
        token: The token, neither NULL nor empty.
        hint: The key that the row names, if it names one; tried first.
        owner: The user's id; needed with ``Binding.OWNER``, ignored otherwise.
    """

    token: TokenT
    hint: KeyId | None = None
    owner: int | None = None

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"PageRow(hint={self.hint!r}, owner={self.owner!r})"


class Rotated(NamedTuple, Generic[TokenT]):
    """The token was opened and sealed anew under the write key. A tuple, for a page has thousands.

    Attributes:
        token: The new token, of the old one's type, with its timestamp.
        from_key: The key that opened the old token.
    """

    token: TokenT
    from_key: KeyId

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Rotated(from_key={self.from_key!r})"


@dataclass(frozen=True, slots=True)
class Current:
    """The token opens under the write key already."""


CURRENT: Final = Current()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The token can't be read; it must stay as it is.

    Attributes:
        reason: Why.
    """

    reason: Reason

    @property
    def fault(self) -> Fault:
        """The fault that the database keeps."""
        return self.reason.fault


Outcome = Rotated[TokenT] | Current | Unreadable
"""What became of a row of a rotated page."""
