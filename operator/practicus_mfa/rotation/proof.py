"""The proof: every row is opened under the active key alone, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.core.policy import TableSpec
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.relations.cells import Kind, Relation, Span, Treated
from practicus_mfa.storage.relations.resolve import resolve_all

PAGE_ROWS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """A page: how many tokens the active key opened, and which it did not.

    Attributes:
        relation: The table.
        opened: Tokens that opened.
        failed: Tokens that did not, each as row id and reason.
    """

    relation: str
    opened: int
    failed: tuple[tuple[str, str], ...]


def prove(db: Database, key: FernetKey, tables: Sequence[TableSpec]) -> Iterator[Proved]:
    """Open every row of our table and of *tables* with *key*, page by page.

    Raises:
        UsageError: A table is not as the policy says.
        UnreachableError: The database can't be used at the moment.
    """
    names = (OWN_TABLE, *(spec.table for spec in tables))
    with db.read() as connection:
        relations = resolve_all(connection, names, tables)
    for relation in relations:
        yield from _prove_table(db, key, relation)


def _prove_table(db: Database, key: FernetKey, relation: Relation) -> Iterator[Proved]:
    treat = treatment(relation.name, HeldKeys([key]), key.id)
    after: str | None = None
    more = True
    while more:
        with db.read() as connection:
            span = Span(after=after, upper=None, limit=PAGE_ROWS)
            page = relation.read(connection, span, Mode.VERIFY, key.id)
        treated = treat(page.cells)
        failed = treated.only([kind is not Kind.CURRENT for kind in treated.kinds])
        yield Proved(
            relation=relation.name, opened=len(treated) - len(failed), failed=tuple(_reasons(failed, key))
        )
        after, more = page.last, page.more


def _reasons(failed: Treated, key: FernetKey) -> Iterator[tuple[str, str]]:
    for row_id, hint, reason in zip(failed.cells.ids, failed.cells.hints, failed.reasons, strict=True):
        yield str(row_id), reason if hint in (None, key.id) else f"under key {hint}"
