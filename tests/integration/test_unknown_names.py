"""Tries at names that nobody has: a line of the audit for each address and minute, however many they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.engine import Engine

from practicus_mfa.login.context import Client
from practicus_mfa.login.log_in import WrongCredentials
from practicus_mfa.storage import audit, unknown_names
from practicus_mfa.storage import schema as s
from practicus_mfa.storage.engine import database_now
from tests.support.logging_in import HOME, Desk

if TYPE_CHECKING:
    from practicus_mfa.core.audit_chain import AuditLine
    from practicus_mfa.storage.engine import Database


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


def told(db: Database) -> tuple[AuditLine, ...]:
    with db.write() as connection:
        unknown_names.tell(connection)
    with db.read() as connection:
        return audit.read(connection, action="login", result="unknown names")


def waiting(db: Database) -> int:
    with db.read() as connection:
        return connection.execute(select(func.count()).select_from(s.unknown_names)).scalar_one()


def put_into_one_minute(db: Database, span: timedelta) -> None:
    """Have all tries made that long from now: they may have been made around the end of a minute."""
    with db.write() as connection:
        connection.execute(update(s.unknown_names).values(at=database_now(connection) + span))


def test_a_minute_is_told_of_when_it_is_over(desk: Desk) -> None:
    for number in range(3):
        assert desk.start(f"nobody{number}", "not the password") == WrongCredentials()
    desk.start("nobody", "not the password", client=Client(address="192.0.2.9"))
    put_into_one_minute(desk.db, timedelta(minutes=1))
    assert told(desk.db) == ()
    put_into_one_minute(desk.db, -timedelta(minutes=2))
    home, elsewhere = sorted(told(desk.db), key=lambda line: str(line.detail["address"]), reverse=True)
    assert (home.actor, home.subject) == ("login", "")
    assert (home.detail["address"], home.detail["failures"]) == (HOME.address, 3)
    assert str(home.detail["minute"]).endswith(":00.000000Z")
    assert (elsewhere.detail["address"], elsewhere.detail["failures"]) == ("192.0.2.9", 1)
    assert waiting(desk.db) == 0
    assert len(told(desk.db)) == 2


def test_each_minute_has_its_own_line(desk: Desk) -> None:
    desk.start("nobody", "not the password")
    desk.age("mfa_unknown_names", "at", timedelta(minutes=1))
    desk.start("nobody", "not the password")
    desk.age("mfa_unknown_names", "at", timedelta(minutes=2))
    assert [line.detail["failures"] for line in told(desk.db)] == [1, 1]


def test_a_minute_that_has_just_ended_may_still_get_a_row(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.start("nobody", "not the password")
    with desk.db.read() as connection:
        at = connection.execute(select(s.unknown_names.c.at)).scalar_one()
    ended = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for seconds, lines in ((9, 0), (10, 1)):
        now = ended + timedelta(seconds=seconds)
        monkeypatch.setattr(unknown_names, "database_now", lambda _, now=now: now)
        assert len(told(desk.db)) == lines


def test_a_name_that_somebody_has_is_not_among_them(desk: Desk) -> None:
    desk.enrolled("ada")
    desk.start("ada", "not the password")
    assert waiting(desk.db) == 0
    with desk.db.read() as connection:
        (line,) = audit.read(connection, subject="ada", result="wrong password")
    assert line.detail == {"address": HOME.address}


@pytest.mark.parametrize("device", [None, "whatever a stranger's browser says it is"])
def test_known_and_unknown_names_take_the_same_number_of_statements(desk: Desk, device: str | None) -> None:
    desk.enrolled("ada")
    asks = replace(HOME, device=device)
    kinds: dict[str, list[str]] = {}
    for name in ("ada", "nobody"):
        desk.start(name, "not the password", client=asks)  # the first try at a name makes its counters
        found = kinds.setdefault(name, [])

        def note(*call: object, found: list[str] = found) -> None:
            found.append(str(call[2]).split(maxsplit=1)[0])

        event.listen(Engine, "before_cursor_execute", note)
        try:
            desk.start(name, "not the password", client=asks)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    assert kinds["ada"] == kinds["nobody"]
