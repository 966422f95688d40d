from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from practicus_mfa.core.events import Event
from practicus_mfa.errors import UnreachableError
from practicus_mfa.kube.faults import ConflictError
from practicus_mfa.kube.objects import EVENTS, POLICIES
from practicus_mfa.reconciler.cluster import publish
from practicus_mfa.reconciler.cluster.publish import DATES, NUMBERS, UNTOLD, Publisher, patience, spelled

NOW = datetime(2026, 5, 1, 12, 30, 15, 250_000, UTC)

WRITTEN: dict[str, Any] = {
    "observedGeneration": 1,
    "conditions": [{"type": "Ready", "status": "False", "reason": "Migrating", "message": "5 rows are left"}],
    "users": {"total": 9, "enrolled": 9, "active": 4, "rolling": 5, "unknown": 0, "corrupt": 0},
    "tables": [{"table": "notes", "rolling": 3, "scannedAt": "2026-05-01T12:00:00Z"}],
    "readers": {"total": 2, "converged": 1},
    "rotation": {"id": 1, "step": "Migrate", "migrated": 4, "remaining": 5},
    "lastScanTime": "2026-05-01T12:00:00Z",
    "auditHead": {"count": 7, "hash": "aa"},
}


def changed(**parts: object) -> dict[str, Any]:
    return {**WRITTEN, **parts}


@pytest.mark.parametrize(
    "wanted",
    [
        changed(observedGeneration=2),
        changed(conditions=[{**WRITTEN["conditions"][0], "reason": "Verifying"}]),
        changed(conditions=[{**WRITTEN["conditions"][0], "status": "True"}]),
        changed(rotation={**WRITTEN["rotation"], "id": 2}),
        changed(tables=[]),
        changed(activeKeyID="0123456789ab"),
    ],
)
def test_what_somebody_waits_for_is_written_at_once(wanted: dict[str, Any]) -> None:
    assert patience(WRITTEN, wanted) == 0


@pytest.mark.parametrize(
    "wanted",
    [
        changed(conditions=[{**WRITTEN["conditions"][0], "message": "4 rows are left"}]),
        changed(users={**WRITTEN["users"], "active": 5, "rolling": 4}),
        changed(rotation={**WRITTEN["rotation"], "step": "Verify"}),
        changed(rotation={**WRITTEN["rotation"], "attempt": 2}),
        changed(keyringGeneration=7),
        changed(rotation={**WRITTEN["rotation"], "migrated": 5, "remaining": 4}),
        changed(readers={"total": 2, "converged": 2}),
        changed(tables=[{**WRITTEN["tables"][0], "rolling": 2}]),
    ],
)
def test_numbers_are_written_every_few_seconds(wanted: dict[str, Any]) -> None:
    assert patience(WRITTEN, wanted) == NUMBERS


@pytest.mark.parametrize(
    "wanted",
    [
        changed(lastScanTime="2026-05-01T12:01:00Z"),
        changed(tables=[{**WRITTEN["tables"][0], "scannedAt": "2026-05-01T12:01:00Z"}]),
        changed(auditHead={"count": 8, "hash": "ab"}),
    ],
)
def test_a_date_alone_is_written_every_few_minutes(wanted: dict[str, Any]) -> None:
    assert patience(WRITTEN, wanted) == DATES


def test_what_is_the_same_is_not_written() -> None:
    assert patience(WRITTEN, changed()) is None


def test_what_has_no_value_is_left_out_and_the_rest_is_plain() -> None:
    class Word(str):
        __slots__ = ()

    found = spelled(
        {"rotation": {"completedAt": None, "id": 1}, "tables": ({"table": Word("a")},), "on": True}
    )
    assert found == {"rotation": {"id": 1}, "tables": [{"table": "a"}], "on": True}
    assert type(found["tables"][0]["table"]) is str


class Server:
    """Notes what is written."""

    def __init__(self, *, down: bool = False) -> None:
        self.statuses: list[Any] = []
        self.events: list[Any] = []
        self.down = down

    def replace_status(self, kind: object, body: dict[str, Any]) -> dict[str, Any]:
        assert kind is POLICIES
        self.statuses.append(body["status"])
        return body

    def create(self, kind: object, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        assert (kind, namespace) == (EVENTS, "team")
        if self.down:
            raise UnreachableError("no answer", remedy="wait")
        if body["metadata"]["name"] in {event["metadata"]["name"] for event in self.events}:
            raise ConflictError("it is there", remedy="wait")
        self.events.append(body)
        return body


def policy(status: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"namespace": "team", "name": "mfa", "uid": "one"}, "status": status}


def publisher(server: Server, seconds: list[float]) -> Publisher:
    return Publisher(server, lambda: NOW, "pod-1", monotonic=lambda: seconds[0])  # type: ignore[arg-type]


def test_a_number_that_moved_waits_until_the_last_write_is_old_enough() -> None:
    server, seconds = Server(), [100.0]
    told = publisher(server, seconds)
    moved = changed(readers={"total": 2, "converged": 2})
    assert told.status(policy(WRITTEN), moved) is not None
    again = changed(readers={"total": 3, "converged": 2})
    assert told.due_in is None
    seconds[0] += NUMBERS / 4
    assert told.status(policy(moved), again) is None
    assert told.due_in == NUMBERS * 3 / 4
    seconds[0] += NUMBERS * 3 / 4
    assert told.status(policy(moved), again) is not None
    assert told.due_in is None
    assert server.statuses == [moved, again]


def test_a_condition_does_not_wait() -> None:
    server, seconds = Server(), [100.0]
    told = publisher(server, seconds)
    told.status(policy(WRITTEN), changed(readers={"total": 2, "converged": 2}))
    ready = changed(conditions=[{**WRITTEN["conditions"][0], "status": "True"}])
    told.status(policy(WRITTEN), ready)
    assert server.statuses[-1] == ready


def test_the_end_of_the_audit_goes_to_the_log_when_it_is_published(caplog: pytest.LogCaptureFixture) -> None:
    server, seconds = Server(), [100.0]
    caplog.set_level("INFO", publish.log.name)

    def logged() -> list[str]:
        # What threads of other tests still say is none of it.
        return [record.getMessage() for record in caplog.records if record.name == publish.log.name]

    told = publisher(server, seconds)
    moved = changed(auditHead={"count": 8, "hash": "ab"})
    told.status(policy(WRITTEN), moved)
    assert logged() == ["The audit's head is 8:ab."]
    seconds[0] += DATES
    told.status(policy(moved), {**moved, "observedGeneration": 2})
    assert len(server.statuses) == 2
    assert len(logged()) == 1


def test_an_event_names_the_policy_and_the_time() -> None:
    server = Server()
    publisher(server, [0.0]).events(policy({}), [Event("KeyPromoted", "Key x is active.", warning=False)])
    (event,) = server.events
    assert event["involvedObject"]["uid"] == "one"
    assert (event["reason"], event["message"], event["type"]) == ("KeyPromoted", "Key x is active.", "Normal")
    assert event["eventTime"] == "2026-05-01T12:30:15.250000Z"
    assert event["reportingInstance"] == "pod-1"


def test_a_long_message_is_cut_to_what_the_server_takes() -> None:
    server = Server()
    publisher(server, [0.0]).events(policy({}), [Event("CorruptRowsFound", "x" * 5_000, warning=True)])
    assert (len(server.events[0]["message"]), server.events[0]["type"]) == (1_024, "Warning")


def test_what_another_operator_has_told_already_is_not_told_again(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    caplog.set_level("INFO")
    told = [
        Event("RotationStarted", "Rotation 1 began.", occasion="1"),
        Event("KeyPromoted", "Key x is active.", occasion="1"),
        Event("RotationStarted", "Rotation 2 began.", occasion="2"),
    ]
    publisher(server, [0.0]).events(policy({}), told[:2])
    publisher(server, [0.0]).events(policy({}), told)
    assert [event["message"] for event in server.events] == [event.message for event in told]
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [
        event.reason for event in told
    ]


def test_an_event_that_can_not_be_written_ends_no_pass_and_is_told_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(down=True)
    told = publisher(server, [0.0])
    told.events(policy({}), [Event("KeyPromoted", "Key x.", warning=False)])
    assert "An event can't be written: KeyPromoted: no answer" in caplog.text
    server.down = False
    told.events(policy({}), [Event("OldKeyRetired", "No row.", warning=False)])
    told.events(policy({}), [])
    assert [event["reason"] for event in server.events] == ["KeyPromoted", "OldKeyRetired"]


def test_of_too_many_events_the_first_are_lost() -> None:
    server = Server(down=True)
    told = publisher(server, [0.0])
    for number in range(UNTOLD + 5):
        told.events(policy({}), [Event("PolicyChanged", f"{number}", occasion=f"{number}")])
    server.down = False
    told.events(policy({}), [])
    assert [event["message"] for event in server.events] == [str(number) for number in range(5, UNTOLD + 5)]
