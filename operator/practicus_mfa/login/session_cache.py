"""Sessions as forward-auth knows them: held in memory, and never older than a second.

An answer rests on one reading of session, user and policy (:mod:`.session_reading`), and is used while that
reading *began* less than :data:`FRESH_SECONDS` ago: whatever was committed a second ago is seen. Sessions in
use are read again together every :data:`SWEEP_SECONDS`, beside the requests, so that a request finds its
answer in a dictionary; others are read when they are asked for. Without requests nothing is read.

While the database is away (and only then: an attempt within the last second has failed) an answer may be used
until ``outageGraceSeconds`` after its reading, judged anew by the time of day. After that, and for sessions
that were never read, there is no answer: whoever asked must refuse.

Everything here is used on one event loop; the database is asked in threads (:mod:`.reading_batches`).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from practicus_mfa.clock import Clock, Steady, steady_seconds, utc_now
from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import LoginRules
from practicus_mfa.core.login.session import LoggedOut, Verdict, judge
from practicus_mfa.errors import MfaError, UnreachableError
from practicus_mfa.login.reading_batches import BATCH, ReadingBatches, TooSlowError
from practicus_mfa.login.session_reading import Reading, ReadSessions
from practicus_mfa.login.session_uses import SessionUses
from practicus_mfa.storage.sessions import SessionOfUser, StoredSession

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 1.0
"""How old an answer's reading may be, counted from its beginning."""

SWEEP_SECONDS: Final = 0.4
"""Seconds between the beginnings of two sweeps: one may take 0.6 s and no request waits."""

MOST_SESSIONS: Final = 20_000
"""Sessions that are held; beyond, those that were read longest ago are forgotten."""

MOST_UNKNOWN: Final = 10_000
"""Hashes that are held because no session has them."""


@dataclass(slots=True, kw_only=True)
class CachedSession:
    """A session, what it is worth, and since when that is known.

    Attributes:
        session: The row.
        account: Whose it is.
        for_verify: It was found by the cookie that is good for forward-auth alone.
        rules: The policy that it was judged by.
        verdict: What it is worth.
        began: The steady second at which its reading began.
        last_used_at: Its last use, here or as stored.
        used: It was used since the last sweep (or the request that it was read for is about to).
        front: What the web keeps for this account; given on to the next reading while the account stays the
            same.
    """

    session: StoredSession
    account: Account
    for_verify: bool
    rules: LoginRules
    verdict: Verdict
    began: float
    last_used_at: datetime
    used: bool = False
    front: object = None


class SessionCache:
    """Gives sessions by the hashes of cookies."""

    def __init__(
        self,
        read: ReadSessions,
        uses: SessionUses,
        *,
        grace_seconds: float,
        clock: Clock = utc_now,
        steady: Steady = steady_seconds,
        patience: float = FRESH_SECONDS,
    ) -> None:
        """Begin empty; :meth:`run` has to run beside the requests.

        Args:
            read: Reads sessions from the database.
            uses: Is told of uses.
            grace_seconds: ``login.outageGraceSeconds``.
            clock: The time of day.
            steady: Seconds that only go forward.
            patience: Seconds that a request waits for the database.
        """
        self._batches = ReadingBatches(read, self._arrived, steady=steady, patience=patience)
        self._uses = uses
        self._grace = grace_seconds
        self._clock = clock
        self._steady = steady
        self._sessions: dict[bytes, CachedSession] = {}
        self._unknown: dict[bytes, float] = {}
        self._failed_at: float | None = None

    def fresh(self, key: bytes) -> CachedSession | None:
        """Return the session if it is held and young enough; the quick way, see :meth:`get`."""
        cached = self._sessions.get(key)
        if cached is None or self._steady() - cached.began >= FRESH_SECONDS:
            return None
        cached.used = True
        return cached

    async def get(self, key: bytes) -> CachedSession | None:
        """Return the session of a cookie's hash, ``None`` where there is none.

        Raises:
            MfaError: There is no telling: the database is away, and the grace is over.
        """
        if (cached := self.fresh(key)) is not None:
            return cached
        if (began := self._unknown.get(key)) is not None and self._steady() - began < FRESH_SECONDS:
            return None
        if self._is_away() and (held := self._in_grace(key)) is not None:
            return held
        try:
            await self._attempt(self._batches.one(key))
        except UnreachableError:
            if (held := self._in_grace(key)) is not None:
                return held
            raise
        return self.fresh(key)

    async def sweep(self) -> None:
        """Read again what was used since the last time, and forget what is of no use any more."""
        now, at = self._steady(), self._clock()
        due: list[bytes] = []
        for key, cached in list(self._sessions.items()):
            if cached.used:
                cached.used = False
                due.append(key)
                # To knock at a session that has ended is no use of it.
                if not isinstance(cached.verdict, LoggedOut):
                    cached.last_used_at = at
                    self._uses.note(cached.session, cached.account, cached.rules, at)
            elif now - cached.began >= max(FRESH_SECONDS, self._grace):
                del self._sessions[key]
        for start in range(0, len(due), BATCH):
            await self._attempt(self._batches.many(due[start : start + BATCH]))
        if not due and self._failed_at is not None:
            # Whether it is back must not depend on who asks.
            await self._attempt(self._batches.many(()))

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            began = self._steady()
            try:
                await self.sweep()
            except MfaError as error:
                log.debug("sessions could not be read again: %s", error)
            except Exception:
                log.exception("a sweep over the sessions failed and is tried again")
            await asyncio.sleep(max(0.0, SWEEP_SECONDS - (self._steady() - began)))

    async def _attempt(self, reading: Awaitable[None]) -> None:
        began = self._steady()
        try:
            await reading
            if self._steady() - began >= FRESH_SECONDS:
                raise TooSlowError
        except UnreachableError as error:
            if not self._is_away():
                log.warning("sessions can't be read: %s", error)
            self._failed_at = self._steady()
            raise

    def _is_away(self) -> bool:
        return self._failed_at is not None and self._steady() - self._failed_at < FRESH_SECONDS

    def _in_grace(self, key: bytes) -> CachedSession | None:
        cached = self._sessions.get(key)
        if cached is None or self._steady() - cached.began >= self._grace:
            return None
        cached.used = True
        cached.verdict = self._judged(cached.session, cached.account, cached.rules, cached.last_used_at)
        return cached

    def _arrived(self, keys: Sequence[bytes], began: float, outcome: Reading | MfaError) -> None:
        """Take what a reading brought, unless a later one was quicker."""
        if isinstance(outcome, MfaError):
            return
        if self._steady() - began < FRESH_SECONDS:
            self._failed_at = None
        for key in keys:
            before = self._sessions.get(key)
            if (before is not None and before.began > began) or self._unknown.get(key, began) > began:
                continue
            # Put in anew, not in its place: the order of the dictionary is that of the readings.
            self._sessions.pop(key, None)
            self._unknown.pop(key, None)
            if (found := outcome.found.get(key)) is None:
                self._unknown[key] = began
            else:
                self._sessions[key] = self._cached(found, outcome.rules, began, before)
        _forget_first(self._sessions, MOST_SESSIONS)
        _forget_first(self._unknown, MOST_UNKNOWN)

    def _cached(
        self, found: SessionOfUser, rules: LoginRules, began: float, before: CachedSession | None
    ) -> CachedSession:
        session, last_used_at = found.session, found.session.last_used_at
        if before is not None:
            last_used_at = max(last_used_at, before.last_used_at)
        return CachedSession(
            session=session,
            account=found.account,
            for_verify=found.for_verify,
            rules=rules,
            verdict=self._judged(session, found.account, rules, last_used_at),
            began=began,
            last_used_at=last_used_at,
            used=before is not None and before.used,
            front=before.front if before is not None and before.account == found.account else None,
        )

    def _judged(
        self, session: StoredSession, account: Account, rules: LoginRules, last_used_at: datetime
    ) -> Verdict:
        facts = session.facts()
        if last_used_at != facts.last_used_at:
            facts = replace(facts, last_used_at=last_used_at)
        return judge(facts, account, rules, self._clock())


def _forget_first(held: dict[bytes, Any], most: int) -> None:
    for key in list(itertools.islice(held, max(0, len(held) - most))):
        del held[key]
