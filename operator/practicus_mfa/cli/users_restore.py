"""``practicus-mfa users restore-mfa``: what ``recover`` cleared is put back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import note
from practicus_mfa.cli.person import STANDARD_INPUT, actor
from practicus_mfa.cli.target import Target
from practicus_mfa.errors import MfaError

if TYPE_CHECKING:
    from practicus_mfa.core.keyring import KeyId


@click.command("restore-mfa", short_help="Put back the MFA that recover cleared.")
@click.argument("name")
@target_options
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take it from a file that recover --backup wrote, - for standard input.",
)
def restore_mfa(target: Target, name: str, file: Path | None) -> None:
    """Put back the MFA of the user NAME that practicus-mfa recover cleared last.

    The authenticator app is good again from its next code on, and so are recovery codes that were left. The
    user's sessions end. Who has enrolled meanwhile is left alone.
    """
    from practicus_mfa.login import restore_mfa as restoring
    from practicus_mfa.login.recovery_file import from_text

    given = None
    if file is not None:
        source = "standard input" if file == STANDARD_INPUT else str(file)
        given = from_text(_read(file), source=source)
    done = restoring.restore_mfa(target.database, name, actor=actor(), given=given)
    username = done.user.username
    click.echo(
        f"The MFA of {username}, as it was at {done.taken_at:%Y-%m-%d %H:%M:%SZ}, is there again: "
        f"the next code of the app, and {done.codes} recovery codes."
    )
    if missing := done.absent_keys | _not_held(target, done.keys):
        note(
            f"Its codes can't be checked until key {', '.join(sorted(missing))} is back: put it into "
            "secretStore.rollingKey. Recovery codes are good meanwhile."
        )


def _not_held(target: Target, keys: frozenset[KeyId]) -> frozenset[KeyId]:
    """Return those of the *keys* that the keyring lacks; none where there is no keyring to look at."""
    try:
        return keys - frozenset(target.keys)
    except MfaError:
        return frozenset()


def _read(file: Path) -> str:
    if file == STANDARD_INPUT:
        return sys.stdin.read()
    from practicus_mfa.files import read_text

    return read_text(file)
