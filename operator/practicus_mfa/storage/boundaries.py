"""Where a table is cut: ids that the database itself finds, in the order of the id's own index.

So integers, texts in any collation and UUIDs are cut alike. The parts are open at both ends of the table:
rows that are added later, before the first or after the last id, belong to a part too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from practicus_mfa.storage.relations.cells import Relation
from practicus_mfa.storage.shards import Range

if TYPE_CHECKING:
    from sqlalchemy import Connection

# From one cut to the next the index is walked, and nothing is numbered or sorted: many times faster than a
# window function. The database compares the ids itself, so they need no type here.
_CUTS: Final = """
    WITH RECURSIVE cuts (id) AS (
        SELECT id FROM (SELECT {id} AS id FROM {table} ORDER BY {id} LIMIT 1 OFFSET {mark}) AS first_cut
        UNION ALL
        SELECT (SELECT {id} FROM {table} WHERE {id} > cuts.id ORDER BY {id} LIMIT 1 OFFSET {mark})
        FROM cuts WHERE cuts.id IS NOT NULL
    )
    SELECT CAST(id AS TEXT) FROM cuts WHERE id IS NOT NULL LIMIT {mark}
"""


def count_rows(connection: Connection, relation: Relation) -> int:
    """Return how many rows the table has, with or without a token."""
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {relation.table_sql}", ()).scalar_one())  # noqa: S608 - quoted names


def cut(connection: Connection, relation: Relation, *, rows: int, parts: int) -> tuple[Range, ...]:
    """Cut a table into at most so many *parts* with about as many rows each.

    One pass over the id's index. Rows that come or go meanwhile make parts a little larger or smaller.

    Args:
        connection: In a transaction that may only read.
        relation: The table.
        rows: How many it has.
        parts: How many parts are wanted, at least 1.
    """
    if parts <= 1 or rows <= 1:
        return ((None, None),)
    step = -(-rows // parts)
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    cuts = _CUTS.format(table=relation.table_sql, id=relation.id_sql, mark=mark)
    found = connection.exec_driver_sql(cuts, (step - 1, step - 1, parts - 1)).scalars()
    ids = [str(row_id) for row_id in found]
    return tuple(zip([None, *ids], [*ids, None], strict=True))
