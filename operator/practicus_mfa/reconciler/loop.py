"""One pass: gather what is seen, decide, apply, publish. Nothing is remembered from one to the next.

The same pass serves a cluster and one machine; what differs is behind the ports.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from practicus_mfa.clock import Clock, utc_now
from practicus_mfa.core.decide import Plan, decide
from practicus_mfa.core.events import Event, events
from practicus_mfa.core.observed import DatabaseSeen, DatabaseUnreachable, Observed, WorkState
from practicus_mfa.core.parse.spec import effective, enforced
from practicus_mfa.core.spelling import migration_spelled
from practicus_mfa.core.status import Manifest, status
from practicus_mfa.errors import RetryableError
from practicus_mfa.reconciler.gather import Gathered, gather
from practicus_mfa.reconciler.ports import KeyringStore, Request, Workers
from practicus_mfa.reconciler.totals import RecentTotals
from practicus_mfa.storage.claims import guarded_write
from practicus_mfa.storage.counts import fold
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.faults import NoWritesError
from practicus_mfa.storage.policy_row import read_policy, save_policy

if TYPE_CHECKING:
    from practicus_mfa.reconciler.apply import Applier

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one pass saw, decided and did.

    Attributes:
        seen: The snapshot.
        plan: What was decided from it.
        status: The status to publish: what was true at the snapshot.
        events: What happened since the last published status.
        changed: An action took effect, so another pass should follow at once.
    """

    seen: Observed
    plan: Plan
    status: Manifest
    events: tuple[Event, ...]
    changed: bool


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """Runs passes over one policy's world.

    Attributes:
        db: The database, or why none can be asked.
        keyrings: Where the keyring is kept.
        workers: Who re-encrypts rows.
        clock: The time of snapshots.
    """

    db: Database | DatabaseUnreachable
    keyrings: KeyringStore
    workers: Workers
    clock: Clock = utc_now
    _totals: RecentTotals = field(default_factory=lambda: RecentTotals(time.monotonic))
    _failure_told: bool = False

    def look(self, request: Request) -> Pass:
        """Gather and decide, and change nothing at all: what ``plan`` and ``status`` show.

        Raises:
            UsageError: The keyring is damaged, or the database is not set up for this program.
        """
        gathered = self._gather(request)
        database = gathered.seen.database
        if isinstance(database, DatabaseSeen) and database.claim:
            ours = gathered.seen.identity
            # With the eyes of the process that acts for this policy: looking takes nothing over.
            if database.claim.same_policy(ours):
                gathered = replace(gathered, seen=replace(gathered.seen, identity=database.claim))
        return self._judged(request, gathered, decide(gathered.seen), changed=False)

    def run(self, request: Request) -> Pass:
        """Gather, decide and apply.

        Raises:
            UsageError: As with :meth:`look`.
        """
        gathered = self._gather(request)
        plan = decide(gathered.seen)
        changed = False
        try:
            changed = self._apply(request, gathered, plan)
        except NoWritesError as error:
            # What only reads can be looked at, so nothing else would say why no step follows.
            database = DatabaseUnreachable(f"{error.message} {error.remedy}")
            gathered = replace(gathered, seen=replace(gathered.seen, database=database))
            plan = decide(gathered.seen)
        except RetryableError as error:
            # Overtaken, or the database went away in between: the next pass sees what is true then.
            log.info("The pass was cut short: %s", error)
        return self._judged(request, gathered, plan, changed=changed)

    def _gather(self, request: Request) -> Gathered:
        return gather(request, self.db, self.keyrings, self.workers, clock=self.clock, totals=self._totals)

    def _apply(self, request: Request, gathered: Gathered, plan: Plan) -> bool:
        seen = gathered.seen
        if not isinstance(seen.database, DatabaseSeen) or isinstance(self.db, DatabaseUnreachable):
            return False
        # Who only looks need not wait for what it brings.
        from practicus_mfa.reconciler.apply import Applier

        applier = Applier(
            db=self.db,
            keyrings=self.keyrings,
            workers=self.workers,
            claim=seen.database.claim,
            keyring=seen.keyring,
            held=gathered.held,
            migration=seen.policy.migration,
            adopt=seen.adopt,
        )
        if seen.database.claim and seen.database.claim.owner == seen.identity.owner:
            _keep_house(request, applier)
        changed = False
        for action in plan.actions:
            if not applier.apply(action):
                break
            changed = True
        return changed

    def _judged(self, request: Request, gathered: Gathered, plan: Plan, *, changed: bool) -> Pass:
        seen = gathered.seen
        after = status(
            seen,
            plan,
            before=request.status,
            effective=effective(request.policy),
            work=seen.work.name,
        )
        told = events(request.status, after, seen.work, failed_before=self._failure_told)
        self._failure_told = seen.work.state is WorkState.FAILED
        return Pass(seen=seen, plan=plan, status=after, events=told, changed=changed)


def _keep_house(request: Request, applier: Applier) -> None:
    """Tell workers and log-in services of the policy, which they read in the database; sum up counts."""
    policy = request.policy
    in_force = {**enforced(policy), "migration": migration_spelled(policy.migration)}
    assert applier.claim is not None  # noqa: S101 - the caller looked
    with applier.db.read() as connection:
        present = read_policy(connection)
    # A pass that changes nothing takes no lock: workers would wait behind it.
    if not present or (present.generation, present.effective) != (request.generation, in_force):
        with guarded_write(applier.db, applier.claim) as connection:
            save_policy(connection, request.generation, in_force)
    # Differences that triggers have noted since, summed up: counting stays cheap.
    fold(applier.db)
