"""A command for a person to type next, on the place that this one worked on."""

from __future__ import annotations

import shlex

import click

from practicus_mfa.cli.invocation import invocation


def again(*words: str) -> str:
    """Return the command line of *words* for a shell, with the flags by which this command found its place.

    What the environment says of the place is not repeated: it says the same to the next command. No secret is
    in it, since none is taken from the arguments.
    """
    call = invocation()
    program = click.get_current_context().find_root().info_name or ""
    config = [] if call.config is None else ["--config", str(call.config)]
    return shlex.join([*program.split(), *config, *words, *call.place])
