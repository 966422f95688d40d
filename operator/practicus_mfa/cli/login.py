"""``practicus-mfa login``: run a replica of the login service."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.errors import UsageError

if TYPE_CHECKING:
    from practicus_mfa.cli.target import Target


@click.command()
@target_options
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The names of `login` in values.yaml, and where to listen.",
)
@click.option(
    "--log-format",
    type=click.Choice(["json", "plain"]),
    default="json",
    show_default=True,
    help="One JSON object a line, or lines for a person.",
)
@click.option("--listener", type=int, hidden=True)
def login(target: Target, file: Path, log_format: Literal["json", "plain"], *, listener: int | None) -> None:
    """Run a replica of the login service, until it is told to end.

    Any number may run on the same database.
    """
    from practicus_mfa import logs
    from practicus_mfa.bootstrap import run_login

    logs.configure(sys.stderr, style=log_format)
    if target.in_cluster or target.keyring_file is None:
        # Keys come and go, so it is a file that is followed, not a Secret that was read once.
        raise UsageError(
            "the login service needs its database and its keyring",
            remedy="name them: --database-url-file FILE --keyring FILE, or --data-dir DIR",
        )
    run_login(
        file,
        database_url=target.database_url,
        keyring=target.keyring_file,
        pod=os.environ.get("POD_NAME"),
        listener=listener,
    )
