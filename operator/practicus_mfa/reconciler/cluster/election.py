"""Which of several operators leads: the one whose name stands in the Lease.

A thread takes the lease, renews it and gives it back; :meth:`Election.lead` says whether this process leads
now. It is no lock: a process that was paused may believe for an instant that it leads. So whatever a leader
writes is guarded by itself: the database by the claim's epoch, objects by their resourceVersion.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from practicus_mfa.clock import Clock, utc_now
from practicus_mfa.errors import MfaError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import ConflictError
from practicus_mfa.kube.objects import LEASES, Tree
from practicus_mfa.reconciler.cluster.lease import (
    DEADLINE_SECONDS,
    LOOK_SECONDS,
    RENEW_SECONDS,
    Sighting,
    Step,
    record_of,
    sighted,
    step,
    written,
)

log = logging.getLogger(__name__)


class Election:
    """Takes part in the election, in a thread of its own.

    Attributes:
        last_heard: When the API server was heard last, in seconds of the monotonic clock; before that, when
            this was made.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        identity: str,
        *,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        on_lead: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare to take part; :meth:`start` begins.

        Args:
            cluster: Where the lease is.
            namespace: The lease's.
            name: The lease's.
            identity: Who takes part: another one for each start of a process.
            clock: The time of day, for people who look at the lease.
            monotonic: Measures for how long.
            on_lead: Called in the election's thread when this process begins to lead.
        """
        self.last_heard = monotonic()
        self._cluster: Final = cluster
        self._namespace: Final = namespace
        self._identity: Final = identity
        self._name: Final = name
        self._clock: Final = clock
        self._monotonic: Final = monotonic
        self._on_lead: Final = on_lead
        self._lease: Tree | None = None
        self._sighting: Sighting | None = None
        self._leads_until = float("-inf")
        self._led = False
        self._trouble = ""
        self._stopped: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="election", daemon=True)

    def lead(self) -> bool:
        """Return whether this process leads now."""
        return not self._stopped.is_set() and self._holds()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to take part."""
        self._thread.start()

    def stop(self) -> None:
        """Have the thread give the lease back and end; work under it must have ended before."""
        self._stopped.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait until the thread has ended."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._turn()
            except ConflictError:
                # Somebody else wrote first: what is true now is read next time.
                self._lease = None
            except MfaError as error:
                self._lease = None
                self._failed(error)
            except Exception as error:
                log.exception("The election failed")
                self._lease = None
                self._failed(error)
            self._tell()
            self._stopped.wait(RENEW_SECONDS if self._lease is not None and self.lead() else LOOK_SECONDS)
        self._give_back()
        self._tell()

    def _turn(self) -> None:
        """Look at the lease, and take or renew it where that is due."""
        # The holder knows what it wrote: to renew is one request.
        lease = self._lease if self._lease is not None and self.lead() else self._look()
        match step(self._sighting, self._identity, self._monotonic()):
            case Step.TAKE | Step.RENEW:
                self._write(lease)
            case Step.WAIT:
                self._lease = None
                self._leads_until = float("-inf")
        self.last_heard = self._monotonic()
        self._trouble = ""
        self._tell()

    def _holds(self) -> bool:
        return self._monotonic() < self._leads_until

    def _look(self) -> Tree | None:
        lease = self._cluster.get(LEASES, self._namespace, self._name)
        now = self._monotonic()
        self._sighting = sighted(self._sighting, record_of(lease), now) if lease is not None else None
        return lease

    def _write(self, lease: Tree | None) -> None:
        # From before the request on: the others count from when it took effect, which is later.
        asked = self._monotonic()
        self._lease = self._put(lease, self._identity)
        self._sighting = Sighting(record_of(self._lease), asked)
        self._leads_until = asked + DEADLINE_SECONDS

    def _put(self, lease: Tree | None, holder: str) -> Tree:
        body = written(lease, namespace=self._namespace, name=self._name, holder=holder, now=self._clock())
        if lease is None:
            return self._cluster.create(LEASES, self._namespace, body)
        return self._cluster.replace(LEASES, body)

    def _give_back(self) -> None:
        """Let the next one begin at once instead of after the lease's duration."""
        if not self._holds():
            return
        self._leads_until = float("-inf")
        try:
            lease = self._lease or self._cluster.get(LEASES, self._namespace, self._name)
            if lease is not None and record_of(lease).holder == self._identity:
                self._put(lease, "")
        except MfaError as error:
            log.warning("The lease could not be given back; it ends by itself: %s", error)

    def _tell(self) -> None:
        leads = self.lead()
        if leads == self._led:
            return
        self._led = leads
        log.info("This operator leads now" if leads else "This operator no longer leads")
        if leads:
            self._on_lead()

    def _failed(self, error: Exception) -> None:
        # Once for each cause.
        if str(error) != self._trouble:
            log.warning("The lease %s/%s: %s", self._namespace, self._name, error)
        self._trouble = str(error)
