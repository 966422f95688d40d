"""How often somebody may try."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from practicus_mfa.core.login.throttle import (
    Counter,
    Kind,
    Locked,
    Open,
    Until,
    address_block,
    failed,
    kept_for,
    wait,
)

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
CODES: Final = [Kind.CODE, Kind.CODE_DEVICE, Kind.RECOVERY]
PASSWORDS: Final = [Kind.PASSWORD_HERE, Kind.PASSWORD_ANYWHERE]


def after(kind: Kind, failures: int) -> Counter:
    return failed(kind, Counter(failures=failures - 1), NOW)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("failures", [1, 2, 3, 4])
def test_four_mistakes_cost_nothing(kind: Kind, failures: int) -> None:
    assert after(kind, failures) == Counter(failures=failures, last_at=NOW)
    assert wait(after(kind, failures), NOW) == Open()


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        (Kind.PASSWORD_HERE, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]),
        (Kind.PASSWORD_ANYWHERE, [2, 4, 8, 16, 30, 30]),
        *((kind, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]) for kind in CODES),
    ],
)
def test_from_the_fifth_on_each_doubles_the_wait(kind: Kind, seconds: list[int]) -> None:
    counters = [after(kind, 5 + index) for index in range(len(seconds))]
    assert [wait(counter, NOW) for counter in counters] == [Until(some) for some in seconds]


def test_a_wait_is_told_in_whole_seconds_until_it_is_over() -> None:
    counter = after(Kind.CODE, 5)
    moment = timedelta(microseconds=1)
    assert wait(counter, NOW + timedelta(seconds=29)) == Until(1)
    assert wait(counter, NOW + timedelta(seconds=28) + moment) == Until(2)
    assert wait(counter, NOW + timedelta(seconds=30) - moment) == Until(1)
    assert wait(counter, NOW + timedelta(seconds=30)) == Open()


@pytest.mark.parametrize("kind", CODES)
def test_the_hundredth_wrong_code_is_the_last(kind: Kind) -> None:
    assert wait(after(kind, 99), NOW + timedelta(hours=1)) == Open()
    for years in (0, 50):
        assert wait(after(kind, 100), NOW + timedelta(days=365 * years)) == Locked()
    assert wait(after(kind, 101), NOW) == Locked()
    assert kept_for(kind) is None


@pytest.mark.parametrize("kind", PASSWORDS)
def test_no_number_of_wrong_passwords_locks_anybody_out(kind: Kind) -> None:
    at_most = wait(after(kind, 10**9), NOW)
    assert at_most == Until(900 if kind is Kind.PASSWORD_HERE else 30)
    assert kept_for(kind) == timedelta(days=1)


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("192.0.2.7:80", ""),
        ("a unix socket", ""),
    ],
)
def test_what_an_address_is_counted_by(address: str, block: str) -> None:
    assert address_block(address) == block
