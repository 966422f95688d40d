"""``practicus-mfa keys``: make a key, list keys by their IDs. Keys themselves are printed once, when made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import Column, note, output_option, show_rows
from practicus_mfa.cli.target import Target
from practicus_mfa.core.keyring import KeyId, Keyring
from practicus_mfa.errors import MfaError
from practicus_mfa.settings import Form

MISSING: Final = "missing"
"""The state of a key that rows need and that the keyring does not hold."""

_COLUMNS: Final = (Column("KEY ID", "id"), Column("STATE", "state"), Column("ROWS", "rows", right=True))


@click.group()
def keys() -> None:
    """Make a key, list keys by their IDs."""


@keys.command()
def generate() -> None:
    """Print a new key, and nothing else.

    Put it into values.yaml as secretStore.activeKey, and the key that was there into rollingKey.
    """
    from practicus_mfa.crypto.keys import generate_key

    click.echo(generate_key().text)


@keys.command("list")
@target_options
@output_option
def list_(target: Target, output: Form) -> None:
    """List the keyring's keys: ID, state, and how many rows are under each.

    A key that rows are under and that the keyring does not hold is listed as missing. Without the database
    the keyring is listed alone.
    """
    keyring = target.keyring
    try:
        rows = _rows_by_key(target)
    except MfaError as error:
        note(f"Rows are not counted: {error.message}\nremedy: {error.remedy}")
        rows = None
    show_rows(_listed(keyring, rows), _COLUMNS, output, empty="The keyring is empty.")


def _rows_by_key(target: Target) -> Mapping[KeyId, int]:
    from practicus_mfa.storage.counts import read_counts

    with target.database.read() as connection:
        return read_counts(connection).by_key


def _listed(keyring: Keyring, rows: Mapping[KeyId, int] | None) -> Iterator[Mapping[str, object]]:
    for key, state in keyring.states.items():
        yield {"id": key, "state": state, "rows": None if rows is None else rows.get(key, 0)}
    for key, count in sorted((rows or {}).items()):
        if key not in keyring.states and count:
            yield {"id": key, "state": MISSING, "rows": count}
