"""How often a person, or a machine, may try: counters of failures, and the stops that they bring.

Passwords are delayed and never locked, so nobody locks another out by knowing a name. Codes are tried only by
those who know the password; NIST SP 800-63B (section 5.2.2, "Rate Limiting (Throttling)") allows at most 100
consecutive failures of one account, so there the 100th is the last until a person with the right ends the
stop.

A counter ends with the first right try. While it is stopped nothing is verified and nothing counted. That
many tries at the same moment get no more than one after the other would is for the callers to see to: they
hold the counter locked while they look, or count a try as failed before they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from practicus_mfa.core.login.address import plain_address

ADDRESS_NAMES: Final = 100
"""Distinct names that may fail from one address within :data:`ADDRESS_SPAN` before the address must wait."""

ADDRESS_SPAN: Final = timedelta(minutes=10)

FREE_FAILURES: Final = 4
"""Failures in a row that cost no time: a person mistypes."""

MOST_CODES: Final = 100
"""The consecutive failures that NIST SP 800-63B 5.2.2 allows: the last of them locks."""

_IPV6_BLOCK: Final = 64
"""Bits of an IPv6 address that name a customer (RFC 6177): the rest are free to be changed at each try."""

_MOST_DOUBLINGS: Final = 30
"""More than any delay needs; it keeps a counter of millions from making a number of millions of bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Failures in a row, and the stop that they brought.

    Attributes:
        failures: How many.
        last_at: When the last one was.
        stopped_until: No try before this moment.
        forever: No try until somebody ends the stop.
    """

    failures: int = 0
    last_at: datetime | None = None
    stopped_until: datetime | None = None
    forever: bool = False


class Kind(StrEnum):
    """What a counter counts."""

    PASSWORD_HERE = "password-here"  # noqa: S105  (a name, no password)
    """Wrong passwords of a name from one address, or in one browser that this user is known to have."""
    PASSWORD_ANYWHERE = "password-anywhere"  # noqa: S105  (as above)
    """Wrong passwords of a name, from wherever they come."""
    CODE = "code"
    """Wrong codes of a user."""
    CODE_DEVICE = "code-device"
    """Wrong codes of a user in a browser that this user is known to have."""
    RECOVERY = "recovery"
    """Wrong recovery codes of a user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delays:
    """From the fifth failure on *first*, doubling up to *longest*; at *locks_at* failures the last try."""

    first: timedelta
    longest: timedelta
    kept_for: timedelta | None
    locks_at: int | None = None


_CODES: Final = _Delays(
    first=timedelta(seconds=30), longest=timedelta(hours=1), kept_for=None, locks_at=MOST_CODES
)
_DELAYS: Final = {
    Kind.PASSWORD_HERE: _Delays(
        first=timedelta(seconds=2), longest=timedelta(minutes=15), kept_for=timedelta(days=1)
    ),
    # Whoever knows a name can make its owner wait, so this one stays short.
    Kind.PASSWORD_ANYWHERE: _Delays(
        first=timedelta(seconds=2), longest=timedelta(seconds=30), kept_for=timedelta(days=1)
    ),
    Kind.CODE: _CODES,
    Kind.CODE_DEVICE: _CODES,
    Kind.RECOVERY: _CODES,
}


@dataclass(frozen=True, slots=True)
class Open:
    """A try may be made."""


@dataclass(frozen=True, slots=True)
class Until:
    """No try for so many seconds, at least 1."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Locked:
    """No try until somebody ends the stop."""


Stop = Open | Until | Locked


def wait(counter: Counter, now: datetime) -> Stop:
    """Return whether a try may be made at *now*."""
    if counter.forever:
        return Locked()
    if counter.stopped_until is None or counter.stopped_until <= now:
        return Open()
    return Until(-((now - counter.stopped_until) // timedelta(seconds=1)))


def failed(kind: Kind, counter: Counter, now: datetime) -> Counter:
    """Return *counter* after one more failure at *now*."""
    delays, failures = _DELAYS[kind], counter.failures + 1
    over = failures - FREE_FAILURES - 1
    if over < 0:
        return Counter(failures=failures, last_at=now)
    delay = min(delays.first * 2 ** min(over, _MOST_DOUBLINGS), delays.longest)
    forever = delays.locks_at is not None and failures >= delays.locks_at
    return Counter(failures=failures, last_at=now, stopped_until=now + delay, forever=forever)


def kept_for(kind: Kind) -> timedelta | None:
    """Return how long after its last failure a counter is forgotten; ``None``: never."""
    return _DELAYS[kind].kept_for


def address_block(address: str) -> str:
    """Return what an address is counted by: IPv4 as it is, IPv6 by its /64, '' for what is no address."""
    match plain_address(address):
        case IPv6Address() as parsed:
            return str(IPv6Network((int(parsed), _IPV6_BLOCK), strict=False))
        case parsed:
            return str(parsed or "")
