"""``practicus-mfa up``: run the embedded platform."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable
from contextlib import nullcontext
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from practicus_mfa.cli import PROGRAM
from practicus_mfa.datafolder import DEFAULT, DataFolder
from practicus_mfa.errors import EXIT_DONE, EXIT_NEEDS_PERSON, EXIT_UNREACHABLE

if TYPE_CHECKING:
    from practicus_mfa.reconciler.embedded.login_port import LoginPort
    from practicus_mfa.reconciler.loop import Pass


LOOPBACK: Final = "127.0.0.1"

ENDING: Final = "Ending. Nothing is lost: {command} goes on from here."
AT_ONCE: Final = " Ctrl-C again ends at once."

login_port_option: Final = click.option(
    "--login-port",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Of the log-in page; 0: any.  [default: the first free one from 8080 on]",
)


def _address(_context: click.Context, _option: click.Parameter, value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        raise click.BadParameter("not an address; 0.0.0.0 means all of this machine's") from None


@click.command()
@click.option(
    "--values",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The values.yaml that the chart is installed with, too.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=Path(DEFAULT),
    show_default=f"./{DEFAULT}",
    metavar="DIR",
    help="Where users, keys and status are kept; made where it is not there.",
)
@click.option("--once", is_flag=True, help="End when all is Ready (0), or when a person is needed (3).")
@login_port_option
@click.option(
    "--login-address",
    default=LOOPBACK,
    show_default=True,
    metavar="ADDRESS",
    callback=_address,
    help="What the log-in page listens on, in plain HTTP: behind a proxy for login.host, or in a container, "
    "0.0.0.0.",
)
@click.option("--no-login", is_flag=True, help="Without the login service.")
def up(
    values: Path, data_dir: Path, *, once: bool, login_port: int | None, login_address: str, no_login: bool
) -> None:
    """Run the embedded platform: SQLite and local processes in place of a cluster.

    It reconciles what FILE asks for, again whenever FILE changes, and serves the log-in page, until it is
    interrupted.
    """
    from practicus_mfa.cli.status import print_status
    from practicus_mfa.reconciler.embedded.login_port import LoginPort

    with nullcontext() if once or no_login else LoginPort(login_port, login_address) as port:
        result = run_platform(DataFolder(data_dir), values, once=once, login_port=port)
    if result is None or not once:
        return
    print_status(result.status)
    code = _exit_code(result)
    if code:
        click.echo(f"error: {result.plan.reason}: {result.plan.message}", err=True)
    click.get_current_context().exit(code)


def _exit_code(result: Pass) -> int:
    if result.plan.at_rest:
        return EXIT_DONE
    return EXIT_UNREACHABLE if result.plan.reason == "DatabaseUnreachable" else EXIT_NEEDS_PERSON


def run_platform(
    folder: DataFolder,
    values: Path,
    *,
    once: bool,
    quiet: bool = False,
    login_port: LoginPort | None = None,
) -> Pass | None:
    """Run the embedded platform on *folder*, showing it at work; return its last pass.

    Args:
        folder: The data folder.
        values: The values.yaml to follow.
        once: End when there is nothing left to do.
        quiet: Show faults alone.
        login_port: The log-in page's port; ``None``: there is none.

    Raises:
        UsageError: *values* is not valid, or another platform runs on the folder.
        Abort: A signal came before a run with *once* was at its end.
    """
    from practicus_mfa.bootstrap import run_embedded
    from practicus_mfa.cli.watch import Silence, display
    from practicus_mfa.reconciler.embedded.platform import ended

    stop = _Stop()
    files = ["--values", str(values), "--data-dir", str(folder.root)]
    ending = ENDING.format(command=shlex.join([PROGRAM, "up", *files]))
    with nullcontext(Silence()) if quiet else display() as shown:
        result = run_embedded(
            folder,
            values,
            once=once,
            display=shown,
            stopping=lambda: stop.asked(lambda typed: shown.ending(ending + AT_ONCE * typed)),
            login_port=login_port,
        )
    if once and (result is None or not ended(result)):
        raise click.Abort
    return result


class _Stop:
    """Set by SIGINT and SIGTERM; a second one ends the program as usual."""

    def __init__(self) -> None:
        self._asked = self._told = self._typed = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._asked = True
        self._typed = number == signal.SIGINT
        signal.signal(number, signal.SIG_DFL)

    def asked(self, tell: Callable[[bool], None]) -> bool:
        """Return whether one came; the first to see that tells whether Ctrl-C was typed.

        It is told here, not when the signal comes: then the program may be in the middle of a line.
        """
        if self._asked and not self._told:
            self._told = True
            tell(self._typed)
        return self._asked
