"""``practicus-mfa backup``: the MFA tables into one file, encrypted rows as they are, and back."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import Column, note, output_option, show_rows, show_tree
from practicus_mfa.cli.person import actor
from practicus_mfa.cli.target import Target
from practicus_mfa.clock import utc_now
from practicus_mfa.errors import MfaError
from practicus_mfa.settings import Form

if TYPE_CHECKING:
    from practicus_mfa.storage.backup_format import Manifest

_COLUMNS: Final = (Column("TABLE", "table"), Column("ROWS", "rows", right=True))

_file: Final = click.argument("file", type=click.Path(path_type=Path))


@click.group()
def backup() -> None:
    """Back up, check and restore the MFA tables.

    The file holds encrypted rows as they are, and no key: keep the keys of the time with it.
    """


def new_backup(target: Target) -> Path:
    """Return the name of a new backup: in the data folder, or else in the working directory."""
    name = f"practicus-mfa-{utc_now():%Y%m%dT%H%M%S.%fZ}.zip"
    if target.folder is None:
        return Path(name)
    from practicus_mfa.files import make_private_folder

    folder = target.folder.root / "backups"
    make_private_folder(folder)
    return folder / name


@backup.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@target_options
@output_option
def create(target: Target, file: Path | None, output: Form) -> None:
    """Write a backup to the new FILE, readable by you alone.

    All of it is of one moment; log-ins and rotations go on meanwhile.
    """
    from practicus_mfa.storage import backup_write

    path = file or new_backup(target)
    _show(backup_write.create(target.database, path), path, output)


@backup.command()
@_file
@output_option
def verify(file: Path, output: Form) -> None:
    """Read the whole of a backup, and tell whether it is as it was written. Needs no database."""
    from practicus_mfa.storage import backup_read

    _show(backup_read.verify(file), file, output)


@backup.command()
@_file
@target_options
@click.option("--replace", is_flag=True, help="Remove the users that are there first.")
@output_option
def restore(target: Target, file: Path, *, replace: bool, output: Form) -> None:
    """Put the rows of a backup into the database, all of them or none.

    The database must have its tables (practicus-mfa db upgrade) and no users, unless --replace is given.
    """
    from practicus_mfa.storage import backup_restore

    manifest = backup_restore.restore(target.database, file, actor=actor(), replace=replace)
    _show(manifest, file, output)
    if missing := _missing_keys(target, manifest.keys):
        note(
            f"Rows may be under keys that the keyring does not hold: {', '.join(missing)}.\n"
            "remedy: name them as secretStore.rollingKey, one after the other; practicus-mfa status tells."
        )


def _missing_keys(target: Target, needed: Collection[str]) -> list[str]:
    """Return the *needed* keys that the keyring lacks; none where there is no keyring to look at."""
    try:
        held: Collection[str] = target.keys
    except MfaError:
        return []
    return sorted(key for key in needed if key not in held)


def _show(manifest: Manifest, path: Path, output: Form) -> None:
    rows = [{"table": part.table, "rows": part.rows} for part in manifest.parts]
    if output != "table":
        tree = {
            "file": path,
            "created_at": manifest.created_at,
            "schema": manifest.schema,
            "keys": manifest.keys,
            "tables": rows,
        }
        show_tree(tree, output)
        return
    show_rows(rows, _COLUMNS, output)
    click.echo(
        f"{path}: of {manifest.created_at:%Y-%m-%d %H:%M:%SZ}, keys {', '.join(manifest.keys) or 'none'}."
    )
