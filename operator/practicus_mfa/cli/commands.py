"""Which commands there are. Each is imported when it is called: ``--help`` only reads a table."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final, NoReturn

import click
from click.shell_completion import CompletionItem

from practicus_mfa.cli import PROGRAM
from practicus_mfa.cli.invocation import Invocation
from practicus_mfa.errors import UsageError

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("practicus_mfa.cli.up:up", "Run the embedded platform on this machine."),
    "status": ("practicus_mfa.cli.status:status", "Show keys, rows and conditions."),
    "plan": ("practicus_mfa.cli.plan:plan", "Show what would be done now, and do nothing."),
    "keys": ("practicus_mfa.cli.keys:keys", "Make a key, list keys by their IDs."),
    "migrate": ("practicus_mfa.cli.migrate:migrate", "Re-encrypt rows with the active key."),
    "verify": ("practicus_mfa.cli.verify:verify", "Open every row with the active key alone."),
    "users": ("practicus_mfa.cli.users:users", "List, create, import and change users."),
    "groups": ("practicus_mfa.cli.groups:groups", "List and change groups of users."),
    "recover": ("practicus_mfa.cli.recover:recover", "Let a user in who is locked out."),
    "backup": ("practicus_mfa.cli.backup:backup", "Back up, check and restore the MFA tables."),
    "audit": ("practicus_mfa.cli.audit:audit", "Export, verify and prune the record of who did what."),
    "db": ("practicus_mfa.cli.db:db", "Set up and check the database."),
    "operator": ("practicus_mfa.cli.operator:operator", "Run the operator of a cluster."),
    "login": ("practicus_mfa.cli.login:login", "Run the login service."),
    "demo": ("practicus_mfa.cli.demo:demo", "Help with a data folder made for trying out."),
    "completion": ("practicus_mfa.cli.completion:completion", "Print a script for your shell's completion."),
}
"""Each command: where it is, and its line in the help."""


class Commands(click.Group):
    """The commands of the table, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command.

        Raises:
            UsageError: There is no such command; while a shell completes a line, ``None`` is returned.
        """
        entry = COMMANDS.get(cmd_name)
        try:
            if entry is None:
                # An option where a command belongs is click's to report.
                return None if cmd_name.startswith("-") else _no_such(cmd_name, ctx.find_root().command_path)
            return _imported(cmd_name, entry[0])
        except UsageError:
            if ctx.resilient_parsing:
                return None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what may stand here: commands from the table, or options."""
        names = [
            CompletionItem(name, help=line)
            for name, (_, line) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


def _no_such(name: str, program: str) -> NoReturn:
    from practicus_mfa.faults import nearest, shown

    closest = nearest(name, COMMANDS)
    remedy = f"did you mean {closest}?" if closest else f"{program} --help lists the commands"
    raise UsageError(f"there is no command {shown(name)}", remedy=remedy)


def _imported(name: str, where: str) -> click.Command:
    module, _, attribute = where.partition(":")
    try:
        command = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise UsageError(
            f"the command {name} is not part of this installation", remedy=f"install all of {PROGRAM}"
        ) from error
    assert isinstance(command, click.Command)  # noqa: S101  (a slip in the table, for whoever changes it)
    _take_debug(command)
    return command


def _take_debug(command: click.Command) -> None:
    """Let ``--debug`` stand at the end of a line too, where people add it when a command has failed."""
    if all(each.name != "debug" for each in command.params):
        command.params.append(debug_option(hidden=True))
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _take_debug(each)


def debug_option(*, hidden: bool) -> click.Option:
    """Return the option ``--debug``."""

    def note(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
        invocation = ctx.find_object(Invocation)
        if invocation is not None and value:
            invocation.debug = True

    return click.Option(
        ["--debug"],
        is_flag=True,
        # Before all else, so that a fault of another option is already shown with its traceback.
        is_eager=True,
        expose_value=False,
        hidden=hidden,
        callback=note,
        help="Add the traceback to an error.",
    )
