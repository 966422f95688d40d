"""``practicus-mfa users create``, ``set-password`` and ``setup-link``: how a user comes to a password."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import note
from practicus_mfa.cli.person import actor, ask_password
from practicus_mfa.cli.target import Target

if TYPE_CHECKING:
    from practicus_mfa.login.setup_link import Issued

_password_file: Final = click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take the password from this file, - for standard input, instead of asking for it.",
)
_must_change: Final = click.option(
    "--must-change-password",
    "must_change",
    is_flag=True,
    help="The user chooses another password at the next log-in.",
)
_ORIGIN: Final = re.compile(r"(https?://[^\s/?#@]+)/?", re.ASCII | re.IGNORECASE)


def _checked_origin(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return an origin without the slash at its end; a link of anything else would lead nowhere."""
    if value is None:
        return None
    if found := _ORIGIN.fullmatch(value):
        return found[1]
    raise click.BadParameter("write it as https://login.example.com, without a path")


_origin: Final = click.option(
    "--origin",
    metavar="URL",
    callback=_checked_origin,
    help="How the login service is reached, as https://login.example.com; without it the path is printed.",
)


@click.command(short_help="Create a user.")
@click.argument("name")
@target_options
@click.option("--email", default="", help="The e-mail address.")
@click.option("--name", "full_name", default="", help="The person's name.")
@click.option("--staff", is_flag=True, help="Administers users.")
@click.option("--superuser", is_flag=True, help="Administers everything.")
@_password_file
@_must_change
@click.option("--no-password", is_flag=True, help="No password is accepted until one is set.")
@click.option("--setup-link", "link", is_flag=True, help="Print a link by which the user sets a password.")
@_origin
def create(
    target: Target,
    name: str,
    email: str,
    full_name: str,
    *,
    staff: bool,
    superuser: bool,
    password_file: Path | None,
    must_change: bool,
    no_password: bool,
    link: bool,
    origin: str | None,
) -> None:
    """Create the user NAME, and ask for a password, or print a link to set one."""
    from practicus_mfa.login import administer
    from practicus_mfa.storage.users import NewUser

    ways = {"--setup-link": link, "--no-password": no_password, "--password-file": password_file is not None}
    chosen = [way for way, given in ways.items() if given]
    if len(chosen) > 1:
        raise click.UsageError(f"{chosen[0]} and {chosen[1]} exclude each other")
    if must_change and (link or no_password):
        raise click.UsageError(f"{chosen[0]} and --must-change-password exclude each other")
    if origin is not None and not link:
        raise click.UsageError("--origin is of use with --setup-link alone")
    new = NewUser(username=name, email=email, name=full_name, is_staff=staff, is_superuser=superuser)
    if link:
        issued = administer.create_user_with_link(target.database, new, actor=actor())
        note(f"The user {issued.username} was created.")
        _show(issued, origin)
        return
    password = None if no_password else ask_password(name, password_file)
    user = administer.create_user(
        target.database, new, password=password, actor=actor(), must_change=must_change
    )
    click.echo(f"The user {user.username} was created.")


@click.command("set-password")
@click.argument("name")
@target_options
@_password_file
@_must_change
def set_password(target: Target, name: str, password_file: Path | None, *, must_change: bool) -> None:
    """Replace the password of the user NAME."""
    from practicus_mfa.login import administer
    from practicus_mfa.storage.users import get

    with target.database.read() as connection:
        get(connection, name)  # before a password is asked for
    password = ask_password(name, password_file)
    user = administer.set_password(target.database, name, password, actor=actor(), must_change=must_change)
    click.echo(f"The password of {user.username} was replaced.")


@click.command("setup-link", short_help="Make a link by which a user sets a password.")
@click.argument("name")
@target_options
@_origin
def setup_link(target: Target, name: str, origin: str | None) -> None:
    """Make a link by which the user NAME sets a password: once, within 24 hours.

    Give it to that person alone. Who has MFA is asked for a code as ever.
    """
    from practicus_mfa.login.setup_link import issue

    _show(issue(target.database, name, actor=actor()), origin)


def _show(issued: Issued, origin: str | None) -> None:
    note(f"Give this to {issued.username} alone; it is good once, for 24 hours.")
    click.echo(f"{origin or ''}{issued.path}")
