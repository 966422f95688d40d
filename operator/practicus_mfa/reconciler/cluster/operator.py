"""The operator: watches feed a queue, threads work it off, and a Lease says who may.

::

    kopf (policies, Jobs, pods) ─┐
    watches on Secrets ──────────┼─> queue of policies ─> passes ─> status, events, metrics
    looks for requests ──────────┤        only while this operator leads
    resync, retries ─────────────┘
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final
from uuid import uuid4

from practicus_mfa.clock import utc_now
from practicus_mfa.errors import MfaError, RetryableError
from practicus_mfa.kube.children import POLICY, labels_of
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import ConflictError
from practicus_mfa.kube.objects import POLICIES, Tree
from practicus_mfa.reconciler.cluster import handlers
from practicus_mfa.reconciler.cluster.config import OperatorConfig
from practicus_mfa.reconciler.cluster.election import Election
from practicus_mfa.reconciler.cluster.endpoints import Endpoints
from practicus_mfa.reconciler.cluster.metrics import Metrics
from practicus_mfa.reconciler.cluster.not_defined_yet import await_policies
from practicus_mfa.reconciler.cluster.passes import Passes, World
from practicus_mfa.reconciler.cluster.policies import Policies, key_of
from practicus_mfa.reconciler.cluster.queue import DueQueue, Key
from practicus_mfa.reconciler.cluster.runner import Runner
from practicus_mfa.reconciler.cluster.secret_watches import SecretWatches, named_by

log = logging.getLogger(__name__)

LEASE: Final = "practicus-mfa-operator"
"""The Lease's name: operators of one namespace stand by for each other."""

LOOKERS: Final = 4
"""Threads that look for requests of the settings page. 25 looks a second, each of 10 to 40 ms with its
connection, keep one of them busy; the others are for servers that are slow to answer."""

PATIENCE: Final = 20.0
"""Seconds that passes under way have to end when the operator is told to: a pod has 30."""


class Operator:
    """One operator process."""

    def __init__(self, cluster: Cluster, config: OperatorConfig, *, host: str, namespace: str) -> None:
        """Prepare it.

        Args:
            cluster: The API server.
            config: The configuration.
            host: The pod's name.
            namespace: Where the Lease is, unless the configuration says so.
        """
        self._cluster = cluster
        self._config = config
        owner = f"{host}/{uuid4().hex[:8]}"
        self._metrics = Metrics()
        self._policies = Policies()
        self._queue = DueQueue()
        self._world = World(
            cluster=cluster,
            config=config,
            policies=self._policies,
            metrics=self._metrics,
            host=host,
            owner=owner,
            clock=utc_now,
        )
        self._passes: dict[Key, Passes] = {}
        self._lock = threading.Lock()
        self._secrets = SecretWatches(
            cluster=cluster, cluster_wide=not config.watch_namespaces, told=self._secret_changed
        )
        self._election = Election(
            cluster,
            config.lease_namespace or namespace,
            LEASE,
            owner,
            on_lead=self._begin_to_lead,
        )
        self._runner = Runner(queue=self._queue, work=self._work, leads=self._election.lead)
        self._asked = DueQueue()
        self._looks = Runner(
            queue=self._asked, work=self._look, leads=self._election.lead, threads=LOOKERS, what="look"
        )
        self._watching = threading.Event()

    def run(self) -> None:
        """Work until a signal tells the process to end.

        Raises:
            UsageError: The endpoints' address can't be listened on.
        """
        endpoints = Endpoints(
            self._config.metrics_host,
            self._config.metrics_port,
            self._metrics.registry,
            healthy=self._runner.alive,
            ready=self._watching.is_set,
        )
        log.info("serving metrics and probes", extra={"port": endpoints.port})
        await_policies(self._cluster)
        self._election.start()
        try:
            self._runner.start()
            self._looks.start()
            watched = handlers.registry(self._cluster.access, self._policy_changed, self._child_changed)
            handlers.run(self._config, watched, ready=self._watching)
        finally:
            log.info("stopping: passes under way are ended first")
            self._looks.stop(0.0)  # a look changes nothing: it may end with the process
            self._runner.stop(PATIENCE)
            # Only now may another one lead: nothing of ours is under way any more.
            self._election.stop()
            self._election.join(PATIENCE)
            self._secrets.stop()
            for passes in self._passes.values():
                passes.close()
            endpoints.close()

    def _begin_to_lead(self) -> None:
        """Look at every policy: nobody may have done so for a while."""
        for key in self._policies.keys():  # noqa: SIM118 - it is no mapping
            self._queue.add(key)

    def _policy_changed(self, policy: Tree, gone: bool) -> None:
        key = key_of(policy)
        if gone:
            if self._policies.gone(policy):
                self._queue.add(key)
        elif self._policies.seen(policy):
            self._secrets.follow(key, named_by(policy))
            self._queue.add(key)

    def _child_changed(self, namespace: str, label: str) -> None:
        for key in self._policies.keys():  # noqa: SIM118 - it is no mapping
            if key.namespace == namespace and labels_of(key.name)[POLICY] == label:
                self._queue.add(key)

    def _secret_changed(self, key: Key) -> None:
        with self._lock:
            passes = self._passes.get(key)
        if passes:
            passes.secret_changed()
        self._queue.add(key)

    def _work(self, key: Key) -> float | None:
        """Make a pass over the policy *key*; return the seconds until it is due again."""
        policy = self._policies.get(key)
        if policy is None:
            self._forget(key)
            return None
        with self._lock:
            passes = self._passes.get(key)
            if passes is None:
                passes = self._passes[key] = Passes(self._world, key)
        began = time.monotonic()
        result = "error"
        try:
            again_in = passes.run(policy)
            result = "success"
        except ConflictError:
            # Changed since it was read: the watch may be behind, so it is read now.
            result = "retry"
            self._refresh(key, policy)
            again_in = 0.0
        except RetryableError:
            result = "retry"
            raise
        finally:
            self._metrics.ended(result, time.monotonic() - began)
        if (look_in := passes.look_in) is not None:
            self._asked.add(key, look_in)
        return again_in

    def _look(self, key: Key) -> float | None:
        """Look whether the settings page asks for a change of *key*; return when to look again.

        Whatever else is found out is for a pass to tell, which is due at once then: until it has come to rest
        again, nobody looks.
        """
        with self._lock:
            passes = self._passes.get(key)
        if passes is None:
            return None
        try:
            if not passes.look.finds_one():
                return passes.look_in
        except MfaError as error:
            log.info("Requests can't be looked for: %s", error, extra={"policy": str(key)})
        self._queue.add(key)
        return None

    def _refresh(self, key: Key, stale: Tree) -> None:
        fresh = self._cluster.get(POLICIES, *key)
        if fresh is None:
            self._policies.gone(stale)
        else:
            self._policies.seen(fresh)

    def _forget(self, key: Key) -> None:
        with self._lock:
            passes = self._passes.pop(key, None)
        self._secrets.follow(key, frozenset())
        self._metrics.forget(key)
        if passes:
            passes.close()
            log.info("the policy is gone; its data and keyring stay as they are", extra={"policy": str(key)})
