"""Pages of the page engine row by row: what goes in, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple

from practicus_mfa.crypto.faults import Reason
from practicus_mfa.crypto.pages import PageEngine
from practicus_mfa.crypto.rows import SealedPage, TokenT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from practicus_mfa.core.keyring import KeyId
    from practicus_mfa.crypto.keys import HeldKeys


class Row(NamedTuple, Generic[TokenT]):
    token: TokenT
    hint: KeyId | None = None
    owner: int = 0


@dataclass(frozen=True)
class Rotated(Generic[TokenT]):
    token: TokenT


@dataclass(frozen=True)
class Current:
    pass


@dataclass(frozen=True)
class Refused:
    reason: Reason


Outcome = Rotated[TokenT] | Current | Refused


def page_of(rows: Iterable[Row[TokenT]], *, bound: bool) -> SealedPage[TokenT]:
    """Return *rows* as a page, whose tokens may be *bound* to their owners."""
    listed = list(rows)
    return SealedPage(
        tokens=[row.token for row in listed],
        hints=[row.hint for row in listed],
        owners=[row.owner for row in listed] if bound else None,
    )


def rotate(
    rows: Iterable[Row[TokenT]], *, keys: HeldKeys, write_key: KeyId, bound: bool = False
) -> list[Outcome[TokenT]]:
    """Rotate *rows*, and look that each of them is in exactly one part of what comes out."""
    page = page_of(rows, bound=bound)
    done = PageEngine(keys, write_key).rotate(page)
    assert sorted([*done.rotated, *done.current, *done.refused]) == list(range(len(page.tokens)))
    kept = set(range(len(page.tokens))) - set(done.rotated)
    assert all(done.tokens[row] is page.tokens[row] for row in kept)
    outcomes: dict[int, Outcome[TokenT]] = {row: Rotated(done.tokens[row]) for row in done.rotated}
    outcomes |= {row: Current() for row in done.current}
    outcomes |= {row: Refused(reason) for row, reason in done.refused.items()}
    return [outcomes[row] for row in range(len(page.tokens))]
