"""What a worker does to the tokens of a page: cryptography for cells of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import OWN_TABLE
from practicus_mfa.crypto.faults import Reason
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.pages import PageEngine
from practicus_mfa.crypto.rows import SealedPage
from practicus_mfa.storage.relations.cells import Cells, Kind, Treat, Treated

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
    engine = PageEngine(keys, write_key)
    is_bound = relation == OWN_TABLE

    def treat(cells: Cells) -> Treated:
        owners = cells.owners if is_bound else None
        done = engine.rotate(SealedPage(tokens=cells.tokens, hints=cells.hints, owners=owners))
        kinds = dict.fromkeys(done.rotated, _MIGRATED)
        kinds.update(dict.fromkeys(done.current, _CURRENT))
        kinds.update((row, _fault(cells.faults[row], reason)) for row, reason in done.refused.items())
        # A row of which nothing is known would end the pass here: it must never count as current.
        return Treated(
            cells=cells,
            kinds=[kinds[row] for row in range(len(cells))],
            tokens=done.tokens,
            reasons=_reasons(done.refused, len(cells)),
        )

    return treat


def _reasons(refused: Mapping[int, Reason], count: int) -> list[str]:
    reasons = [""] * count
    for row, reason in refused.items():
        reasons[row] = reason.value
    return reasons


def _fault(known: str | None, reason: Reason) -> Kind:
    """Return the fault; what a pass found corrupt stays so.

    A changed token is told from one of an unknown key by the hint of its row, which that pass took away.
    """
    return Kind.CORRUPT if known == Kind.CORRUPT.value else Kind(reason.fault)
