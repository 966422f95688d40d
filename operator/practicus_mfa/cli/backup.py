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
    from practicus_mfa.storage.backup.manifest import Manifest
    from practicus_mfa.storage.backup.restore import Restored

_COLUMNS: Final = (Column("TABLE", "table"), Column("ROWS", "rows", right=True))

_file: Final = click.argument("file", type=click.Path(path_type=Path))


@click.group()
def backup() -> None:
    """Back up, check and restore the MFA tables.

    The file holds encrypted rows as they are, and no key. Keep the keys of that time too, in another place.
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
    from practicus_mfa.storage.backup import write
    from practicus_mfa.storage.backup.manifest import CONTAINS

    path = file or new_backup(target)
    _show(write.create(target.database, path), path, output, f"Backup {path}")
    note(CONTAINS)


@backup.command(short_help="Read the whole of a backup, and tell whether it is whole.")
@_file
@output_option
def verify(file: Path, output: Form) -> None:
    """Read the whole of a backup, and tell whether it is as it was written. Needs no database."""
    from practicus_mfa.storage.backup import read

    _show(read.verify(file), file, output, f"The backup {file} is whole")


@backup.command()
@_file
@target_options
@click.option("--replace", is_flag=True, help="Remove the users that are there, without asking.")
@click.option(
    "--raise-rights/--keep-rights",
    default=None,
    help="Whether users get rights of the backup that they lack now.  [default: ask]",
)
@click.option("--dry-run", is_flag=True, help="Only tell what it would overwrite.")
@output_option
def restore(
    target: Target, file: Path, *, replace: bool, raise_rights: bool | None, dry_run: bool, output: Form
) -> None:
    """Put the rows of a backup into the database, all of them or none.

    The database must have its tables (practicus-mfa db upgrade). Where it has users, what it would overwrite
    is told first, and asked for at a terminal; elsewhere --replace is needed.

    Everybody is logged out, and no code that was shown before works after it. Who was disabled or lost a role
    since the backup stays so unless that is asked for.
    """
    from practicus_mfa.cli import backup_comparison
    from practicus_mfa.storage.backup import compare
    from practicus_mfa.storage.backup import restore as backup_restore

    if dry_run or compare.has_users(target.database):
        comparison = compare.compare(target.database, file)
        if dry_run:
            backup_comparison.show(comparison, output)
            return
        backup_comparison.tell(comparison)
        there = comparison.users.both + comparison.users.database
        replace = replace or backup_comparison.may_replace(users=there)
        if replace and raise_rights is None:
            raise_rights = backup_comparison.may_raise_rights(comparison)
    done = backup_restore.restore(
        target.database, file, actor=actor(), replace=replace, raise_rights=bool(raise_rights)
    )
    _show(done.manifest, file, output, f"Restored, and everybody is logged out; the backup {file}")
    _note_what_is_left(done, _missing_keys(target, done.manifest.keys))


def _note_what_is_left(done: Restored, missing: Collection[str]) -> None:
    if done.lowered:
        note(
            f"Users who came back with fewer rights than they have in the backup: {done.lowered:,}.\n"
            "remedy: where they are to have them, restore once more with --raise-rights."
        )
    if not done.superusers:
        note(
            "There is no superuser who is active.\n"
            "remedy: make one: practicus-mfa users create NAME --superuser; or restore with --raise-rights."
        )
    if missing:
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


def _show(manifest: Manifest, path: Path, output: Form, done: str) -> None:
    from practicus_mfa.storage.backup.manifest import CONTAINS

    rows = [{"table": part.table, "rows": part.rows} for part in manifest.parts]
    if output != "table":
        tree = {
            "file": path,
            "created_at": manifest.created_at,
            "schema": manifest.schema,
            "contains": CONTAINS,
            "keys": manifest.keys,
            "audit_head": None if manifest.audit_head is None else str(manifest.audit_head),
            "tables": rows,
        }
        show_tree(tree, output)
        return
    show_rows(rows, _COLUMNS, output)
    keys = ", ".join(manifest.keys) or "none"
    click.echo(f"{done}: of {manifest.created_at:%Y-%m-%d %H:%M:%SZ}, keys {keys}.")
    if manifest.audit_head is not None:
        click.echo(f"Head of the audit: {manifest.audit_head}")
