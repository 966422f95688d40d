"""``practicus-mfa status``: keys, rows and conditions.

Of a data folder as they are at this moment, for nobody else may look; of a cluster as the operator published
them, so that the right to read the policy is enough. There the status may be older than what is asked for,
which is said. Waiting must not take an old Ready for the new one: where the policy does not name its keys,
the Secret is looked at too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import Column, note, output_option, printable, show_rows, show_tree
from practicus_mfa.cli.target import Target
from practicus_mfa.errors import EXIT_NEEDS_PERSON, EXIT_UNREACHABLE, UnreachableError
from practicus_mfa.settings import Form

if TYPE_CHECKING:
    from practicus_mfa.reconciler.cluster.policy_access import PolicyAccess

POLL: Final = 0.5
"""Seconds between two looks of ``--wait`` and ``--watch``; twice as many where an API server is asked."""

_COLUMNS: Final = (
    Column("CONDITION", "type"),
    Column("STATUS", "status"),
    Column("REASON", "reason"),
    Column("MESSAGE", "message"),
)


_COUNTS: Final = ("total", "enrolled", "active", "rolling", "unknown", "corrupt")
"""In the order in which people read them; an API server gives them back by the alphabet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one look found.

    Attributes:
        manifest: The status; empty where there is none yet.
        policy: Namespace and name, where it is a policy of a cluster.
        doubts: Why it may not be true now.
        ready: Everything asked for is in force.
        needs_person: Nothing goes on until a person has done something.
        unreachable: The database was out of reach.
    """

    manifest: Mapping[str, object]
    policy: str = ""
    doubts: tuple[str, ...] = ()
    ready: bool
    needs_person: bool
    unreachable: bool

    def same(self, other: Sight, output: Form) -> bool:
        """Whether both look the same in this form; that time went by is nothing."""
        return self.doubts == other.doubts and _shown(self.manifest, output) == _shown(other.manifest, output)


@click.command()
@target_options
@output_option
@click.option("--wait", is_flag=True, help="Wait until Ready (exit 0) or until a person is needed (exit 3).")
@click.option("-w", "--watch", is_flag=True, help="Print it again at each change, until interrupted.")
def status(target: Target, output: Form, wait: bool, watch: bool) -> None:
    """Show keys, rows and conditions.

    Looks at a data folder and its database itself, so it is also true while the platform does not run. Of a
    cluster it shows what the operator published, and says where that is not current.
    """
    look = _of_cluster(target, wait=wait) if target.in_cluster else _of_folder(target)
    seconds = 2 * POLL if target.in_cluster else POLL
    sight = shown = look()
    if watch:
        _show(sight, output)
    while not (wait and (sight.ready or sight.needs_person)) and (wait or watch):
        time.sleep(seconds)
        sight = _patiently(look, seconds)
        if watch and not sight.same(shown, output):
            _separate(output)
            _show(sight, output)
            shown = sight
    if not watch:
        _show(sight, output)
    context = click.get_current_context()
    if wait and not sight.ready:
        context.exit(EXIT_NEEDS_PERSON)
    if sight.unreachable:
        context.exit(EXIT_UNREACHABLE)


def _of_folder(target: Target) -> Callable[[], Sight]:
    from practicus_mfa.cli.platform import look
    from practicus_mfa.core.plan import For

    def sight() -> Sight:
        result = look(target)
        return Sight(
            manifest=result.status,
            ready=result.plan.at_rest,
            needs_person=result.plan.waits_for is For.PERSON,
            unreachable=result.plan.reason == "DatabaseUnreachable",
        )

    return sight


def _of_cluster(target: Target, *, wait: bool) -> Callable[[], Sight]:
    from practicus_mfa.clock import utc_now
    from practicus_mfa.core.published import Standing, database_unreachable, doubts, standing

    policy = target.policy
    assert policy is not None  # noqa: S101 - the caller looked

    def sight() -> Sight:
        found = policy.read()
        generation = found["metadata"]["generation"]
        published = _section(found, "status")
        stands = standing(published, generation)
        unseen = _unseen_key(policy, found) if wait and stands is Standing.READY else ""
        return Sight(
            manifest=published,
            policy=f"{policy.namespace}/{policy.name}",
            doubts=(*doubts(published, generation, utc_now()), *filter(None, [unseen])),
            ready=stands is Standing.READY and not unseen,
            needs_person=stands is Standing.NEEDS_PERSON,
            unreachable=database_unreachable(published),
        )

    return sight


def _unseen_key(policy: PolicyAccess, found: Mapping[str, Any]) -> str:
    """Return that the operator has not seen the key that is asked for; '' where it has."""
    asked = policy.asked_key(dict(found))
    if asked is None or asked == _section(found, "status").get("activeKeyID"):
        return ""
    return f"key {asked} in the Secret was not yet seen by the operator"


def _patiently(look: Callable[[], Sight], seconds: float) -> Sight:
    """Look again until there is an answer: an API server that restarts must not end a long wait."""
    told = False
    while True:
        try:
            return look()
        except UnreachableError as error:
            if not told:
                note(f"{error.message} Trying again.")
            told = True
            time.sleep(seconds)


def _show(sight: Sight, output: Form) -> None:
    if output == "table":
        print_status(sight.manifest, policy=sight.policy, doubts=sight.doubts)
        return
    show_tree(sight.manifest, output)
    for doubt in sight.doubts:
        note(f"Not current: {doubt}.")


def _separate(output: Form) -> None:
    """Keep two results apart; JSON needs nothing for that."""
    match output:
        case "table":
            click.echo()
        case "yaml":
            click.echo("---")
        case "json":
            pass


def print_status(manifest: Mapping[str, object], *, policy: str = "", doubts: tuple[str, ...] = ()) -> None:
    """Print a status for people.

    Args:
        manifest: The status; empty for none.
        policy: What it is the status of, where that is not clear anyway.
        doubts: Why it may not be true now.
    """
    if policy:
        click.echo(f"Policy        {printable(policy)}")
    for line in _head(manifest) if manifest else ():
        click.echo(line)
    for doubt in doubts:
        click.echo(f"Not current   {doubt}")
    found = manifest.get("conditions")
    if isinstance(found, list):
        show_rows(found, _COLUMNS, "table")


def _head(manifest: Mapping[str, object]) -> Iterator[str]:
    yield f"Active key    {manifest.get('activeKeyID') or '-'}"
    yield f"Rolling key   {manifest.get('rollingKeyID') or '-'}"
    yield f"Users         {_counts(_section(manifest, 'users'))}"
    tables = manifest.get("tables")
    for table in tables if isinstance(tables, list) else []:
        rest = {name: count for name, count in table.items() if name != "table"}
        yield f"Table         {printable(str(table.get('table')))}: {_counts(rest)}"
    rotation = _section(manifest, "rotation")
    if rotation:
        ended = f", completed {rotation['completedAt']}" if rotation.get("completedAt") else ""
        yield (
            f"Rotation      {rotation.get('id')}: {rotation.get('step')}, "
            f"{_count(rotation.get('migrated'))} migrated, {_count(rotation.get('remaining'))} left, "
            f"started {rotation.get('startedAt')}{ended}"
        )
    yield f"As of         {manifest.get('lastScanTime') or '-'}"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"


def _shown(manifest: Mapping[str, object], output: Form) -> object:
    """Return what is shown of *manifest*, but for the date of its counts."""
    undated = {name: value for name, value in manifest.items() if name != "lastScanTime"}
    if output != "table":
        return undated
    found = manifest.get("conditions")
    cells = (
        [[each.get(column.name) for column in _COLUMNS] for each in found] if isinstance(found, list) else []
    )
    return list(_head(undated)), cells


def _counts(counts: Mapping[str, object]) -> str:
    return (
        ", ".join(f"{counts[name]:,} {name}" for name in _COUNTS if isinstance(counts.get(name), int)) or "-"
    )


def _section(manifest: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = manifest.get(name)
    return found if isinstance(found, dict) else {}
