"""``practicus-mfa audit``: what happened, as lines of JSON; whether it is whole; no more of what is old."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import note, output_option, show_tree
from practicus_mfa.cli.person import actor as who_acts
from practicus_mfa.cli.target import Target
from practicus_mfa.errors import UsageError
from practicus_mfa.settings import Form

if TYPE_CHECKING:
    from practicus_mfa.core.audit_chain import Head
    from practicus_mfa.storage.audit_verify import Verified


class _Moment(click.ParamType[datetime]):
    """A date, or a date and time; in UTC where it names no other zone."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-05-01 or 2026-05-01T12:30:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Head(click.ParamType["Head"]):
    """A head, as the status and the operator's log have it."""

    name = "head"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Head:
        from practicus_mfa.core.audit_chain import Head, parse_head

        if isinstance(value, Head):
            return value
        try:
            return parse_head(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group()
def audit() -> None:
    """Export, verify and prune the record of who did what.

    Each line is sealed within seconds: its hash depends on all lines before it.
    """


@audit.command()
@click.option("--actor", metavar="NAME", help="Who did it.")
@click.option("--action", metavar="NOUN.VERB", help="What was done.")
@click.option("--subject", metavar="NAME", help="To whom or what.")
@click.option("--result", metavar="TEXT", help="How it ended.")
@click.option("--since", type=_Moment(), metavar="TIME", help="At this time or later.")
@click.option("--until", type=_Moment(), metavar="TIME", help="Before this time.")
@target_options
def export(
    target: Target,
    *,
    actor: str | None,
    action: str | None,
    subject: str | None,
    result: str | None,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Print lines as JSON, one on each line, oldest first.

    Conditions are met together, names exactly. A line's place and hash are null while it is not sealed.
    """
    from practicus_mfa.storage.audit_list import Wanted, every

    wanted = Wanted(actor=actor, action=action, subject=subject, result=result, since=since, until=until)
    for placed in every(target.database, wanted):
        sys.stdout.write(placed.as_json() + "\n")


@audit.command(short_help="Tell whether a line was changed, removed or put in.")
@click.option("--head", type=_Head(), metavar="COUNT:HASH", help="A head that was kept elsewhere.")
@target_options
@output_option
def verify(target: Target, head: Head | None, output: Form) -> None:
    """Compute the chain again, and tell whether a line was changed, removed or put in.

    Who can write to the database can compute the whole chain anew. A head from the MfaPolicy's status, the
    operator's log or a backup shows that: every line up to it is as it was then, or it is not on the chain.
    """
    from practicus_mfa.cli.audit_sentences import faults, sentences
    from practicus_mfa.storage.audit_verify import verify as verified

    found = verified(target.database, head)
    if output == "table":
        for sentence in sentences(found, head):
            click.echo(sentence)
    else:
        show_tree(_tree(found, head), output)
    if found.first is not None:
        raise faults(found)


def _tree(found: Verified, given: Head | None) -> dict[str, object]:
    first = found.first
    return {
        "whole": first is None,
        "head": {"count": found.head.count, "hash": found.head.hash.hex()},
        "prunedUpTo": found.start.count,
        "checked": found.checked,
        "unsealed": found.unsealed,
        "headCompared": found.compared if given else None,
        "broken": found.broken,
        "first": first and {"fault": first.fault, "line": first.line, "position": first.position},
    }


@audit.command(short_help="Delete old lines for good.")
@click.option("--before", type=_Moment(), required=True, metavar="TIME", help="Lines of before this time go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--even-broken", is_flag=True, help="Also where lines were changed: what shows it goes too.")
@target_options
def prune(target: Target, before: datetime, *, yes: bool, even_broken: bool) -> None:
    """Delete old lines for good; the chain goes on from a checkpoint that stays.

    For the owner of the tables. Export the lines first, and keep the head that this command prints with them.
    """
    from practicus_mfa.cli.audit_sentences import faults
    from practicus_mfa.storage import audit_prune
    from practicus_mfa.storage.audit_verify import verify as verified

    db = target.database
    with db.read() as connection:
        what = audit_prune.prunable(connection, before)
    if what is not None:
        found = verified(db, until=what.head.count)
        if found.first is not None and not even_broken:
            raise faults(found, more="; --even-broken prunes all the same")
        _ask(what.lines, before, yes=yes)
        with db.write() as connection:
            # Asked again: somebody else may have pruned meanwhile.
            what = audit_prune.prunable(connection, before)
            if what is not None:
                audit_prune.write_checkpoint(connection, what, before=before, actor=who_acts())
    # Also what an earlier pruning that was cut short has left.
    gone = audit_prune.delete_pruned(db)
    if what is None and not gone:
        note(f"No sealed line is older than {before:%Y-%m-%d %H:%M:%SZ}: nothing was changed.")
        return
    click.echo(f"{gone:,} {'line was' if gone == 1 else 'lines were'} deleted.")
    if what is not None:
        click.echo(f"Head of what was deleted: {what.head}")


def _ask(count: int, before: datetime, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask at whether to delete lines",
            remedy="give --yes to delete them unasked",
        )
    what = (
        f"{count:,} {'line' if count == 1 else 'lines'} of before {before.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    )
    click.confirm(f"Delete {what}?", err=True, abort=True)
