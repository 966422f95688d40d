"""Workers as Jobs: one Indexed Job an attempt, made for it and deleted where it is no longer wanted.

Only what a Job says counts, and only of the newest one: it runs, or it failed. That there is none, or that
one is complete, says nothing of the rows; a Job may be deleted by hand, or when its time is over.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from practicus_mfa.clock import Clock
from practicus_mfa.core.keyring import Keyring
from practicus_mfa.core.observed import WorkSeen, WorkState
from practicus_mfa.core.plan import Work
from practicus_mfa.core.policy import Policy
from practicus_mfa.core.status import instant
from practicus_mfa.errors import UsageError
from practicus_mfa.kube.children import (
    ATTEMPT,
    KEYRING_GENERATION,
    NUDGED_AT,
    ROTATION,
    job_labels,
    login_labels,
)
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import ForbiddenError
from practicus_mfa.kube.job import Owner, migration_job
from practicus_mfa.kube.job_template import JobTemplate
from practicus_mfa.kube.objects import JOBS, PODS, Tree, name_of
from practicus_mfa.kube.pods import USUAL, instant_of, last_words, one_line, why_waiting

log = logging.getLogger(__name__)

NUDGE_AGAIN: Final = timedelta(seconds=2)
"""After so long a reader is nudged once more: its node may have looked before the Secret had reached it."""

_UID: Final = "batch.kubernetes.io/controller-uid"
"""The label by which the Job controller marks a Job's pods."""


@dataclass(slots=True, kw_only=True)
class JobWorkers:
    """Runs workers for one MfaPolicy; kept from pass to pass, *policy* and *spec* as each pass read them.

    Attributes:
        cluster: Where.
        policy: The MfaPolicy, as the API server gave it.
        spec: Its spec, found valid.
        template: How the workers' pods look.
        clock: The time.
    """

    cluster: Cluster
    policy: Tree = field(repr=False)
    spec: Policy
    template: JobTemplate
    clock: Clock
    # A Job that the API server refused: there is nothing in the cluster that could tell of it.
    _refused: WorkSeen | None = field(default=None, init=False)
    _forbidden: bool = field(default=False, init=False)

    @property
    def _namespace(self) -> str:
        return str(self.policy["metadata"]["namespace"])

    @property
    def _name(self) -> str:
        return name_of(self.policy)

    def seen(self) -> WorkSeen:
        """Return how they are: two reads at most, and the second only until one of them is at work.

        Raises:
            UnreachableError: The API server can't be reached.
            ForbiddenError: Jobs or pods may not be listed.
        """
        if self._refused:
            return self._refused
        newest = max(self._jobs(), key=_age, default=None)
        if newest is None:
            return WorkSeen()
        name = name_of(newest)
        match _ending(newest):
            case None:
                return WorkSeen(WorkState.RUNNING, name, why=self._waiting(newest))
            case {"type": "Failed"} as condition:
                now = self.clock()
                # Never in the future: a clock that is behind the API server's would put the next attempt off.
                at = min(instant_of(condition.get("lastTransitionTime")) or now, now)
                said = [condition.get("message") or condition.get("reason"), last_words(self._pods(newest))]
                return WorkSeen(
                    WorkState.FAILED, name, at, one_line(": ".join(part for part in said if part))
                )
            case _:
                return WorkSeen(WorkState.IDLE, name)

    def start(self, work: Work, keyring: Keyring, shards: int) -> None:
        """Make the Job for *work*; one that the API server refuses makes the attempt a failed one.

        Raises:
            RetryableError: The API server can't be reached, or was changed meanwhile.
        """
        database = self.spec.database_ref
        assert database is not None, "no work without a database"  # noqa: S101 - an invariant
        job = migration_job(
            Owner(namespace=self._namespace, name=self._name, uid=self.policy["metadata"]["uid"]),
            work,
            generation=keyring.generation,
            # Each takes its share: more pods than parts would have nothing to do.
            parts=max(1, min(self.spec.migration.parallelism, shards)),
            database=database,
            template=self.template,
        )
        self._refused = None
        try:
            for present in self._jobs():
                # One of this very name is of another life, before the policy had another database: a Job's
                # template can't be changed.
                if _ending(present) is None or name_of(present) == name_of(job):
                    self._delete(present)
            self.cluster.apply(JOBS, self._namespace, job)
        except UsageError as error:
            log.warning("A Job can't be made: %s %s", error.message, error.remedy)
            why = one_line(f"the Job can't be made: {error.message}")
            self._refused = WorkSeen(WorkState.FAILED, name_of(job), self.clock(), why)

    def stop(self) -> None:
        """Delete unfinished Jobs: their pods finish the page at hand and end.

        Raises:
            RetryableError: The API server can't be reached.
            ForbiddenError: Jobs may not be deleted.
        """
        self._refused = None
        for job in self._jobs():
            if _ending(job) is None:
                self._delete(job)

    def nudge(self, generation: int) -> None:
        """Patch an annotation on log-in pods: the kubelet then refreshes what they have mounted, at once.

        Without that right readers get the keyring when their node next looks for it, a minute later or so.

        Raises:
            RetryableError: The API server can't be reached.
        """
        now = self.clock()
        try:
            for pod in self.cluster.list(PODS, self._namespace, labels=login_labels(self._name)):
                if not _leaves(pod) and not _told(pod, generation, now):
                    told = {KEYRING_GENERATION: str(generation), NUDGED_AT: instant(now)}
                    patch: Tree = {"metadata": {"annotations": told}}
                    self.cluster.merge(PODS, self._namespace, name_of(pod), patch)
        except ForbiddenError as error:
            if not self._forbidden:
                log.info("Log-in pods get a new keyring later than they could: %s %s", error, error.remedy)
            self._forbidden = True

    def _jobs(self) -> list[Tree]:
        found = self.cluster.list(JOBS, self._namespace, labels=job_labels(self._name))
        return [job for job in found if not _leaves(job)]

    def _pods(self, job: Tree) -> list[Tree]:
        return self.cluster.list(PODS, self._namespace, labels={_UID: job["metadata"]["uid"]})

    def _waiting(self, job: Tree) -> str:
        """Say why no pod of *job* is at work; '' where one is."""
        status = job.get("status") or {}
        if status.get("ready"):
            return ""
        now, pods = self.clock(), self._pods(job)
        made = instant_of(job["metadata"].get("creationTimestamp"))
        if not pods and made and now - made > USUAL:
            return f"no pod could be made, kubectl describe job {name_of(job)} tells why"
        return why_waiting(pods, now)

    def _delete(self, job: Tree) -> None:
        self.cluster.delete(JOBS, self._namespace, name_of(job))


def _leaves(thing: Tree) -> bool:
    """Whether somebody has deleted it, and it only waits for that to be done."""
    return thing["metadata"].get("deletionTimestamp") is not None


def _ending(job: Tree) -> Tree | None:
    """Return the condition that *job* ended with, ``None`` where it is under way."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    ends: list[Tree] = [
        condition
        for condition in conditions
        if condition.get("type") in {"Complete", "Failed"} and condition.get("status") == "True"
    ]
    return ends[0] if ends else None


def _age(job: Tree) -> tuple[str, int, int]:
    """Return what sorts Jobs by their making.

    The time goes first: where the policy was given another database, rotations count from 1 again.
    """
    metadata = job["metadata"]
    labels = metadata.get("labels") or {}
    rotation, attempt = (_number(labels.get(label)) for label in (ROTATION, ATTEMPT))
    return str(metadata.get("creationTimestamp") or ""), rotation, attempt


def _number(text: object) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() else 0


def _told(pod: Tree, generation: int, now: datetime) -> bool:
    """Whether *pod* was told of *generation* only just now."""
    annotations = pod["metadata"].get("annotations") or {}
    at = instant_of(annotations.get(NUDGED_AT))
    return (
        annotations.get(KEYRING_GENERATION) == str(generation) and at is not None and now - at < NUDGE_AGAIN
    )
