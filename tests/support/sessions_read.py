"""A database of sessions that a test sets, and the clocks beside it: what a cache of sessions reads."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import LoginRules
from practicus_mfa.crypto.opaque import token_hash
from practicus_mfa.errors import MfaError, UnreachableError
from practicus_mfa.login.session_cache import SessionCache
from practicus_mfa.login.session_reading import Reading
from practicus_mfa.login.session_uses import SessionUses
from practicus_mfa.storage.sessions import SessionOfUser, StoredSession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
ADA: Final = Account(id=1, username="ada", email="ada@example.com", name="Ada", groups=("dev", "ops"))
AWAY: Final = UnreachableError("The database is away.", remedy="-")

TOKEN: Final = "s" * 43
VERIFY_TOKEN: Final = "v" * 43
KEY: Final = token_hash(TOKEN)
VERIFY_KEY: Final = token_hash(VERIFY_TOKEN)


def session_of(account: Account = ADA, *, number: int = 1, at: datetime = NOON) -> SessionOfUser:
    """A session of *account* with a code, begun *at*, for twelve hours."""
    session = StoredSession(
        id=number,
        user_id=account.id,
        token_hash=KEY,
        verify_hash=VERIFY_KEY,
        remembered=False,
        created_at=at,
        expires_at=at + timedelta(hours=12),
        last_used_at=at,
        proved_at=at,
        second_factor_at=at,
    )
    return SessionOfUser(session=session, account=account, for_verify=False)


@dataclass
class ReadWorld:
    """What there is to read, and when.

    Attributes:
        rows: The sessions by their hashes.
        rules: The policy.
        fault: What a reading fails with.
        seconds: The steady clock.
        takes: Seconds that a reading takes by that clock.
        readings: What was asked for, one entry a query.
        gate: Readings wait until it is open.
        written: What was written of uses: last uses, ends of grace.
    """

    rows: dict[bytes, SessionOfUser] = field(default_factory=dict)
    rules: LoginRules = field(default_factory=LoginRules)
    fault: MfaError | None = None
    seconds: float = 1000.0
    takes: float = 0.0
    readings: list[tuple[bytes, ...]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    written: list[tuple[dict[int, datetime], dict[int, datetime]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = self.rows or {
            KEY: session_of(),
            VERIFY_KEY: replace(session_of(), for_verify=True),
        }
        self.gate.set()
        self.uses = SessionUses(self.write)

    @property
    def now(self) -> datetime:
        """The time of day, which goes as the steady clock does."""
        return NOON + timedelta(seconds=self.seconds - 1000.0)

    def read(self, hashes: Sequence[bytes]) -> Reading:
        """Be the database."""
        self.readings.append(tuple(hashes))
        reading = Reading({one: self.rows[one] for one in hashes if one in self.rows}, self.rules)
        fault = self.fault
        self.seconds += self.takes
        self.gate.wait()
        if fault is not None:
            raise fault
        return reading

    def write(self, last_uses: Mapping[int, datetime], deadlines: Mapping[int, datetime]) -> None:
        """Be the database that is written to."""
        if self.fault is not None:
            raise self.fault
        self.written.append((dict(last_uses), dict(deadlines)))

    def cache(self, *, grace: float = 30.0, patience: float = 60.0) -> SessionCache:
        """Return a cache over this."""
        return SessionCache(
            self.read,
            self.uses,
            grace_seconds=grace,
            clock=lambda: self.now,
            steady=lambda: self.seconds,
            patience=patience,
        )
