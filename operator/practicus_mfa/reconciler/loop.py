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
from practicus_mfa.core.events import Event, changed_values, events
from practicus_mfa.core.observed import Claim, DatabaseSeen, DatabaseUnreachable, Observed, WorkState
from practicus_mfa.core.parse.spec import effective, published
from practicus_mfa.core.status import Manifest, status
from practicus_mfa.errors import RetryableError
from practicus_mfa.reconciler.gather import Gathered, gather
from practicus_mfa.reconciler.ports import KeyringStore, PolicyObject, Request, Workers
from practicus_mfa.reconciler.settings import Handled, handle_requests
from practicus_mfa.reconciler.totals import RecentTotals
from practicus_mfa.storage.audit_chain import seal
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
        answered: The settings page was answered: the policy may be another one by now.
    """

    seen: Observed
    plan: Plan
    status: Manifest
    events: tuple[Event, ...]
    changed: bool
    answered: bool = False

    @property
    def ours(self) -> bool:
        """Whether the database was this policy's and this process's when it was looked at."""
        database = self.seen.database
        return isinstance(database, DatabaseSeen) and _is_ours(database, self.seen.identity)


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """Runs passes over one policy's world.

    Attributes:
        db: The database, or why none can be asked.
        keyrings: Where the keyring is kept.
        workers: Who re-encrypts rows.
        clock: The time of snapshots.
        stored: The MfaPolicy, which the settings page changes; ``None``: its requests are left alone.
    """

    db: Database | DatabaseUnreachable
    keyrings: KeyringStore
    workers: Workers
    clock: Clock = utc_now
    stored: PolicyObject | None = None
    _totals: RecentTotals = field(default_factory=lambda: RecentTotals(time.monotonic))
    _failure_told: bool = False
    _values_told: dict[str, object] = field(default_factory=dict)

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
        changed, handled = False, Handled()
        try:
            gathered = self._sealed(gathered)
            changed = self._apply(request, gathered, plan)
            handled = self._handle_requests(gathered.seen)
        except NoWritesError as error:
            # What only reads can be looked at, so nothing else would say why no step follows.
            database = DatabaseUnreachable(f"{error.message} {error.remedy}")
            gathered = replace(gathered, seen=replace(gathered.seen, database=database))
            plan = decide(gathered.seen)
        except RetryableError as error:
            # Overtaken, or the database went away in between: the next pass sees what is true then.
            log.info("The pass was cut short: %s", error)
        answered = handled.count > 0
        result = self._judged(request, gathered, plan, changed=changed or answered)
        self._values_told |= handled.values
        return replace(result, events=(*result.events, *handled.events), answered=answered)

    def _gather(self, request: Request) -> Gathered:
        return gather(request, self.db, self.keyrings, self.workers, clock=self.clock, totals=self._totals)

    def _sealed(self, gathered: Gathered) -> Gathered:
        """Seal the audit; return the snapshot with its new end, which is what the status tells."""
        database = gathered.seen.database
        if not isinstance(database, DatabaseSeen) or isinstance(self.db, DatabaseUnreachable):
            return gathered
        if not _is_ours(database, gathered.seen.identity):
            return gathered
        # Replicas of the log-in service do so each second; where none runs, nobody else does.
        database = replace(database, audit_head=seal(self.db))
        return replace(gathered, seen=replace(gathered.seen, database=database))

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
        if _is_ours(seen.database, seen.identity):
            _keep_house(request, applier)
        changed = False
        for action in plan.actions:
            if not applier.apply(action):
                break
            changed = True
        return changed

    def _handle_requests(self, seen: Observed) -> Handled:
        """Answer the settings page; what it changes is seen by the next pass."""
        if self.stored is None or not isinstance(seen.database, DatabaseSeen):
            return Handled()
        claim = seen.database.claim
        if claim is None or isinstance(self.db, DatabaseUnreachable):
            return Handled()
        if not _is_ours(seen.database, seen.identity):
            return Handled()
        return handle_requests(self.db, claim, self.stored)

    def _judged(self, request: Request, gathered: Gathered, plan: Plan, *, changed: bool) -> Pass:
        seen = gathered.seen
        after = status(
            seen,
            plan,
            before=request.status,
            effective=effective(request.policy),
            work=seen.work.name,
        )
        told = events(
            request.status, after, seen.work, failed_before=self._failure_told, told=self._values_told
        )
        if changed_values(request.status, after):
            self._values_told = {}
        self._failure_told = seen.work.state is WorkState.FAILED
        return Pass(seen=seen, plan=plan, status=after, events=told, changed=changed)


def _is_ours(database: DatabaseSeen, identity: Claim) -> bool:
    """Whether this process acts for the policy in the database: it may act for others too."""
    claim = database.claim
    return claim is not None and claim.same_policy(identity) and claim.owner == identity.owner


def _keep_house(request: Request, applier: Applier) -> None:
    """Tell workers and log-in services of the policy, which they read in the database; sum up counts."""
    policy = request.policy
    in_force = published(policy)
    assert applier.claim is not None  # noqa: S101 - the caller looked
    with applier.db.read() as connection:
        present = read_policy(connection)
    # A pass that changes nothing takes no lock: workers would wait behind it.
    if not present or (present.generation, present.effective) != (request.generation, in_force):
        with guarded_write(applier.db, applier.claim) as connection:
            save_policy(connection, request.generation, in_force)
    # Differences that triggers have noted since, summed up: counting stays cheap.
    fold(applier.db)
