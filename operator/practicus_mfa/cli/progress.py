"""How far a long work is: a bar on a terminal, a line at each tenth elsewhere. Both on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

Advance = Callable[[int], None]
"""Tells that so many more are done."""

_PARTS: Final = 10
"""Lines that a whole work writes where there is no terminal."""


@contextmanager
def progress(title: str, total: int) -> Iterator[Advance]:
    """Show how far a work is while the block runs.

    Args:
        title: What is done, a few words.
        total: How many there are to do; more or fewer may come.
    """
    if sys.stderr.isatty():
        with _bar(title, total) as advance:
            yield advance
    else:
        yield _lines(title, total)


def _lines(title: str, total: int) -> Advance:
    done = told = 0

    def advance(more: int) -> None:
        nonlocal done, told
        done += more
        part = _PARTS * done // total if total else _PARTS
        if part > told:
            told = part
            click.echo(f"{title}: {done:,} of {total:,}", err=True)

    return advance


@contextmanager
def _bar(title: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda more: bar.advance(task, more)
