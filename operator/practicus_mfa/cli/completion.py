"""Completion in shells: the script that asks this program what may come next."""

from __future__ import annotations

import click

from practicus_mfa.cli import PROGRAM
from practicus_mfa.cli.main import COMPLETION_VARIABLE, root

_WHERE = {
    "bash": f'eval "$({PROGRAM} completion bash)" in ~/.bashrc',
    "zsh": f'eval "$({PROGRAM} completion zsh)" in ~/.zshrc, after compinit',
    "fish": f"{PROGRAM} completion fish > ~/.config/fish/completions/{PROGRAM}.fish",
}


@click.command(epilog="\b\nTo keep it:\n" + "\n".join(f"  {line}" for line in _WHERE.values()))
@click.argument("shell", type=click.Choice(sorted(_WHERE)))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in your shell."""
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101  (click brings all three)
    script = complete(root, {}, PROGRAM, COMPLETION_VARIABLE)
    # Not script.source(): for bash that starts a bash, which need not be the one that will read this.
    click.echo(script.source_template % script.source_vars())
