"""``practicus-mfa recover``: break-glass, for who lost the second factor and for who lost the keys."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

import click

from practicus_mfa.cli.again import again
from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import note
from practicus_mfa.cli.person import actor
from practicus_mfa.cli.target import Target
from practicus_mfa.errors import MfaError, UnreachableError

if TYPE_CHECKING:
    from practicus_mfa.core.keyring import KeyId
    from practicus_mfa.login.recover import Backup, KeysLost
    from practicus_mfa.storage.recovery_archive import LockedOut

STANDARD_OUTPUT: Final = Path("-")


@click.command()
@click.option("--user", "name", required=True, metavar="NAME", help="Who is locked out.")
@click.option(
    "--backup",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write what is cleared to this new file, - for standard output.",
)
@click.option(
    "--keys-lost",
    is_flag=True,
    help="Both keys and the keyring are lost for good: let new keys be set up.",
)
@target_options
def recover(target: Target, name: str, file: Path | None, *, keys_lost: bool) -> None:
    """Clear a user's MFA: the password alone logs in, until the user has enrolled again.

    What is cleared is kept in the database first, encrypted as it is; practicus-mfa users restore-mfa NAME
    puts it back. A database of an earlier release has no place for it: there name a file with --backup.

    Needs the database and no key; the login service may be stopped.
    """
    from practicus_mfa.login import recover as recovering

    backup = None if file is None else _backup(file)
    lost = _keys_lost(target) if keys_lost else None
    done = recovering.recover(target.database, name, actor=actor(), backup=backup, keys_lost=lost)
    # Standard output is the backup's where it goes there.
    say = note if file == STANDARD_OUTPUT else click.echo
    user = done.user
    match done:
        case recovering.NothingToClear():
            say(f"The user {user.username} has no MFA: the password alone logs in. Nothing was cleared.")
        case recovering.Recovered(archived=archived):
            if file is not None and file != STANDARD_OUTPUT:
                say(f"Backup: {file}")
            say(f"The MFA of {user.username} was cleared: the password alone logs in until enrolled again.")
            if archived:
                note(f"To put it back: {again('users', 'restore-mfa', user.username)}")
        case _:
            assert_never(done)
    if keys_lost:
        _tell_of_key(done.lost_key)
    _tell_what_else_keeps_out(user)


def _backup(file: Path) -> Backup:
    from practicus_mfa.login.recovery_file import write_new

    return _print if file == STANDARD_OUTPUT else partial(write_new, file)


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        # Who reads it may be gone: that must be known before anything is changed for good.
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would be tried again at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise UnreachableError(
            f"The backup can't be written to standard output: {error.strerror}. Nothing was changed.",
            remedy="Name a file with --backup FILE, or see to what reads it.",
        ) from error


def _keys_lost(target: Target) -> KeysLost:
    """Return that keys are lost, and those that can be found all the same."""
    from practicus_mfa.login.recover import KeysLost

    try:
        return KeysLost(held=tuple(target.keys))
    except MfaError:
        return KeysLost()  # no keyring: as it was said


def _tell_of_key(lost: KeyId | None) -> None:
    if lost is None:
        note("No key was set up to write: there was none to forget.")
        return
    note(f"Key {lost} writes no more: put a new key into secretStore.activeKey and apply values.yaml.")


def _tell_what_else_keeps_out(user: LockedOut) -> None:
    if not user.is_active:
        note(f"The user is disabled: {again('users', 'enable', user.username)}")
    if not user.has_password:
        note(f"The user has no password: {again('users', 'set-password', user.username)}")
