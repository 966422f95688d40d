"""When sessions were last used, and whose grace has begun: collected, and written a few seconds later.

A session's last use is kept to five minutes, so each costs one write in that time at most, however many
requests it makes; the writes of all sessions together are one statement. What could not be written is kept
for the next time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import LoginRules, deadline
from practicus_mfa.storage import accounts, sessions
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.sessions import StoredSession

KEPT_TO: Final = timedelta(minutes=5)
"""How far a stored last use may lie behind the real one."""

FLUSH_SECONDS: Final = 5.0
"""Seconds between two writes of what was collected."""

WriteUses = Callable[[Mapping[int, datetime], Mapping[int, datetime]], None]
"""Stores last uses by session, and ends of grace by user. Blocks."""


def kept_to(rules: LoginRules) -> timedelta:
    """Return how exactly a last use is kept: to five minutes, or a third of ``idleMinutes`` if less."""
    idle = rules.session.idle_minutes
    return min(KEPT_TO, timedelta(minutes=idle) / 3) if idle else KEPT_TO


def writer(db: Database) -> WriteUses:
    """Return what stores them in *db*."""

    def write(last_uses: Mapping[int, datetime], deadlines: Mapping[int, datetime]) -> None:
        with db.write() as connection:
            # Users before sessions, as everybody locks them: else two would wait for each other.
            for user_id, at in sorted(deadlines.items()):
                accounts.set_enrol_by(connection, user_id, at)
            if last_uses:
                sessions.touch(connection, last_uses)

    return write


class SessionUses:
    """Collects on the request path's side, writes on another thread's."""

    def __init__(self, write: WriteUses) -> None:
        """Begin with nothing collected."""
        self._write = write
        self._lock = threading.Lock()
        self._last_uses: dict[int, datetime] = {}
        self._deadlines: dict[int, datetime] = {}
        self._noted: dict[int, datetime] = {}

    def note(self, session: StoredSession, account: Account, rules: LoginRules, at: datetime) -> None:
        """Note that a session was used at *at*; nothing is done here that takes time."""
        # A reading may be older than our own last write.
        known = max(session.last_used_at, self._noted.get(session.id, session.last_used_at))
        grace_ends = deadline(account, rules, at)
        is_due = at - known >= kept_to(rules)
        if not is_due and grace_ends is None:
            return
        with self._lock:
            if is_due:
                self._last_uses[session.id] = self._noted[session.id] = at
            if grace_ends is not None:
                self._deadlines.setdefault(account.id, grace_ends)

    def flush(self) -> None:
        """Write what was collected, in the calling thread.

        Raises:
            MfaError: It could not be written; it is kept.
        """
        with self._lock:
            last_uses, self._last_uses = self._last_uses, {}
            deadlines, self._deadlines = self._deadlines, {}
        if not last_uses and not deadlines:
            return
        try:
            self._write(last_uses, deadlines)
        except BaseException:
            with self._lock:
                self._last_uses = last_uses | self._last_uses
                self._deadlines = self._deadlines | deadlines
            raise
        with self._lock:
            newest = max([*last_uses.values(), *self._noted.values()], default=None)
            if newest is not None:
                self._noted = {one: at for one, at in self._noted.items() if newest - at < KEPT_TO}
