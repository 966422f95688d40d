"""``practicus-mfa verify``: open every row under the active key alone; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import Column, note, output_option, show_rows
from practicus_mfa.cli.progress import progress
from practicus_mfa.cli.target import Target
from practicus_mfa.errors import EXIT_NEEDS_PERSON, UsageError
from practicus_mfa.settings import Form

if TYPE_CHECKING:
    from practicus_mfa.core.policy import TableSpec
    from practicus_mfa.crypto.keys import FernetKey
    from practicus_mfa.storage.engine import Database

_COLUMNS = (Column("TABLE", "table"), Column("ROW", "row"), Column("WHY", "why"))


@click.command()
@target_options
@output_option
def verify(target: Target, output: Form) -> None:
    """Open every row with the active key alone, and list the rows that it does not open.

    Exits with 3 where there is such a row. Nothing is written.
    """
    from practicus_mfa.rotation.proof import prove
    from practicus_mfa.storage.counts import read_counts
    from practicus_mfa.storage.versions import check

    db = target.database
    check(db)
    key = _active_key(target)
    with db.read() as connection:
        total = read_counts(connection).total
    opened = failed = 0

    def rows() -> Iterator[Mapping[str, object]]:
        nonlocal opened, failed
        with progress("Opening rows", total) as advance:
            for page in prove(db, key, _tables(db)):
                opened += page.opened
                failed += len(page.failed)
                advance(page.opened + len(page.failed))
                for row, why in page.failed:
                    yield {"table": page.relation, "row": row, "why": why}

    found = list(rows()) if output != "json" else rows()
    if output == "table" and not found:
        which = "The token opens" if opened == 1 else f"All {opened:,} tokens open"
        click.echo(f"{which} under the active key {key.id}.")
        return
    show_rows(found, _COLUMNS, output)
    if failed:
        note(f"{failed:,} of {opened + failed:,} tokens do not open under the active key {key.id}.")
        click.get_current_context().exit(EXIT_NEEDS_PERSON)


def _active_key(target: Target) -> FernetKey:
    from practicus_mfa.storage.writer import read_write_key

    with target.database.read() as connection:
        active = read_write_key(connection)
    if active is None:
        raise UsageError(
            "no key writes yet",
            remedy="let the operator make its first pass; practicus-mfa status tells how that stands"
            if target.in_cluster
            else "run practicus-mfa up first",
        )
    if active not in target.keys:
        raise UsageError(
            f"the keyring does not hold the active key {active}",
            remedy="name another one with --keyring FILE",
        )
    return target.keys[active]


def _tables(db: Database) -> tuple[TableSpec, ...]:
    from practicus_mfa.rotation.pending import rules_in_force

    return rules_in_force(db).tables
