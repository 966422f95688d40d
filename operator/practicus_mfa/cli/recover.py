"""``practicus-mfa recover``: break-glass, for who lost the second factor and for who lost the keys."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

import click

from practicus_mfa.cli.backup import new_backup
from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import note
from practicus_mfa.cli.person import actor
from practicus_mfa.cli.target import Target


@click.command()
@click.option("--user", "name", required=True, metavar="NAME", help="Who is locked out.")
@click.option(
    "--backup",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to put the backup that is made first.",
)
@target_options
def recover(target: Target, name: str, file: Path | None) -> None:
    """Clear a user's MFA after a backup: the password alone logs in, until the user has enrolled again.

    Needs the database and no key.
    """
    from practicus_mfa.login import recover as recovering

    done = recovering.recover(target.database, name, backup=file or new_backup(target), actor=actor())
    match done:
        case recovering.NothingToClear(user=user):
            click.echo(f"The user {user.username} has no MFA: nothing was changed.")
        case recovering.Recovered(user=user, backup=backup):
            click.echo(f"Backup: {backup}")
            click.echo(
                f"The MFA of {user.username} was cleared: the password alone logs in until enrolled again."
            )
        case _:
            assert_never(done)
    if not done.user.is_active:
        note(f"The user is disabled: practicus-mfa users enable {done.user.username}")
    if not done.user.password_hash:
        note(f"The user has no password: practicus-mfa users set-password {done.user.username}")
