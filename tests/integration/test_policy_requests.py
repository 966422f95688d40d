"""Requests of the settings page on real databases: who is heard, what is applied, and interruptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from practicus_mfa.core.settings_requests import NOT_ALLOWED, READ_ONLY, TOO_OLD
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.errors import SupersededError, UnreachableError, UsageError
from practicus_mfa.reconciler import settings
from practicus_mfa.reconciler.ports import StoredPolicy
from practicus_mfa.storage import audit, policy_requests, schema
from practicus_mfa.storage.claims import take_claim
from tests.support.forged_documents import FORGED, stored
from tests.support.people import audited
from tests.support.settings_requests import Requested
from tests.support.stores import IDENTITY

if TYPE_CHECKING:
    from pathlib import Path

    from practicus_mfa.errors import MfaError
    from practicus_mfa.storage.engine import Database

MANDATORY: dict[str, Any] = {"mfa": {"mandatory": True}}


@pytest.fixture
def requested(db: Database, tmp_path: Path) -> Requested:
    root = tmp_path / "data"
    root.mkdir()
    return Requested(db, DataFolder(root), tmp_path / "values.yaml")


@dataclass
class Spoilt:
    """The folder's policy, where writing it goes wrong."""

    requested: Requested
    error: MfaError
    after: bool = False

    def read(self) -> StoredPolicy:
        return self.requested.stored.read()

    def override(self, present: StoredPolicy, overrides: Mapping[str, Any], *, request: str) -> int:
        if self.after:
            self.requested.stored.override(present, overrides, request=request)
        raise self.error


def test_a_change_is_applied_answered_audited_and_in_force_at_once(requested: Requested) -> None:
    changes = {"mfa": {"mandatory": True, "gracePeriodDays": 7}, "rememberMe": {"days": 14}}
    number = requested.ask(changes)
    handled = requested.handle()
    assert requested.overrides == changes
    assert requested.outcome(number) == ("applied", "")
    assert requested.find(number).handled_at is not None
    assert requested.in_force() is not None
    generation, in_force = requested.in_force() or (0, {})
    assert generation == requested.generation == 2
    assert in_force["mfa"]["gracePeriodDays"] == 7
    assert in_force["overridden"] == ["mfa.gracePeriodDays", "mfa.mandatory", "rememberMe.days"]
    assert in_force["values"]["rememberMe"]["days"] == 30
    # The name that is audited is the user's, not the one in the row.
    assert audited(requested.db) == [("root", "policy.change", "", "done")]
    with requested.db.read() as connection:
        (line,) = audit.read(connection)
    assert line.detail == {"request": number, "changes": changes}
    (event,) = handled.events
    assert (event.reason, event.warning) == ("PolicyChanged", False)
    assert event.message == (
        "root changed the policy on the settings page: mfa.mandatory is true (was false), "
        "mfa.gracePeriodDays is 7 (was 0), rememberMe.days is 14 (was 30)."
    )
    assert requested.handle().count == 0


def test_a_value_returns_to_values_yaml(requested: Requested) -> None:
    requested.ask({"mfa": {"mandatory": True}, "rememberMe": {"days": 14}})
    requested.handle()
    requested.ask({"mfa": {"mandatory": None}})
    requested.handle()
    assert requested.overrides == {"rememberMe": {"days": 14}}
    requested.ask({"rememberMe": {"days": None}})
    (event,) = requested.handle().events
    assert requested.overrides == {}
    assert "rememberMe.days is 30 as in values.yaml (was 14)" in event.message


def test_requests_are_handled_one_at_a_time_and_the_oldest_first(requested: Requested) -> None:
    for days in (5, 6, 7):
        requested.ask({"rememberMe": {"days": days}})
    handled = requested.handle()
    assert handled.count == 3
    assert [event.message.rpartition(": ")[2] for event in handled.events] == [
        "rememberMe.days is 5 (was 30).",
        "rememberMe.days is 6 (was 5).",
        "rememberMe.days is 7 (was 6).",
    ]
    assert len({event.occasion for event in handled.events}) == 3
    assert requested.overrides == {"rememberMe": {"days": 7}}
    assert handled.values == {"rememberMe.days": 7}


def test_a_flood_of_requests_does_not_hold_a_pass_up(requested: Requested) -> None:
    for _ in range(settings.MOST_A_PASS + 1):
        requested.ask({"forged": 1})
    assert requested.handle().count == settings.MOST_A_PASS
    assert requested.handle().count == 1


def test_who_waits_longer_than_a_minute_is_refused(requested: Requested) -> None:
    late = requested.ask(MANDATORY, age=timedelta(seconds=61))
    soon = requested.ask({"mfa": {"gracePeriodDays": 3}}, age=timedelta(seconds=20))
    requested.handle()
    assert requested.outcome(late) == ("refused", TOO_OLD)
    assert requested.outcome(soon) == ("applied", "")
    assert requested.overrides == {"mfa": {"gracePeriodDays": 3}}
    assert ("root", "policy.change", "", "refused") in audited(requested.db)


@pytest.mark.parametrize(
    "author", [{"is_staff": True}, {"is_superuser": True, "is_active": False}, {}, None], ids=str
)
def test_only_active_superusers_are_heard(requested: Requested, author: dict[str, bool] | None) -> None:
    number = requested.ask(MANDATORY, author=4711 if author is None else requested.user("eve", **author))
    requested.handle()
    assert requested.outcome(number) == ("refused", NOT_ALLOWED)
    assert requested.overrides == {}
    who = "user 4711" if author is None else "eve"
    assert audited(requested.db) == [(who, "policy.change", "", "refused")]


def test_who_is_disabled_while_the_request_waits_is_not_heard(requested: Requested) -> None:
    number = requested.ask(MANDATORY)
    requested.disable("root")
    requested.handle()
    assert requested.outcome(number) == ("refused", NOT_ALLOWED)


@pytest.mark.parametrize(("page", "applied"), [("edit", [1, 2, 3]), ("tighten", [1, 3]), ("read", [])])
def test_what_values_yaml_allows_the_page_is_kept_by_the_operator(
    requested: Requested, page: str, applied: list[int]
) -> None:
    requested.install(page, rememberMe={"days": 20})
    for changes in (MANDATORY, {"rememberMe": {"days": 21}}, {"mfa": {"mandatory": None}}):
        requested.ask(changes)
    requested.handle()
    found = [number for number in (1, 2, 3) if requested.outcome(number)[0] == "applied"]
    assert found == applied
    if page == "read":
        assert requested.outcome(1)[1] == READ_ONLY


@pytest.mark.parametrize(
    "changes",
    [
        {"secretStoreRef": {"name": "mine"}},
        {"overrides": MANDATORY},
        {"session": {"hours": 876_000}, **MANDATORY},
        {"mfa": {"mandatory": "no"}},
        "DROP TABLE",
        7,
        [],
        {},
    ],
    ids=str,
)
def test_anything_else_is_refused_and_not_repeated(requested: Requested, changes: object) -> None:
    number = requested.ask(changes)
    requested.handle()
    outcome, message = requested.outcome(number)
    assert outcome == "refused"
    assert message
    assert requested.overrides == {}
    with requested.db.read() as connection:
        (line,) = audit.read(connection)
    assert "mine" not in str(line.detail)
    assert "DROP" not in str(line.detail)


@pytest.mark.parametrize("forged", [*FORGED, "length"])
def test_a_row_that_nobody_can_read_keeps_no_other_waiting(requested: Requested, forged: str) -> None:
    first, second = requested.ask(MANDATORY), requested.ask({"rememberMe": {"days": 14}})
    long = f'{{"mfa": {{"mandatory": true, "more": "{"x" * 20_000}"}}}}'
    changes = stored(requested.db, FORGED.get(forged, long))
    with requested.db.write() as connection:
        table = schema.policy_requests
        connection.execute(update(table).where(table.c.id == first).values(changes=changes))
    requested.handle()
    assert requested.outcome(first)[0] == "refused"
    assert requested.outcome(second) == ("applied", "")
    assert requested.overrides == {"rememberMe": {"days": 14}}


def test_what_changes_nothing_is_applied_without_a_word(requested: Requested) -> None:
    requested.ask(MANDATORY)
    requested.handle()
    before = requested.folder.policy.read_bytes()
    number = requested.ask(MANDATORY)
    handled = requested.handle()
    assert requested.outcome(number) == ("applied", "")
    assert (handled.events, handled.values) == ([], {})
    assert requested.folder.policy.read_bytes() == before


# Interruptions


def test_who_is_interrupted_before_the_answer_applies_it_once(requested: Requested) -> None:
    number = requested.ask(MANDATORY)
    with pytest.raises(UnreachableError):
        requested.handle(Spoilt(requested, UnreachableError("gone", remedy=""), after=True))
    assert requested.outcome(number) == (None, "")
    before = requested.folder.policy.read_bytes()
    (event,) = requested.handle().events
    assert event.message.endswith("settings page: mfa.mandatory is true.")
    assert requested.outcome(number) == ("applied", "")
    assert requested.folder.policy.read_bytes() == before
    assert audited(requested.db) == [("root", "policy.change", "", "done")]


def test_what_was_applied_is_never_told_to_be_refused(
    requested: Requested, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = requested.ask(MANDATORY)
    with pytest.raises(UnreachableError):
        requested.handle(Spoilt(requested, UnreachableError("gone", remedy=""), after=True))
    # An operator came back late; and who asked was disabled meanwhile.
    monkeypatch.setattr(settings, "GOOD_FOR", timedelta())
    requested.disable("root")
    requested.handle()
    assert requested.outcome(number) == ("applied", "")
    assert audited(requested.db) == [("root", "policy.change", "", "done")]


def test_a_request_waits_while_the_policy_can_not_be_written(requested: Requested) -> None:
    number = requested.ask(MANDATORY)
    with pytest.raises(UnreachableError):
        requested.handle(Spoilt(requested, UnreachableError("gone", remedy="")))
    assert requested.outcome(number) == (None, "")
    requested.handle()
    assert requested.outcome(number) == ("applied", "")


def test_a_policy_that_may_not_be_written_so_refuses_it(requested: Requested) -> None:
    number = requested.ask(MANDATORY)
    requested.handle(Spoilt(requested, UsageError("no right", remedy="give it")))
    assert requested.outcome(number) == ("refused", "no right: give it")


def test_an_operator_that_was_relieved_answers_nothing(requested: Requested) -> None:
    number = requested.ask(MANDATORY)
    newer = take_claim(requested.db, replace(IDENTITY, owner="operator-2"))
    assert newer
    with pytest.raises(SupersededError):
        requested.handle()
    assert requested.outcome(number) == (None, "")
    assert requested.overrides == {}
    assert audited(requested.db) == []


# What the settings page reads


def test_what_was_applied_is_listed_newest_first(requested: Requested) -> None:
    for days in (5, 0, 6):
        requested.ask({"rememberMe": {"days": days}})
    requested.handle()
    with requested.db.read() as connection:
        found = policy_requests.newest_applied(connection, 10)
        assert [each.changes["rememberMe"]["days"] for each in found] == [6, 5]
        assert not policy_requests.is_any_open(connection)
    with requested.db.write() as connection:
        number = policy_requests.ask(connection, author_id=requested.root, author="root", changes=MANDATORY)
    with requested.db.read() as connection:
        assert policy_requests.is_any_open(connection)
        assert policy_requests.find(connection, 4711) is None
    assert requested.find(number).author == "root"
