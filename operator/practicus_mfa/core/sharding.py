"""Shards: how many parts a table is cut into, and which of them each worker takes.

A part is a range of ids. Several workers never share one, so they never wait for each other's rows; a part
that is done stays done when a worker dies. Workers take parts in turn (worker 0 of 3 takes 0, 3, 6 …), so
that nobody has to hand them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from practicus_mfa.core.policy import MigrationRules

ROWS_PER_SHARD: Final = 50_000
"""Rows that one worker re-encrypts in about two seconds: what a part may cost to be worth its planning."""

MOST_SHARDS: Final = 512
"""A limit for huge tables: parts beyond it only make the plan longer."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of the work that is one worker's: it is number *index*, counted from 0, of *of* workers.

    Raises:
        ValueError: There is no such worker.
    """

    index: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        """Refuse a worker that there can't be."""
        if not 0 <= self.index < self.of:
            msg = f"there is no worker {self.index} of {self.of}: they are counted from 0 to {self.of - 1}"
            raise ValueError(msg)

    def takes(self, shard: int) -> bool:
        """Whether the shard with this number, counted from 0, is this worker's."""
        return shard % self.of == self.index


def shard_count(rows: int, rules: MigrationRules, *, one_writer: bool) -> int:
    """Return how many parts a table is cut into: at least 1, at most one for each row.

    Args:
        rows: The table's rows, with or without a token.
        rules: The policy's; its ``shards`` is taken as it is, 0 leaves the choice to the table's size.
        one_writer: The database has one writer at a time (SQLite): more workers would only wait in line.
    """
    return max(1, min(rows, rules.shards or _by_size(rows, rules, one_writer=one_writer)))


def _by_size(rows: int, rules: MigrationRules, *, one_writer: bool) -> int:
    """Choose a multiple of the workers, so that they end together; one part where that is no gain."""
    if one_writer or rows < 2 * rules.batch_size:
        return 1
    workers = max(1, min(rules.parallelism, MOST_SHARDS))
    turns = min(-(-rows // (ROWS_PER_SHARD * workers)), MOST_SHARDS // workers)
    return workers * turns
