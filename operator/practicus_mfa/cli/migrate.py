"""``practicus-mfa migrate``: re-encrypt rows; what a Job's pod and the embedded platform's processes run."""

from __future__ import annotations

import gc
import re
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import note
from practicus_mfa.cli.progress import progress
from practicus_mfa.cli.target import Target
from practicus_mfa.core.sharding import Share
from practicus_mfa.errors import EXIT_RETRY, SupersededError

if TYPE_CHECKING:
    from practicus_mfa.rotation.worker import Progress
    from practicus_mfa.storage.engine import Database


class ShareType(click.ParamType[Share]):
    """``I/N``: the I-th of N workers, counted from 1, or from 0 as an Indexed Job counts its pods."""

    name = "I/N"

    def __init__(self, first: int = 1) -> None:
        """Count from *first*."""
        self._first = first

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Share:
        """Read it."""
        if isinstance(value, Share):
            return value
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value), re.ASCII)
        if not found or not 0 <= int(found[1]) - self._first < int(found[2]):
            first = self._first
            self.fail(
                f"{value!r} is not I/N: the I-th of N workers, counted from {first}, for example {first}/4",
                param,
                ctx,
            )
        return Share(int(found[1]) - self._first, int(found[2]))


@click.command()
@target_options
@click.option("--shard", "share", type=ShareType(), help="Do the I-th of N shares alone.")
@click.option(
    "--indexed-shard",
    "indexed_share",
    type=ShareType(first=0),
    help="As --shard, counted from 0: $(JOB_COMPLETION_INDEX)/N in a Job.",
)
@click.option(
    "--keyring-generation",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="End with exit code 75, to be started again, if the keyring is older than this.",
)
def migrate(
    target: Target, share: Share | None, indexed_share: Share | None, keyring_generation: int
) -> None:
    """Re-encrypt rows from the rolling to the active key.

    Does what the rotation under way has planned and not done yet; it may be stopped and started again at
    any time, also several times at once. Told to stop (SIGTERM), it finishes its page and ends with exit code
    75 where something is left to do.
    """
    if share and indexed_share:
        raise click.UsageError("--shard and --indexed-shard say the same: give one of them.")
    signal.signal(signal.SIGTERM, _end_at_once)
    from practicus_mfa.rotation.pending import pending_jobs
    from practicus_mfa.rotation.worker import run_shards
    from practicus_mfa.storage.versions import check

    check(target.database)
    jobs = pending_jobs(target.database, share or indexed_share or Share())
    if not jobs:
        note("Nothing is planned: see practicus-mfa status.")
        return
    keyring = target.keyring
    if keyring.generation < keyring_generation:
        raise SupersededError(
            f"the keyring is of generation {keyring.generation}, older than {keyring_generation}",
            remedy="start again when the newer one has arrived",
        )
    asked = _stop_on_sigterm()
    # What is there by now stays to the end: looking for garbage among it, page after page, costs a twentieth.
    gc.freeze()
    for job in jobs:
        with progress(f"Rotation {job.rotation_id}, {job.mode}", _rows(target.database)) as advance:

            def told(page: Progress) -> None:
                tally = page.tally
                advance(tally.migrated + tally.current + tally.unknown + tally.corrupt)

            report = run_shards(
                target.database, target.keys, job, should_stop=lambda: bool(asked), on_progress=told
            )
        if not report.finished:
            raise _stopped()


def _rows(db: Database) -> int:
    from practicus_mfa.storage.counts import read_counts

    with db.read() as connection:
        return read_counts(connection).total


def _stopped() -> SupersededError:
    # A Job takes exit code 0 for "this share is done".
    return SupersededError(
        "this worker was told to stop before its share was done",
        remedy="start it again: it goes on where it stopped",
    )


def _end_at_once(_number: int, _frame: FrameType | None) -> None:
    """End before there is a page to finish: the first process of a container has no default for SIGTERM."""
    # No error of ours: a library might take that for one of its own.
    sys.exit(EXIT_RETRY)


def _stop_on_sigterm() -> list[int]:
    """Return a list that SIGTERM makes non-empty: the page at hand is finished first."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    signal.signal(signal.SIGTERM, ask)
    return asked
