"""What a worker does to the tokens of a page: cryptography for cells of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import OWN_TABLE
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.pages import Binding, Current, Outcome, PageRow, Rotated, Unreadable, rotate_page
from practicus_mfa.crypto.rows import CURRENT
from practicus_mfa.storage.relations.cells import Cell, Kind, Token, Treat, Treated

# An enumeration's member is looked up in steps that a page would take thousands of times.
_CURRENT: Final = Kind.CURRENT
_MIGRATED: Final = Kind.MIGRATED


def treatment(relation: str, keys: HeldKeys, write_key: KeyId) -> Treat:
    """Return what brings the tokens of *relation* under the *write_key*.

    Args:
        relation: The table: in ours, tokens are bound to their owners.
        keys: The keys to try.
        write_key: One of them.
    """
    binding = Binding.OWNER if relation == OWN_TABLE else Binding.BARE

    def treat(cells: Sequence[Cell]) -> list[Treated]:
        rows = [PageRow(cell.token, cell.hint, cell.owner) for cell in cells]
        outcomes = rotate_page(rows, keys=keys, write_key=write_key, binding=binding)
        return [
            # Of a page that is verified nearly every row is current: that costs no call.
            Treated(cell, _CURRENT, cell.token) if outcome is CURRENT else _treated(cell, outcome)
            for cell, outcome in zip(cells, outcomes, strict=True)
        ]

    return treat


def _treated(cell: Cell, outcome: Outcome[Token]) -> Treated:
    if isinstance(outcome, Rotated):
        return Treated(cell, _MIGRATED, outcome.token)
    if isinstance(outcome, Current):
        return Treated(cell, _CURRENT, cell.token)
    if isinstance(outcome, Unreadable):
        return Treated(cell, _fault(cell, outcome), cell.token, outcome.reason.value)
    assert_never(outcome)


def _fault(cell: Cell, outcome: Unreadable) -> Kind:
    """Return the fault; what a pass found corrupt stays so.

    A changed token is told from one of an unknown key by the hint of its row, which that pass took away.
    """
    return Kind.CORRUPT if cell.fault == Kind.CORRUPT.value else Kind(outcome.fault)
