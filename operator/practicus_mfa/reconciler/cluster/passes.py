"""Passes over one policy in a cluster: read what it refers to, reconcile, publish.

What is kept between two passes (a connection, the last status) only saves work; the truth is read anew. A
pass without anything to do reads two Secrets, the one with the keys and the keyring, and writes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from practicus_mfa.clock import Clock
from practicus_mfa.core.manifests import ADOPT
from practicus_mfa.core.observed import Claim, DatabaseSeen, DatabaseUnreachable, WorkState
from practicus_mfa.core.plan import For, NudgeReaders
from practicus_mfa.core.policy import Policy
from practicus_mfa.core.status import Manifest, misconfigured_status
from practicus_mfa.errors import UsageError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import ForbiddenError
from practicus_mfa.kube.objects import NAMESPACES, POLICIES, SECRETS, Tree
from practicus_mfa.reconciler.cluster.config import OperatorConfig
from practicus_mfa.reconciler.cluster.database import PolicyDatabase
from practicus_mfa.reconciler.cluster.jobs import JobWorkers
from practicus_mfa.reconciler.cluster.keyring_secrets import KeyringSecrets
from practicus_mfa.reconciler.cluster.metrics import Metrics
from practicus_mfa.reconciler.cluster.policies import Policies
from practicus_mfa.reconciler.cluster.publish import Publisher
from practicus_mfa.reconciler.cluster.queue import Key
from practicus_mfa.reconciler.cluster.request import request_from, spec_of
from practicus_mfa.reconciler.cluster.request_look import RequestLook, pause
from practicus_mfa.reconciler.cluster.stored_policy import StoredInCluster
from practicus_mfa.reconciler.loop import Pass, Reconciler
from practicus_mfa.storage.engine import Database

AT_WORK: Final = 1.0
"""Seconds between two looks while rows are moved."""

NUDGED: Final = 2.0
"""Seconds between two looks, and nudges, while readers are waited for."""

WAITING: Final = 5.0
"""Seconds between two looks while something else is waited for that passes by itself."""

IDLE_PASSES: Final = 2.5
"""Passes a second, in all, over policies that nothing happens to: many are looked at less often, so that
looking never takes more than some hundredths of a processor."""

SPREAD: Final = 0.1
"""Part of a resync's period by which it comes earlier or later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the policies of one operator share.

    Attributes:
        cluster: The API server.
        config: The operator's configuration.
        policies: The policies as they were seen last.
        metrics: What Prometheus is told.
        host: The operator's pod.
        owner: This process, as claims on databases name it.
        clock: The time.
        draw: Draws a number from 0 to 1.
    """

    cluster: Cluster
    config: OperatorConfig
    policies: Policies
    metrics: Metrics
    host: str
    owner: str
    clock: Clock
    draw: Callable[[], float] = random.random
    namespace_ids: dict[str, str] = field(default_factory=dict)

    def namespace_id(self, namespace: str) -> str:
        """Return the UID of *namespace*: it tells this cluster from one that was restored from its backup.

        Raises:
            UsageError: It can't be read.
        """
        known = self.namespace_ids.get(namespace)
        if known is None:
            found = self.cluster.get(NAMESPACES, None, namespace)
            if found is None:
                raise UsageError(f"namespace {namespace} does not exist", remedy="it was deleted meanwhile")
            known = self.namespace_ids[namespace] = str(found["metadata"]["uid"])
        return known


class Passes:
    """Makes passes over one policy.

    Attributes:
        look: Finds requests of the settings page while the policy is at rest.
    """

    def __init__(self, world: World, key: Key) -> None:
        """Begin without knowing anything."""
        self._world = world
        self._key = key
        self._database = PolicyDatabase(world.cluster, key.namespace)
        self._publisher = Publisher(world.cluster, world.clock, world.host)
        self._reconciler: Reconciler | None = None
        self._workers: JobWorkers | None = None
        self._status: Manifest | None = None
        self._published: object = None
        self._uid = ""
        self._rewritten: Tree | None = None
        self.look: Final = RequestLook()

    def secret_changed(self) -> None:
        """Read all Secrets again in the next pass."""
        self._database.read_again()

    def close(self) -> None:
        """Close what is open."""
        self._database.close()

    def run(self, policy: Tree) -> float:
        """Make one pass over *policy*; return the seconds until the next is due.

        Raises:
            ConflictError: The policy, or an object of ours, was changed meanwhile.
            UnreachableError: The API server does not answer.
        """
        self.look.end()
        if policy["metadata"]["uid"] != self._uid:
            self._uid, self._status = policy["metadata"]["uid"], None
            self._reconciler, self._workers = None, None
        if policy.get("status") != self._published:
            self._status = None  # another operator led meanwhile: it knows better
        try:
            result = self._reconciled(policy)
        except UsageError as error:
            self._publish_misconfigured(policy, error)
            # A role may follow in a moment, and nothing tells of it.
            return WAITING if isinstance(error, ForbiddenError) else self._resync()
        # A request of the settings page may have changed it: the status says which generation it is of.
        policy = self._rewritten or policy
        self._status = result.status
        self._publisher.events(policy, result.events)
        self._write(policy, result.status)
        self._end_adoption(result)
        if isinstance(result.seen.database, DatabaseUnreachable):
            self._database.read_again()
        next_in, held_back = self._next(result), self._publisher.due_in
        return next_in if held_back is None else min(next_in, held_back)

    @property
    def look_in(self) -> float | None:
        """The seconds until :attr:`look` is due, ``None`` where passes follow soon anyway."""
        return pause(len(self._world.policies)) * self._spread() if self.look.wanted else None

    def _reconciled(self, policy: Tree) -> Pass:
        self._rewritten = None
        spec = spec_of(policy)
        secret = self._world.cluster.get(SECRETS, self._key.namespace, spec.secret_ref.name)
        request = request_from(policy, spec, secret, self._identity(), self._status)
        return self._prepared(policy, spec).run(request)

    def _identity(self) -> Claim:
        return Claim(
            cluster=self._world.namespace_id(self._key.namespace),
            namespace=self._key.namespace,
            policy=self._key.name,
            owner=self._world.owner,
            epoch=0,
        )

    def _prepared(self, policy: Tree, spec: Policy) -> Reconciler:
        """Return the reconciler of this pass: with the database and the rules that the policy has now."""
        database = self._database.opened(spec.database_ref)
        cluster, clock = self._world.cluster, self._world.clock
        if self._workers is None:
            template = self._world.config.job_template
            self._workers = JobWorkers(
                cluster=cluster, policy=policy, spec=spec, template=template, clock=clock
            )
        self._workers.policy, self._workers.spec = policy, spec
        if self._reconciler is None or self._reconciler.db is not database:
            keyrings = KeyringSecrets(cluster, *self._key)
            self._reconciler = Reconciler(
                db=database,
                keyrings=keyrings,
                workers=self._workers,
                clock=clock,
                stored=StoredInCluster(cluster, self._key, self._rewrite),
            )
        return self._reconciler

    def _rewrite(self, policy: Tree) -> None:
        """Take note of *policy*, which this pass has changed."""
        self._rewritten = policy
        self._world.policies.seen(policy)

    def _end_adoption(self, result: Pass) -> None:
        """Take the annotation away once it has served: one that stays takes the database back one day."""
        seen = result.seen
        if not seen.adopt or not isinstance(seen.database, DatabaseSeen) or seen.database.claim is None:
            return
        if seen.database.claim.same_policy(seen.identity):
            patch: dict[str, Any] = {"metadata": {"annotations": {ADOPT: None}}}
            self._world.cluster.merge(POLICIES, *self._key, patch)

    def _publish_misconfigured(self, policy: Tree, error: UsageError) -> None:
        before: Mapping[str, object] = self._status or policy.get("status") or {}
        self._status = misconfigured_status(
            # Some messages are sentences, others only their beginnings.
            f"{error.message.removesuffix('.')}: {error.remedy}",
            before=before,
            generation=policy["metadata"]["generation"],
            now=self._world.clock(),
        )
        self._write(policy, self._status)

    def _write(self, policy: Tree, status: Manifest) -> None:
        written = self._publisher.status(policy, status)
        self._published = (written or policy).get("status")
        if written:
            self._world.policies.seen(written)
        self._world.metrics.show(self._key, status, self._world.clock())

    def _next(self, result: Pass) -> float:
        if result.changed:
            return 0.0
        if result.plan.at_rest or result.plan.waits_for is For.PERSON:
            self._database.rest()
            if result.ours and self._reconciler and isinstance(self._reconciler.db, Database):
                self.look.begin(self._reconciler.db)
            return self._resync()
        if any(isinstance(action, NudgeReaders) for action in result.plan.actions):
            return NUDGED
        return AT_WORK if result.seen.work.state is WorkState.RUNNING else WAITING

    def _resync(self) -> float:
        """Return the seconds until the next look at a policy that nothing happens to: not all at once."""
        period = max(self._world.config.resync_seconds, len(self._world.policies) / IDLE_PASSES)
        return period * self._spread()

    def _spread(self) -> float:
        return 1 + SPREAD * (2 * self._world.draw() - 1)
