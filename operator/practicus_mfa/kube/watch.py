"""A watch: a thread that hears of each change in one collection, and never learns more than names.

It asks for the collection's version, says that anything may have changed, and reads changes from there on
until the stream ends; then it goes on from the last change. Only metadata is asked for, so no key comes
through a watch; of the metadata only names are looked at: annotations may hold what a person applied.

The server ends a stream after :data:`STREAM_SECONDS`; silence beyond that means that the connection froze (a
firewall that drops instead of refusing). So a frozen connection costs ``STREAM_SECONDS + GRACE_SECONDS`` and
one more request at the worst: less than 80 s.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Final

from practicus_mfa.errors import MfaError
from practicus_mfa.kube.client import Cluster, Collection
from practicus_mfa.kube.faults import BusyApiError, ExpiredError
from practicus_mfa.kube.objects import name_of, namespace_of, version_of
from practicus_mfa.kube.stream import Change, Stream

log = logging.getLogger(__name__)

STREAM_SECONDS: Final = 50
"""After these the server ends a stream, and the watch opens the next."""

GRACE_SECONDS: Final = 5.0
"""How much later than that the end may arrive."""

FIRST_PAUSE: Final = 0.5
"""Seconds before the second attempt; each further one waits twice as long."""

LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts at most."""

_SOON: Final = 1.0
"""Seconds; a stream that the server ends sooner counts as a failure: it would be asked without a pause."""

Told = Callable[[str | None, str | None], None]
"""Called with namespace and name of what changed; with ``None`` twice where anything may have."""


def pause(failures: int, error: Exception, draw: float) -> float:
    """Return the seconds to wait before the next attempt.

    Args:
        failures: How many attempts failed in a row, from 1.
        error: Of the last one. Where the server asks for a pause, that is its least.
        draw: From 0 to 1: clients that lost one server should not come back as one.
    """
    grown = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 16)) * (0.5 + draw / 2)
    asked = error.retry_after if isinstance(error, BusyApiError) else None
    return max(grown, min(asked or 0.0, LONGEST_PAUSE))


class Watch:
    """Watches one collection in a thread of its own until it is stopped.

    Attributes:
        which: The collection.
        last_heard: When the server was heard last, in seconds of :func:`time.monotonic`; before that, when
            the watch was made. In health it is never older than :data:`STREAM_SECONDS` and some seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        which: Collection,
        told: Told,
        *,
        stream_seconds: int = STREAM_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Prepare the watch; :meth:`start` starts it.

        Args:
            cluster: Where.
            which: What.
            told: Called in the watch's thread, so it must be quick.
            stream_seconds: After these the server ends a stream.
            grace_seconds: Silence that much beyond is a frozen connection.
            draw: Draws a number from 0 to 1.
        """
        self.which: Final = which
        self.last_heard = time.monotonic()
        self._trouble: Exception | None = None
        self._cluster: Final = cluster
        self._told: Final = told
        self._seconds: Final = stream_seconds
        self._silence: Final = stream_seconds + grace_seconds
        self._draw: Final = draw
        self._failures = 0
        self._version = ""
        self._stopped: Final = threading.Event()
        self._stream: Stream | None = None
        # Between asking whether it is stopped and noting a stream that a stop must interrupt.
        self._lock: Final = threading.Lock()
        self._name: Final = "/".join(filter(None, (which.kind.plural, which.namespace, which.name)))
        self._thread: Final = threading.Thread(target=self._run, name=f"watch {self._name}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """Have the thread end, in the middle of a silent stream too; this does not wait for it."""
        with self._lock:
            self._stopped.set()
            if self._stream is not None:
                self._stream.interrupt()

    def join(self, seconds: float | None = None) -> None:
        """Wait until the thread has ended."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if not self._version:
                    self._look_at_all()
                self._follow()
            except ExpiredError as error:
                self._version = ""
                # Servers forget versions as a matter of course: the first time there is nothing to wait for.
                if self._failures:
                    self._failed(error)
                else:
                    self._failures = 1
            except MfaError as error:
                self._failed(error)
            except Exception as error:
                log.exception("Watching %s failed", self._name)
                self._version = ""
                self._failed(error)

    def _look_at_all(self) -> None:
        self._version = self._cluster.version(self.which)
        self.last_heard = time.monotonic()
        self._told(None, None)

    def _follow(self) -> None:
        """Read one stream to its end."""
        opened = time.monotonic()
        with self._cluster.watch(
            self.which, self._version, seconds=self._seconds, silence=self._silence
        ) as stream:
            with self._lock:
                if self._stopped.is_set():
                    return
                self._stream = stream
            try:
                self.last_heard = time.monotonic()
                for change in stream:
                    self._heard(change)
            finally:
                with self._lock:
                    self._stream = None
        if time.monotonic() - opened < _SOON and not self._stopped.is_set():
            raise BusyApiError(
                f"The API server {self._cluster.server} ends watches as soon as they begin.",
                remedy="Look at the API server's health, and for a proxy on the way.",
            )
        self._well()

    def _heard(self, change: Change) -> None:
        self._well()
        if change.type != "BOOKMARK":
            self._told(namespace_of(change.object), name_of(change.object))
        # Only now: what could not be told comes again.
        self._version = version_of(change.object) or self._version

    def _well(self) -> None:
        if self._trouble is not None:
            log.info("Watching %s again", self._name)
        self.last_heard = time.monotonic()
        self._failures = 0
        self._trouble = None

    def _failed(self, error: Exception) -> None:
        if self._stopped.is_set():
            return
        self._failures += 1
        # Once for each cause; then again when it is over.
        if str(error) != str(self._trouble):
            log.warning("Watching %s: %s", self._name, error)
        self._trouble = error
        # Where one connection froze or broke, those that wait for their next use have too.
        self._cluster.forget_idle()
        self._stopped.wait(pause(self._failures, error, self._draw()))
