"""What is over is deleted, and nothing that goes wrong there is anybody's trouble."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from practicus_mfa.errors import UnreachableError
from practicus_mfa.login import housekeeping
from practicus_mfa.login.housekeeping import MORE_SECONDS, PAUSE_SECONDS, Housekeeping
from practicus_mfa.storage.expiry import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from practicus_mfa.storage.engine import Database
    from practicus_mfa.storage.transaction import Transaction


class Store:
    """A database of which only transactions matter."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.transactions = 0

    @contextmanager
    def write(self) -> Iterator[None]:
        if self.away:
            raise UnreachableError("The database is away.", remedy="-")
        self.transactions += 1
        yield


def test_each_kind_is_deleted_in_a_transaction_of_its_own() -> None:
    store, done = Store(), []

    def delete(_connection: Transaction) -> int:
        done.append(store.transactions)
        return 1

    house = Housekeeping(cast("Database", store), [("these", delete), ("those", delete)])
    assert house.step() == PAUSE_SECONDS
    assert done == [1, 2]


def test_what_is_too_much_for_once_is_not_left_for_a_minute() -> None:
    house = Housekeeping(cast("Database", Store()), [("many", lambda _: AT_ONCE), ("few", lambda _: 1)])
    assert house.step() == MORE_SECONDS


def test_a_database_that_is_away_is_asked_again_a_minute_later() -> None:
    assert Housekeeping(cast("Database", Store(away=True))).step() == PAUSE_SECONDS


def test_everything_that_expires_is_deleted() -> None:
    names = {name for name, _ in housekeeping.TASKS}
    assert names == {
        "sessions",
        "half-logins",
        "set-up links",
        "pending factors",
        "known browsers",
        "counters",
        "tries at unknown names",
        "bulk runs",
    }
