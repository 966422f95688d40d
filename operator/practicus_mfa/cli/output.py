"""Results: a table for people, JSON or YAML with stable names for programs.

Tables are drawn with rich on a terminal and as plain columns elsewhere, so that ``grep`` and ``awk`` see
words and no lines. Text from a database is shown with its control characters spelled out: a user name must
not be able to paint on an administrator's terminal.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any, Final, TypeVar

import click

from practicus_mfa.cli.invocation import invocation
from practicus_mfa.settings import FORMS, Form

Command = TypeVar("Command", bound=Callable[..., Any])

NOTHING: Final = "-"
"""Stands in a table for a value that is not there."""

_GAP: Final = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        title: What stands above it.
        name: The name of its values in JSON and YAML.
        right: Set at the right edge, as numbers are.
    """

    title: str
    name: str
    right: bool = False


def output_option(command: Command) -> Command:
    """Give a click callback the flag ``-o``, and its value as the keyword argument ``output``."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMS),
        default=lambda: invocation().settings.output or "table",
        show_default="table",
        help="How to print the result.",
    )(command)


def show_rows(
    rows: Iterable[Mapping[str, object]],
    columns: Sequence[Column],
    output: Form,
    *,
    empty: str = "There is nothing to show.",
) -> None:
    """Print rows: the *columns* of them as a table, all of them as JSON or YAML, a list in both.

    Args:
        rows: Names with values; JSON takes them one by one, however many there are.
        columns: What a table shows.
        output: The form.
        empty: What is said on standard error where a table would have no row.
    """
    match output:
        case "json":
            _write_json_list(rows)
        case "yaml":
            show_tree([dict(row) for row in rows], output)
        case "table":
            cells = [[cell(row.get(column.name)) for column in columns] for row in rows]
            if cells:
                _draw(columns, cells)
            else:
                note(empty)


def show_tree(tree: object, output: Form) -> None:
    """Print a whole result as JSON or YAML; the form ``table`` is its caller's own and not meant here."""
    if output == "json":
        click.echo(json.dumps(plain(tree), indent=2))
        return
    from practicus_mfa.documents import dump_yaml

    click.echo(dump_yaml(plain(tree), ascii_only=True), nl=False)


def note(text: str) -> None:
    """Tell the person something that is no part of the result."""
    click.echo(text, err=True)


def plain(value: object) -> object:
    """Return *value* as JSON and YAML have it; a moment as RFC 3339, a set sorted.

    Raises:
        TypeError: It is of a type that has no such form.
    """
    match value:
        case Enum():
            return plain(value.value)
        case None | bool() | int() | float() | str():
            return str(value) if isinstance(value, str) else value
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case PurePath():
            return str(value)
        case Mapping():
            return {str(name): plain(inside) for name, inside in value.items()}
        case set() | frozenset():
            return sorted((plain(each) for each in value), key=str)
        case Sequence() if not isinstance(value, bytes):
            return [plain(each) for each in value]
        case _:
            msg = f"a value of type {type(value).__name__} has no form in JSON"
            raise TypeError(msg)


def cell(value: object) -> str:
    """Return *value* for a table, in one line."""
    match value:
        case None | "":
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
        case str():
            return printable(value)
        case list() | tuple():
            return ", ".join(cell(each) for each in value) or NOTHING
        case _:
            return printable(str(plain(value)))


def printable(text: str) -> str:
    """Return *text* with what is not printable (control characters, changes of direction) spelled out."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text
    )


def _write_json_list(rows: Iterable[Mapping[str, object]]) -> None:
    before = "[\n  "
    for row in rows:
        sys.stdout.write(before + json.dumps(plain(row)))
        before = ",\n  "
    sys.stdout.write("[]\n" if before.startswith("[") else "\n]\n")


def _draw(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    if sys.stdout.isatty():
        _draw_with_rich(columns, cells)
        return
    lines = [[column.title for column in columns], *cells]
    widths = [max(_width(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        padded = (
            _pad(text, width, right=column.right)
            for text, width, column in zip(line, widths, columns, strict=True)
        )
        sys.stdout.write(_GAP.join(padded).rstrip() + "\n")


def _width(text: str) -> int:
    """Return how many columns of a terminal *text* takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def _pad(text: str, width: int, *, right: bool) -> str:
    blank = " " * (width - _width(text))
    return blank + text if right else text + blank


def _draw_with_rich(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for line in cells:
        # As Text: square brackets in a user's name are no markup.
        table.add_row(*(Text(text) for text in line))
    Console().print(table)
