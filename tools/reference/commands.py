"""The page of all commands: what each says with ``--help``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from practicus_mfa.cli import PROGRAM
from practicus_mfa.cli.main import root

WIDTH: Final = 110

HEAD: Final = """\
# All commands

What `--help` prints, command by command. This page is made from the program (`make reference`). Where a
command works, what it needs and how it ends stands in [the command line](command-line.md).
"""


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *_told(root, None, PROGRAM, level=2)])


def _told(command: click.Command, parent: click.Context | None, name: str, *, level: int) -> Iterator[str]:
    # The width is the page's, not that of the terminal that this runs in.
    context = click.Context(
        command,
        parent=parent,
        info_name=name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        **command.context_settings,
    )
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield f"{'#' * level} {context.command_path}\n\n```text\n{text}\n```\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None and not found.hidden:
                yield from _told(found, context, below, level=min(level + (parent is not None), 3))
