"""``practicus-mfa db``: the tables of the database, and the rights of lesser roles on them."""

from __future__ import annotations

from contextlib import closing

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import output_option, show_tree
from practicus_mfa.cli.target import Target
from practicus_mfa.settings import Form


@click.group()
def db() -> None:
    """Set up and check the database."""


@db.command()
@target_options
def upgrade(target: Target) -> None:
    """Take the tables to what this program needs; make them where there are none.

    All or nothing, and nothing where nothing is needed. Make a backup first.
    """
    from practicus_mfa.storage import versions
    from practicus_mfa.storage.engine import connect

    with closing(connect(target.database_url, create=True)) as database:
        before = versions.upgrade(database)
    where, head = database.shown, versions.head()
    if before == head:
        click.echo(f"{where} is at step {head} already: nothing was changed.")
    else:
        click.echo(f"{where} was taken from {f'step {before}' if before else 'nothing'} to step {head}.")


@db.command()
@target_options
@output_option
def current(target: Target, output: Form) -> None:
    """Print the step that the tables are at, and the one that this program needs."""
    from practicus_mfa.storage import versions

    found, head = versions.current(target.database), versions.head()
    if output != "table":
        show_tree({"current": found, "head": head}, output)
        return
    click.echo(f"at step {found or 'none'}, this program needs {head}")


@db.command()
@target_options
def check(target: Target) -> None:
    """Exit with 0 where the tables are what this program needs, with 2 where they are older or newer."""
    from practicus_mfa.storage import versions

    versions.check(target.database)
    click.echo(f"{target.database.shown} is at step {versions.head()}, as this program needs it.")


@db.command()
@click.option("--owner", default="practicus_mfa_owner", show_default=True, help="Owns the schema.")
@click.option("--operator", default="practicus_mfa_operator", show_default=True, help="Decides.")
@click.option("--jobs", default="practicus_mfa_jobs", show_default=True, help="Re-encrypt rows.")
@click.option("--login", default="practicus_mfa_login", show_default=True, help="Logs users in.")
def grants(owner: str, operator: str, jobs: str, login: str) -> None:
    """Print SQL that makes lesser roles on PostgreSQL, for a person to read and run."""
    from practicus_mfa.storage.grants import Roles, grants_sql, setup_sql

    roles = Roles(owner=owner, operator=operator, jobs=jobs, login=login)
    click.echo(setup_sql(roles))
    click.echo(grants_sql(roles), nl=False)
