"""A backup beside the database as it is: two streams of rows in the order of their keys, walked together.

Both are sorted: a backup's parts were written in the order of the primary key, and the database is asked in
that order. So a million rows are compared with a few in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import Column, Connection, Table, bindparam, select, tuple_

from practicus_mfa.storage.backup.read import Backup, DamagedBackupError

BATCH: Final = 1_000
"""Rows in memory at a time."""

Row = Mapping[Any, Any]
"""Values by the names of columns."""

Item = TypeVar("Item")


def kept_rows(backup: Backup, table: Table) -> Iterator[dict[str, Any]]:
    """Yield the rows that *backup* has of *table*, none where its program had no such table.

    Raises:
        DamagedBackupError: A part is not whole, or its rows are not in the order of their keys.
    """
    keys = tuple(column.name for column in table.primary_key)
    for part in (part for part in backup.manifest.parts if part.table == table.name):
        last: tuple[Any, ...] | None = None
        for row in backup.rows(part, table):
            key = tuple(row.get(name) for name in keys)
            if None in key or (last is not None and key <= last):
                raise DamagedBackupError(
                    backup.path, f"was edited in its part {part.name}: its rows are not in order"
                )
            last = key
            yield row


def rows_there(connection: Connection, table: Table, *columns: Column[Any]) -> Iterator[Row]:
    """Yield the *columns* of every row of *table* in the order of its key, which must be among them.

    They are read in pages, each beginning where the one before ended: no cursor stays open where whoever asks
    stops early.
    """
    keys = tuple(table.primary_key)
    query = select(*(columns or table.columns)).order_by(*keys).limit(BATCH)
    page = connection.execute(query).mappings().all()
    while page:
        yield from page
        last = [bindparam(None, page[-1][column], column.type) for column in keys]
        after = keys[0] > last[0] if len(keys) == 1 else tuple_(*keys) > tuple_(*last)
        page = connection.execute(query.where(after)).mappings().all()


def side_by_side(
    kept: Iterable[Row], there: Iterable[Row], key: Callable[[Row], Any]
) -> Iterator[tuple[Row | None, Row | None]]:
    """Yield rows that have the same *key* together, and each other one with ``None``, in the order of keys.

    Args:
        kept: Rows of a backup, ascending by *key*.
        there: Rows of the database, ascending by *key*.
        key: What a row is found by.
    """
    ours, theirs = iter(kept), iter(there)
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        if other is None or (one is not None and key(one) < key(other)):
            yield one, None
            one = next(ours, None)
        elif one is None or key(other) < key(one):
            yield None, other
            other = next(theirs, None)
        else:
            yield one, other
            one, other = next(ours, None), next(theirs, None)


def by_id(row: Row) -> int:
    """Return a row's id: what most tables are in the order of."""
    return int(row["id"])


def is_same(kept: Row | None, there: Row | None) -> bool:
    """Whether two rows of one id are the same user or factor: made at the same moment.

    Ids are counted up in every database, so another database has other people under the same ones.
    """
    if kept is None or there is None:
        return False
    return bool(kept.get("created_at") == there["created_at"])


def batches(rows: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield *rows* in lists of :data:`BATCH`."""
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch
