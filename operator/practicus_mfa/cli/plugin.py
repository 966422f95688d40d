"""The program as a plugin of kubectl: ``kubectl mfa status``, and what may come next when Tab is pressed.

kubectl runs the executable ``kubectl-mfa`` with everything that stands behind ``mfa``, and for a completion
``kubectl_complete-mfa`` (https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

from click.shell_completion import CompletionItem, ShellComplete

from practicus_mfa.cli import PLUGIN
from practicus_mfa.cli.invocation import Invocation
from practicus_mfa.cli.main import COMPLETION_VARIABLE, root
from practicus_mfa.cli.main import main as run_program
from practicus_mfa.errors import MfaError

NO_FILES: Final = 4
FILES: Final = 0
"""What the shell is to propose besides (``ShellCompDirective`` of cobra, which kubectl is made with)."""


def main() -> NoReturn:
    """Run this process's command line as kubectl gave it."""
    run_program(PLUGIN)


def complete() -> None:
    """Print what may stand in place of this process's last argument, as kubectl wants it."""
    sys.stdout.write(proposals(sys.argv[1:]))


def proposals(arguments: Sequence[str]) -> str:
    """Return what may stand in place of the last of *arguments*: a line each, and at last the directive."""
    *before, incomplete = arguments or [""]
    try:
        # What stands behind the plugin's name is completed as behind the program's own.
        shell = ShellComplete(root, {"obj": Invocation(as_plugin=True)}, PLUGIN, COMPLETION_VARIABLE)
        found = shell.get_completions(list(before), incomplete)
    except MfaError:
        # A setting that can't be read is told when the command runs, not in the middle of typing.
        found = []
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: Iterable[CompletionItem]) -> Iterable[str]:
    files = False
    for item in found:
        if item.type == "plain":
            yield f"{item.value}\t{item.help}" if item.help else str(item.value)
        else:
            files = True
    yield f":{FILES if files else NO_FILES}"
