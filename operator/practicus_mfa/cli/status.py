"""``practicus-mfa status``: keys, rows and conditions, as they are at this moment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import Column, output_option, printable, show_rows, show_tree
from practicus_mfa.cli.target import Target
from practicus_mfa.errors import EXIT_NEEDS_PERSON, EXIT_UNREACHABLE
from practicus_mfa.settings import Form

POLL: Final = 0.5
"""Seconds between two looks of ``--wait``."""

_COLUMNS: Final = (
    Column("CONDITION", "type"),
    Column("STATUS", "status"),
    Column("REASON", "reason"),
    Column("MESSAGE", "message"),
)


@click.command()
@target_options
@output_option
@click.option("--wait", is_flag=True, help="Wait until Ready (exit 0) or until a person is needed (exit 3).")
def status(target: Target, output: Form, wait: bool) -> None:
    """Show keys, rows and conditions as they are at this moment.

    Looks at the data folder and its database itself, so it is also true while the platform does not run.
    """
    from practicus_mfa.cli.platform import look
    from practicus_mfa.core.plan import For

    result = look(target)
    while wait and not result.plan.at_rest and result.plan.waits_for is not For.PERSON:
        time.sleep(POLL)
        result = look(target)
    if output == "table":
        print_status(result.status)
    else:
        show_tree(result.status, output)
    context = click.get_current_context()
    if wait and not result.plan.at_rest:
        context.exit(EXIT_NEEDS_PERSON)
    if result.plan.reason == "DatabaseUnreachable":
        context.exit(EXIT_UNREACHABLE)


def print_status(manifest: Mapping[str, object]) -> None:
    """Print a status for people."""
    for line in _head(manifest):
        click.echo(line)
    found = manifest.get("conditions")
    show_rows(found if isinstance(found, list) else [], _COLUMNS, "table")


def _head(manifest: Mapping[str, object]) -> list[str]:
    users, rotation = _section(manifest, "users"), _section(manifest, "rotation")
    lines = [
        f"Active key    {manifest.get('activeKeyID') or '-'}",
        f"Rolling key   {manifest.get('rollingKeyID') or '-'}",
        f"Users         {_counts(users)}",
    ]
    tables = manifest.get("tables")
    for table in tables if isinstance(tables, list) else []:
        rest = {name: count for name, count in table.items() if name != "table"}
        lines.append(f"Table         {printable(str(table.get('table')))}: {_counts(rest)}")
    if rotation:
        ended = f", completed {rotation['completedAt']}" if rotation.get("completedAt") else ""
        lines.append(
            f"Rotation      {rotation.get('id')}: {rotation.get('step')}, "
            f"{rotation.get('migrated'):,} migrated, {rotation.get('remaining'):,} left, "
            f"started {rotation.get('startedAt')}{ended}"
        )
    lines.append(f"As of         {manifest.get('lastScanTime', '-')}")
    return lines


def _counts(counts: Mapping[str, object]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if isinstance(count, int)) or "-"


def _section(manifest: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = manifest.get(name)
    return found if isinstance(found, dict) else {}
