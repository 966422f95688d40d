"""``practicus-mfa groups``: groups of users, which applications are told of and access rules ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import Column, output_option, show_rows
from practicus_mfa.cli.person import actor
from practicus_mfa.cli.target import Target
from practicus_mfa.settings import Form

if TYPE_CHECKING:
    from practicus_mfa.storage.transaction import Transaction

_COLUMNS: Final = (Column("GROUP", "group"), Column("MEMBERS", "members", right=True))


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
def create(target: Target, group: str) -> None:
    """Make the group GROUP."""
    from practicus_mfa.storage import audit
    from practicus_mfa.storage import groups as store

    with target.database.write() as connection:
        store.create(connection, group)
        audit.append(connection, actor(), "group.create", subject=group)
    click.echo(f"The group {group} was made.")


@groups.command()
@click.argument("group")
@target_options
def delete(target: Target, group: str) -> None:
    """Remove the group GROUP; its members stay users."""
    from practicus_mfa.storage import audit
    from practicus_mfa.storage import groups as store

    with target.database.write() as connection:
        store.remove(connection, group)
        audit.append(connection, actor(), "group.delete", subject=group)
    click.echo(f"The group {group} was removed.")


@groups.command()
@click.argument("group")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@target_options
def add(target: Target, group: str, names: Sequence[str]) -> None:
    """Make users members of GROUP."""
    from practicus_mfa.storage import groups as store

    members = _change(target, group, names, store.add, "group.add")
    click.echo(f"Members of {group} now: {members}.")


@groups.command()
@click.argument("group")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@target_options
def remove(target: Target, group: str, names: Sequence[str]) -> None:
    """Make users members of GROUP no more."""
    from practicus_mfa.storage import groups as store

    members = _change(target, group, names, store.take_out, "group.remove")
    click.echo(f"No members of {group} any more: {members}.")


def _change(
    target: Target,
    group: str,
    names: Iterable[str],
    change: Callable[[Transaction, str, Sequence[int]], None],
    action: str,
) -> str:
    """Change the membership of users; return their names as stored, which may differ from what was typed."""
    from practicus_mfa.storage import audit, users

    with target.database.write() as connection:
        members = [users.get(connection, name) for name in names]
        change(connection, group, [user.id for user in members])
        for user in members:
            audit.append(connection, actor(), action, subject=user.username, detail={"group": group})
    return ", ".join(user.username for user in members)
