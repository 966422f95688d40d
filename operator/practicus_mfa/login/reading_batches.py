"""Readings beside the event loop: each in a thread of its own, several requests' sessions in each.

The first session that is missing starts a reading; those that are missed meanwhile go into the next one
together. A reading that takes longer than its caller's patience is left to itself: nobody waits for it, and
what it brings is taken when it comes. While several such are under way no further one is started, for a
database that does not answer must not fill the process with threads.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.clock import Steady
from practicus_mfa.errors import MfaError, NotReadyError, UnreachableError
from practicus_mfa.login.session_reading import Reading, ReadSessions

log = logging.getLogger(__name__)

BATCH: Final = 1_000
"""Sessions in one query."""

MOST_BATCHES: Final = 10
"""Batches that may wait; a flood of tokens that are none ends here."""

MOST_READINGS: Final = 4
"""Readings under way, those that nobody waits for any more included."""

Arrived = Callable[[Sequence[bytes], float, Reading | MfaError], None]
"""Takes what a reading of these hashes that began at that second brought; called on the event loop."""


class TooSlowError(UnreachableError):
    """The database did not answer in time."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("The database takes too long to answer.", remedy="Try again in a few seconds.")


@dataclass(slots=True)
class _Batch:
    done: asyncio.Future[MfaError | None]
    keys: dict[bytes, None] = field(default_factory=dict)


class ReadingBatches:
    """Starts readings; everything here happens on one event loop, but for the readings themselves."""

    def __init__(self, read: ReadSessions, arrived: Arrived, *, steady: Steady, patience: float) -> None:
        """Begin without a reading.

        Args:
            read: Reads.
            arrived: Is told what came of each reading, late ones too.
            steady: Seconds that only go forward.
            patience: Seconds that anybody waits for one reading.
        """
        self._read = read
        self._arrived = arrived
        self._steady = steady
        self._patience = patience
        self._under_way = 0
        self._current: _Batch | None = None
        self._next: deque[_Batch] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def one(self, key: bytes) -> None:
        """Have one session read, together with others.

        Raises:
            MfaError: It could not be read; :class:`UnreachableError` where the database is away.
        """
        batch = self._current
        if batch is None or key not in batch.keys:
            batch = self._joined(key)
        # A future of many: who goes away must not end it for the others.
        if (error := await asyncio.shield(batch.done)) is not None:
            raise error

    async def many(self, keys: Sequence[bytes]) -> None:
        """Have these sessions read, at most :data:`BATCH`; for none, the policy.

        Raises:
            MfaError: As above.
        """
        if self._under_way >= MOST_READINGS:
            raise TooSlowError
        future = self._start(keys)
        done, _ = await asyncio.wait({future}, timeout=self._patience)
        if not done:
            raise TooSlowError
        if (error := future.result()) is not None:
            raise error

    def _joined(self, key: bytes) -> _Batch:
        for batch in self._next:
            if key in batch.keys:
                return batch
        if not self._next or len(self._next[-1].keys) >= BATCH:
            if len(self._next) >= MOST_BATCHES:
                raise NotReadyError(
                    "Too many sessions wait to be read.", remedy="Try again in a few seconds."
                )
            self._next.append(_Batch(asyncio.get_running_loop().create_future()))
        self._next[-1].keys[key] = None
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return self._next[-1]

    async def _work(self) -> None:
        try:
            while self._next:
                self._current = batch = self._next.popleft()
                error: MfaError | None = NotReadyError("The reading was ended.", remedy="Try again.")
                try:
                    await self.many(tuple(batch.keys))
                    error = None
                except MfaError as raised:
                    error = raised
                finally:
                    batch.done.set_result(error)
        finally:
            self._current = self._worker = None

    def _start(self, keys: Sequence[bytes]) -> asyncio.Future[MfaError | None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[MfaError | None] = loop.create_future()
        began = self._steady()

        def arrive(outcome: Reading | MfaError) -> None:
            self._under_way -= 1
            self._arrived(keys, began, outcome)
            if not future.done():
                future.set_result(outcome if isinstance(outcome, MfaError) else None)

        def read() -> None:
            outcome: Reading | MfaError
            try:
                outcome = self._read(keys)
            except MfaError as error:
                outcome = error
            except Exception:
                log.exception("reading sessions failed")
                outcome = NotReadyError("Sessions can't be read.", remedy="See the log of this service.")
            # The loop is closed where the service ended meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(arrive, outcome)

        self._under_way += 1
        # No pool: its threads would have to be waited for when the service ends.
        threading.Thread(target=read, name="session-reading", daemon=True).start()
        return future
