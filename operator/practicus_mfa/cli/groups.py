"""``practicus-mfa groups``: groups of users, which applications are told of and access rules ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import Column, output_option, show_rows
from practicus_mfa.cli.person import actor
from practicus_mfa.cli.target import Target
from practicus_mfa.settings import Form

if TYPE_CHECKING:
    from practicus_mfa.core.login.account import Person
    from practicus_mfa.login.acts.by import Author
    from practicus_mfa.storage.engine import Database
    from practicus_mfa.storage.transaction import Transaction

_COLUMNS: Final = (Column("GROUP", "group"), Column("MEMBERS", "members", right=True))
_MEMBERS: Final = (Column("USER", "username"), Column("NAME", "name"))
_AT_ONCE: Final = 1_000


@click.group()
def groups() -> None:
    """List and change groups of users."""


@groups.command("list")
@target_options
@output_option
def list_(target: Target, output: Form) -> None:
    """List groups with the number of their members."""
    from practicus_mfa.storage.groups import all_groups

    with target.database.read() as connection:
        found = all_groups(connection)
    rows = ({"group": name, "members": members} for name, members in found.items())
    show_rows(rows, _COLUMNS, output, empty="There is no group.")


@groups.command()
@click.argument("group")
@target_options
@output_option
def members(target: Target, group: str, output: Form) -> None:
    """List the members of GROUP, in the order of their user names."""
    show_rows(_members(target.database, group), _MEMBERS, output, empty=f"Nobody is in the group {group}.")


def _members(db: Database, group: str) -> Iterator[Mapping[str, object]]:
    from practicus_mfa.storage import group_members
    from practicus_mfa.storage.groups import NoSuchGroupError

    after: str | None = ""
    while after is not None:
        with db.read() as connection:
            page = group_members.members(connection, group, size=_AT_ONCE, after=after)
        if page is None:
            raise NoSuchGroupError(group)
        yield from ({"username": member.username, "name": member.name} for member in page.shown)
        after = page.after


@groups.command()
@click.argument("group")
@target_options
def create(target: Target, group: str) -> None:
    """Make the group GROUP."""
    from practicus_mfa.login import memberships
    from practicus_mfa.login.acts.by import Author

    with target.database.write() as connection:
        memberships.create(connection, Author(username=actor()), group)
    click.echo(f"The group {group} was made.")


@groups.command()
@click.argument("group")
@target_options
def delete(target: Target, group: str) -> None:
    """Remove the group GROUP; its members stay users."""
    from practicus_mfa.login import memberships
    from practicus_mfa.login.acts.by import Author

    with target.database.write() as connection:
        memberships.delete(connection, Author(username=actor()), group)
    click.echo(f"The group {group} was removed.")


@groups.command()
@click.argument("group")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@target_options
def add(target: Target, group: str, names: Sequence[str]) -> None:
    """Make users members of GROUP."""
    from practicus_mfa.login import memberships

    members = _change(target, group, names, memberships.add)
    click.echo(f"Members of {group} now: {members}.")


@groups.command()
@click.argument("group")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@target_options
def remove(target: Target, group: str, names: Sequence[str]) -> None:
    """Make users members of GROUP no more."""
    from practicus_mfa.login import memberships

    members = _change(target, group, names, memberships.remove)
    click.echo(f"No members of {group} any more: {members}.")


def _change(
    target: Target,
    group: str,
    names: Iterable[str],
    change: Callable[[Transaction, Author, str, Sequence[Person]], None],
) -> str:
    """Change the membership of users; return their names as stored, which may differ from what was typed."""
    from practicus_mfa.login.acts.by import Author
    from practicus_mfa.storage import users

    with target.database.write() as connection:
        members = [users.get(connection, name) for name in names]
        change(connection, Author(username=actor()), group, members)
    return ", ".join(user.username for user in members)
