"""Compare-and-swap of a page: what was treated is written, and what changed meanwhile is treated again.

A row changes only where its token is still the one that was read. One that has another token by now (an
enrolment, another worker, the application itself) is read again, treated anew and tried again; one that is
gone, or was cleared, is none of ours any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.errors import RetryableError
from practicus_mfa.storage.relations.cells import Cells, Relation, Treat, Treated

if TYPE_CHECKING:
    from sqlalchemy import Connection

TRIES: Final = 20
"""How often a row that changes each time it is looked at is tried; any limit will do that ends."""


def settle(
    connection: Connection, relation: Relation, treated: Treated, *, treat: Treat, write_key: KeyId
) -> list[Treated]:
    """Write what was found out; return what is true of the cells that are still there.

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
            return [*settled, treated]
        present = relation.reread(connection, list(dict.fromkeys(changes.cells.ids)))
        kept, lost = _parted(treated, changes, present)
        settled.append(kept)
        treated = treat(lost)
    raise RetryableError(
        f"Rows of {relation.name} change faster than they can be re-encrypted.",
        remedy="Try again when the application that writes them is less busy.",
    )


def _parted(treated: Treated, changes: Treated, present: Cells) -> tuple[Treated, Cells]:
    """Return what stands as it was treated, and the cells that have another token by now."""
    meant = dict(zip(changes.cells.places, changes.tokens, strict=True))
    now = dict(zip(present.places, present.tokens, strict=True))
    kept = treated.only(
        [place not in meant or now.get(place) == meant[place] for place in treated.cells.places]
    )
    # A column of these rows that was empty before is none of the page's.
    lost = present.only([place in meant and now[place] != meant[place] for place in present.places])
    return kept, lost
