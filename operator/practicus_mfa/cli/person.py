"""The person at the command line: who they are for the audit, and the passwords that they type."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Final

import click

from practicus_mfa.core.usernames import COMMAND_LINE
from practicus_mfa.errors import UsageError

STANDARD_INPUT: Final = Path("-")

_NO_TERMINAL: Final = "there is no terminal to ask for the password at"


def actor() -> str:
    """Return who acts, for the audit: the user of this machine."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a number that has no name.
        name = f"uid {os.getuid()}"
    return f"{COMMAND_LINE}{name}"


def ask_password(username: str, file: Path | None) -> str:
    """Return a new password: the first line of *file*, or what is typed twice at the terminal.

    Raises:
        UsageError: *file* can't be read or is empty, or there is no terminal.
    """
    if file is not None:
        return _first_line(file)
    if not sys.stdin.isatty():
        raise UsageError(_NO_TERMINAL, remedy="give it with --password-file FILE, - for standard input")
    prompt = f"Password of {username}"
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True))


def _first_line(file: Path) -> str:
    if file == STANDARD_INPUT:
        text, source = sys.stdin.read(), "standard input"
    else:
        from practicus_mfa.files import read_text

        text, source = read_text(file), str(file)
    # Not splitlines(): it would cut at characters that a password may have.
    lines = text.replace("\r\n", "\n").split("\n")
    if any(lines[1:]):
        raise UsageError(f"{source} has more than one line", remedy="put nothing but the password into it")
    if not lines[0]:
        raise UsageError(f"there is no password in {source}", remedy="put the password into its first line")
    return lines[0]
