"""``practicus-mfa users``: list, create, import and change users.

Whoever is changed is named by user names; an unknown name among them, and nobody is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import Column, note, output_option, show_rows
from practicus_mfa.cli.person import actor
from practicus_mfa.cli.target import Target
from practicus_mfa.cli.users_create import create, set_password, setup_link
from practicus_mfa.cli.users_import import import_
from practicus_mfa.cli.users_list import list_
from practicus_mfa.cli.users_restore import restore_mfa
from practicus_mfa.errors import EXIT_NEEDS_PERSON
from practicus_mfa.settings import Form

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

_DONE: Final = (Column("USER", "username"), Column("RESULT", "result"))

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def users() -> None:
    """List, create, import and change users."""


users.add_command(list_)
users.add_command(import_)
users.add_command(create)
users.add_command(set_password)
users.add_command(setup_link)
users.add_command(restore_mfa)


def _named(command: Command) -> Command:
    """Give *command* one user name or more."""
    return click.argument("names", nargs=-1, required=True, metavar="NAME...")(command)


@users.command(short_help="Let users try again after too many wrong codes.")
@_named
@target_options
@output_option
def unlock(target: Target, names: Sequence[str], output: Form) -> None:
    """Let users try again who were stopped after too many wrong passwords or codes."""
    from practicus_mfa.login import administer

    db = target.database

    def results() -> Iterator[tuple[str, str]]:
        for username in _check_names(db, names):
            stopped = administer.unlock(db, username, actor=actor())
            yield username, "unlocked" if stopped else "was not stopped"

    _show(results(), output)


@users.command()
@_named
@target_options
@output_option
def disable(target: Target, names: Sequence[str], output: Form) -> None:
    """Keep users from logging in."""
    _set_active(target.database, names, output, active=False)


@users.command()
@_named
@target_options
@output_option
def enable(target: Target, names: Sequence[str], output: Form) -> None:
    """Let users log in again."""
    _set_active(target.database, names, output, active=True)


def _set_active(db: Database, names: Sequence[str], output: Form, *, active: bool) -> None:
    from practicus_mfa.login.administer import set_active

    word = "enabled" if active else "disabled"

    def results() -> Iterator[tuple[str, str]]:
        for username in _check_names(db, names):
            changed = set_active(db, username, active=active, actor=actor())
            yield username, word if changed else f"was {word} already"

    _show(results(), output)


@users.command("remove-mfa", short_help="Remove users' MFA.")
@_named
@target_options
@output_option
def remove_mfa(target: Target, names: Sequence[str], output: Form) -> None:
    """Remove users' MFA, also where no key opens it: they log in by password alone until enrolled again."""
    from practicus_mfa.login import administer

    db = target.database

    def results() -> Iterator[tuple[str, str]]:
        for username in _check_names(db, names):
            removed = administer.remove_mfa(db, username, actor=actor())
            yield username, "MFA removed" if removed else "had no MFA"

    _show(results(), output)


@users.command("migrate-key", short_help="Re-encrypt users' MFA with the active key now.")
@_named
@target_options
@output_option
def migrate_key(target: Target, names: Sequence[str], output: Form) -> None:
    """Re-encrypt users' MFA with the active key now, ahead of the rotation.

    Exits with 3 where the MFA of one of them can't be decrypted.
    """
    from practicus_mfa.login import migrate_key as migrating
    from practicus_mfa.rotation.treatment import treatment

    done = migrating.migrate_key(target.database, names, keys=target.keys, treatment=treatment, actor=actor())
    _show(((one.username, one.outcome) for one in done), output)
    undecryptable = [one for one in done if one.outcome is migrating.Migrated.UNDECRYPTABLE]
    if undecryptable:
        note(
            f"{len(undecryptable)} can't be decrypted: name the key that sealed it as "
            "secretStore.rollingKey, or remove the MFA with practicus-mfa users remove-mfa."
        )
        click.get_current_context().exit(EXIT_NEEDS_PERSON)


def _check_names(db: Database, names: Iterable[str]) -> list[str]:
    """Return the names as they are kept, each once.

    Raises:
        NoSuchUserError: There is no user of one of them.
    """
    from practicus_mfa.storage.users import get

    with db.read() as connection:
        return list(dict.fromkeys(get(connection, name).username for name in names))


def _show(results: Iterable[tuple[str, str]], output: Form) -> None:
    rows: Iterator[Mapping[str, object]] = (
        {"username": username, "result": result} for username, result in results
    )
    show_rows(rows, _DONE, output)
