"""The command line's entry, and how every error ends.

Whatever goes wrong leaves on standard error as one line of what is wrong and one of the remedy; ``--debug``
adds the traceback, and both are washed of passwords and keys on the way out.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from practicus_mfa import __version__
from practicus_mfa.cli import PLUGIN, PROGRAM
from practicus_mfa.cli.cluster import WHICH_CLUSTER
from practicus_mfa.cli.commands import Commands, debug_option
from practicus_mfa.cli.invocation import Invocation
from practicus_mfa.errors import EXIT_USAGE, MfaError

COMPLETION_VARIABLE: Final = "_PRACTICUS_MFA_COMPLETE"
"""Set by the shell's completion script: what to complete is asked of this very program."""

_EXAMPLE: Final = "USER:PASSWORD@"

EXIT_INTERNAL: Final = 1
EXIT_INTERRUPTED: Final = 130
"""128 + SIGINT: what shells report of a program that Ctrl-C ended."""

EXIT_PIPE_CLOSED: Final = 141
"""128 + SIGPIPE: the reader of the output went away."""


class Root(Commands):
    """The program: called as a whole, its errors end as the program's do, also where a test calls it."""

    def main(self, args: Sequence[str] | None = None, *_: object, **__: object) -> NoReturn:
        """Run, and leave the process with the exit code; click's further arguments have no meaning here."""
        sys.exit(run(sys.argv[1:] if args is None else list(args)))


def _configure(ctx: click.Context, _option: click.Parameter, value: Path | None) -> None:
    invocation = ctx.find_object(Invocation)
    if invocation is not None and value is not None:
        invocation.config = value


def _note_cluster(ctx: click.Context, option: click.Parameter, value: object) -> None:
    invocation = ctx.find_object(Invocation)
    if invocation is not None and value is not None:
        given: dict[str, Any] = {str(option.name): value}
        invocation.cluster = replace(invocation.cluster, **given)


def _version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"{ctx.find_root().info_name} {__version__}")
        ctx.exit()


root: Final = Root(
    PROGRAM,
    help="Multi-factor authentication with key rotation that never fails a log-in.",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        debug_option(hidden=False),
        click.Option(
            ["--config"],
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            expose_value=False,
            callback=_configure,
            help="Settings in YAML or TOML; flags and PRACTICUS_MFA_* variables win over it.",
        ),
        *(
            click.Option(list(names), **settings, expose_value=False, callback=_note_cluster)
            for names, settings in WHICH_CLUSTER
        ),
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show it."
        ),
    ],
    no_args_is_help=True,
)


def run(arguments: Sequence[str], *, program: str = PROGRAM) -> int:
    """Run one command line, errors included.

    Args:
        arguments: What stands after the program's name.
        program: What the user called.

    Returns:
        The exit code: 0 done, 1 an error of this program, or as :mod:`practicus_mfa.errors` has them.
    """
    if instruction := os.environ.get(COMPLETION_VARIABLE):
        return _complete(instruction)
    invocation = Invocation(as_plugin=program == PLUGIN)
    try:
        code = _invoke(arguments, invocation, program)
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_output()
        return EXIT_PIPE_CLOSED
    except (KeyboardInterrupt, click.Abort):
        click.echo("cancelled", err=True)
        return EXIT_INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_USAGE
    except click.ClickException as error:
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else program
        _report(invocation, error.format_message(), f"see {path} --help")
        return EXIT_USAGE
    except MfaError as error:
        _report(invocation, error.message, error.remedy)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  (the last line of defence: nobody is shown a bare traceback)
        _report(invocation, f"internal error ({type(error).__name__}), run again with --debug", None)
        return EXIT_INTERNAL
    return code


def _invoke(arguments: Sequence[str], invocation: Invocation, program: str) -> int:
    try:
        with root.make_context(program, list(arguments), obj=invocation) as ctx:
            root.invoke(ctx)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    return 0


def _report(invocation: Invocation, message: str, remedy: str | None) -> None:
    """Write the error that is being handled."""
    # Imported here: a command that goes well needs none of it.
    from traceback import format_exc

    from practicus_mfa.logs import redact

    lines = [f"error: {message}", *([f"remedy: {remedy}"] if remedy else [])]
    if invocation.debug:
        lines.insert(0, format_exc())
    # A remedy may show how a URL is written: that is no password.
    washed = _EXAMPLE.join(redact(part) for part in "\n".join(lines).split(_EXAMPLE))
    click.echo(washed, err=True)


def _abandon_output() -> None:
    """Keep the interpreter from complaining, at its end, of output that nobody takes."""
    # Where it is no file at all, nothing will be flushed.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complete(instruction: str) -> int:
    from click.shell_completion import shell_complete

    try:
        return shell_complete(root, {"obj": Invocation()}, PROGRAM, COMPLETION_VARIABLE, instruction)
    except MfaError:
        # A setting that can't be read is told when the command runs, not in the middle of typing.
        return EXIT_USAGE


GARBAGE_THRESHOLD: Final = 100_000
"""New objects between two looks for cyclic garbage; Python's own 700 is for programs that make much of it."""


def main(program: str = PROGRAM) -> NoReturn:
    """Run this process's command line; *program* is what the user called."""
    # Imports make many objects and no garbage: looking for it as often as usual takes a tenth of a start.
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        sys.exit(run(sys.argv[1:], program=program))
    finally:
        # As it ends, Python looks through everything for garbage once more, several times: another tenth.
        gc.freeze()
