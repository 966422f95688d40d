"""Showing the embedded platform at work: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from practicus_mfa.cli.output import printable
from practicus_mfa.core.conditions import Condition, Truth, conditions
from practicus_mfa.core.events import Event
from practicus_mfa.core.observed import DatabaseSeen
from practicus_mfa.core.status import Manifest
from practicus_mfa.errors import MfaError
from practicus_mfa.reconciler.embedded.platform import Display
from practicus_mfa.reconciler.loop import Pass

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

TENTHS: Final = 10
"""Plain lines tell of progress at each tenth."""


@contextmanager
def display() -> Iterator[Display]:
    """Give what suits standard output."""
    if not sys.stdout.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        yield Screen(console, live.update)


def progress_of(result: Pass) -> tuple[int, int]:
    """Return how many rows are under the active key, and how many there are to bring under it."""
    database = result.seen.database
    if not isinstance(database, DatabaseSeen):
        return 0, 0
    counts = database.counts
    total = counts.total - counts.unknown - counts.corrupt
    return total - counts.awaiting(database.write_key), total


class Silence:
    """Shows faults alone."""

    def show(self, result: Pass) -> None:
        """Show nothing."""

    def note(self, line: str) -> None:
        """Show nothing."""

    def ending(self, line: str) -> None:
        """Show nothing."""

    def fault(self, error: MfaError) -> None:
        """Tell of a file that is not valid."""
        tell_fault(error)


class Lines:
    """Writes a line for each event, each tenth of a rotation, and each change of Ready."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self._ready = ""
        self._tenth = -1

    def show(self, result: Pass) -> None:
        """Tell what is new in a pass."""
        for event in result.events:
            _line(result, event.reason, event.message, warning=event.warning)
        self._progress(result)
        ready = conditions(result.seen, result.plan)[0]
        told = f"{ready.status} {ready.reason} {ready.message}"
        summary = ready.status is Truth.TRUE or ready.reason not in ("Progressing", "Migrating", "Verifying")
        if told != self._ready and summary:
            _line(result, f"Ready={ready.status}", f"{ready.reason}: {ready.message}")
        self._ready = told

    def _progress(self, result: Pass) -> None:
        done, total = progress_of(result)
        if done == total:
            self._tenth = -1
        elif done * TENTHS // total != self._tenth:
            self._tenth = done * TENTHS // total
            _line(result, "Progress", f"{done:,} of {total:,} rows are under the active key.")

    def fault(self, error: MfaError) -> None:
        """Tell of a file that is not valid."""
        tell_fault(error)

    def note(self, line: str) -> None:
        """Write the line."""
        click.echo(printable(line))

    def ending(self, line: str) -> None:
        """Write the line."""
        self.note(line)


def _line(result: Pass, reason: str, message: str, *, warning: bool = False) -> None:
    sign = "!" if warning else " "
    click.echo(f"{result.seen.now:%H:%M:%S} {sign} {reason:<20} {printable(message)}")


def tell_fault(error: MfaError) -> None:
    """Write an error that does not end the program."""
    click.echo(f"error: {error.message}\nremedy: {error.remedy}\nWhat was in force stays in force.", err=True)


class Screen:
    """Draws a live table; events scroll by above it."""

    def __init__(self, console: Console, update: Callable[[RenderableType], None]) -> None:
        """Draw on *console*, the table through *update*."""
        self._console = console
        self._update = update

    def show(self, result: Pass) -> None:
        """Draw a pass."""
        for event in result.events:
            self._console.print(_event_text(event))
        self._update(panel(result))

    def fault(self, error: MfaError) -> None:
        """Tell of a file that is not valid, above the table."""
        self._console.print(f"error: {error.message}\nremedy: {error.remedy}", style="red", markup=False)

    def note(self, line: str) -> None:
        """Write the line above the table."""
        # A command or an address in it can be copied: the terminal breaks the line, not we.
        self._console.print(line, style="bold", markup=False, highlight=False, soft_wrap=True)

    def ending(self, line: str) -> None:
        """Write the line above the table, and give the terminal its cursor back."""
        self.note(line)
        self._console.show_cursor()


def _event_text(event: Event) -> RenderableType:
    from rich.text import Text

    return Text.assemble((f"{event.reason:<20} ", "bold yellow" if event.warning else "bold"), event.message)


def panel(result: Pass) -> RenderableType:
    """Return the whole picture of a pass: conditions, numbers, and a bar while rows are moved."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    done, total = progress_of(result)
    parts: list[RenderableType] = [condition_table(conditions(result.seen, result.plan))]
    parts.append(Text(numbers(result.status)))
    if done < total:
        parts += [ProgressBar(total=total, completed=done, width=60), Text("")]
    return Group(*parts)


def condition_table(found: Sequence[Condition]) -> Table:
    """Return the conditions as a table."""
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for title in ("Condition", "Status", "Reason", "Message"):
        table.add_column(title, overflow="fold")
    for condition in found:
        status = Text(str(condition.status), style=_style(condition))
        table.add_row(condition.type, status, str(condition.reason), Text(condition.message))
    return table


UNDER_WAY: Final = frozenset(
    {"Progressing", "Migrating", "Verifying", "RowsRemain", "ReadersRemain", "WaitingForReaders"}
)
"""Reasons that pass by themselves, as a rule."""

BAD_WHEN_TRUE: Final = frozenset({"Reconciling", "Stalled"})


def _style(condition: Condition) -> str:
    if condition.status is Truth.UNKNOWN or condition.reason in UNDER_WAY:
        return "yellow"
    if condition.reason == "NoRollingKey":
        return "dim"
    good = (condition.status is Truth.TRUE) != (condition.type in BAD_WHEN_TRUE)
    return "green" if good else "red"


def numbers(status: Manifest) -> str:
    """Return the status's keys and counts in a line."""
    users = status.get("users")
    counts = users if isinstance(users, Mapping) else {}
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    keys = f"active key {status.get('activeKeyID') or '-'}, rolling key {status.get('rollingKeyID') or '-'}"
    return f"{keys}, keyring generation {status.get('keyringGeneration', '-')}\nusers: {shown or '-'}"
