"""Commands that must succeed: their output, or an error with what they wrote."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN_CHARACTERS: Final = 3000
"""Of the output's end, in a message."""


class CommandError(Exception):
    """A command failed; the message is the command and the end of what it wrote."""


def run(*command: str | Path) -> str:
    """Run a command and return its output.

    Raises:
        CommandError: It failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        wrote = f"{done.stdout}\n{done.stderr}".strip()[-_SHOWN_CHARACTERS:]
        raise CommandError(f"{' '.join(map(str, command))}\n{wrote}")
    return done.stdout
