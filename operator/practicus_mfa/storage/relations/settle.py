"""Compare-and-swap of a page: what was treated is written, and what changed meanwhile is treated again.

A row changes only where its token is still the one that was read. One that has another token by now (an
enrolment, another worker, the application itself) is read again, treated anew and tried again; one that is
gone, or was cleared, is none of ours any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.errors import RetryableError
from practicus_mfa.storage.relations.cells import Cell, Relation, RowId, Treat, Treated

if TYPE_CHECKING:
    from sqlalchemy import Connection

TRIES: Final = 20
"""How often a row that changes each time it is looked at is tried; any limit will do that ends."""


def settle(
    connection: Connection, relation: Relation, treated: Sequence[Treated], *, treat: Treat, write_key: KeyId
) -> list[Treated]:
    """Write what was found out; return what is true of each cell that is still there.

    Args:
        connection: In a transaction of the one writer.
        relation: The table.
        treated: The page.
        treat: Treats what changed meanwhile.
        write_key: The key that new tokens are under.

    Raises:
        RetryableError: A row changed each time that it was looked at.
    """
    settled: list[Treated] = []
    for _ in range(TRIES):
        changes = relation.changes(treated, write_key)
        if not changes or relation.swap(connection, changes, write_key) == len(changes):
            return [*settled, *treated]
        kept, lost = _parted(treated, changes, _present(connection, relation, changes))
        settled += kept
        treated = treat(lost) if lost else []
    raise RetryableError(
        f"Rows of {relation.name} change faster than they can be re-encrypted.",
        remedy="Try again when the application that writes them is less busy.",
    )


_Place = tuple[RowId, int]


def _place(cell: Cell) -> _Place:
    return cell.id, cell.column


def _present(connection: Connection, relation: Relation, changes: Sequence[Treated]) -> dict[_Place, Cell]:
    ids = list(dict.fromkeys(change.cell.id for change in changes))
    return {_place(cell): cell for cell in relation.reread(connection, ids)}


def _parted(
    treated: Sequence[Treated], changes: Sequence[Treated], present: dict[_Place, Cell]
) -> tuple[list[Treated], list[Cell]]:
    """Return what stands as it was treated, and the cells that have another token by now."""
    kept: list[Treated] = []
    lost: list[Cell] = []
    changed = {_place(change.cell) for change in changes}
    for done in treated:
        place = _place(done.cell)
        now = present.get(place)
        if place not in changed or (now is not None and now.token == done.token):
            kept.append(done)
        elif now is not None:
            lost.append(now)
    return kept, lost
