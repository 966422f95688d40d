from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pytest

from practicus_mfa.errors import UnreachableError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import ConflictError
from practicus_mfa.kube.objects import Kind, Tree
from practicus_mfa.reconciler.cluster.election import Election


@dataclass
class OneLease:
    """An API server that keeps one Lease, with versions, and can be cut off."""

    lease: Tree | None = None
    version: int = 0
    down: bool = False
    requests: list[str] = field(default_factory=list)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Tree | None:
        self._come("get")
        return copy.deepcopy(self.lease)

    def create(self, kind: Kind, namespace: str | None, body: Tree) -> Tree:
        self._come("create")
        if self.lease is not None:
            raise ConflictError("there already", remedy="")
        return self._keep(body)

    def replace(self, kind: Kind, body: Tree) -> Tree:
        self._come("replace")
        if self.lease is None or body["metadata"].get("resourceVersion") != str(self.version):
            raise ConflictError("changed", remedy="")
        return self._keep(body)

    @property
    def holder(self) -> str:
        assert self.lease is not None
        return str(self.lease["spec"]["holderIdentity"])

    def _come(self, verb: str) -> None:
        self.requests.append(verb)
        if self.down:
            raise UnreachableError("down", remedy="")

    def _keep(self, body: Tree) -> Tree:
        self.version += 1
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.lease)


@dataclass
class Time:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


@pytest.fixture
def server() -> OneLease:
    return OneLease()


@pytest.fixture
def time() -> Time:
    return Time()


def elector(server: OneLease, time: Time, identity: str, led: list[str] | None = None) -> Election:
    return Election(
        cast("Cluster", server),
        "auth",
        "operator",
        identity,
        clock=time.utc,
        monotonic=time,
        on_lead=lambda: led.append(identity) if led is not None else None,
    )


def test_the_first_leads_and_the_second_stands_by(server: OneLease, time: Time) -> None:
    led: list[str] = []
    one, two = elector(server, time, "one", led), elector(server, time, "two", led)
    assert not one.lead()
    one._turn()
    two._turn()
    assert (one.lead(), two.lead()) == (True, False)
    assert led == ["one"]


def test_renewing_is_one_request(server: OneLease, time: Time) -> None:
    one = elector(server, time, "one")
    one._turn()
    server.requests.clear()
    for _ in range(5):
        time.now += 5
        one._turn()
        assert one.lead()
    assert server.requests == ["replace"] * 5


def test_who_can_not_renew_no_longer_leads_before_another_may(server: OneLease, time: Time) -> None:
    one, two = elector(server, time, "one"), elector(server, time, "two")
    one._turn()
    two._turn()
    time.now += 9.9
    assert one.lead()
    time.now += 0.1
    assert not one.lead()
    two._turn()
    assert not two.lead()
    time.now += 5
    two._turn()
    assert two.lead()
    assert server.lease is not None
    assert server.lease["spec"]["leaseTransitions"] == 1


def test_a_request_that_takes_long_counts_from_its_beginning(
    server: OneLease, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = elector(server, time, "one")
    create = server.create

    def slow(kind: Kind, namespace: str | None, body: Tree) -> Tree:
        time.now += 11
        return create(kind, namespace, body)

    monkeypatch.setattr(server, "create", slow)
    one._turn()
    assert server.holder == "one"
    assert not one.lead()
    one._turn()
    assert one.lead()


def test_of_two_that_see_an_old_lease_one_takes_it(server: OneLease, time: Time) -> None:
    elector(server, time, "gone")._turn()
    one, two = elector(server, time, "one"), elector(server, time, "two")
    one._turn()
    two._turn()
    time.now += 15
    seen = two._look()
    one._turn()
    with pytest.raises(ConflictError):
        two._write(seen)
    assert (one.lead(), two.lead()) == (True, False)


def test_a_standby_counts_from_when_it_began_to_look(server: OneLease, time: Time) -> None:
    elector(server, time, "gone")._turn()
    time.now += 1000
    late = elector(server, time, "late")
    late._turn()
    assert not late.lead()
    time.now += 15
    late._turn()
    assert late.lead()


def test_a_leader_that_was_overtaken_while_paused_sees_it(server: OneLease, time: Time) -> None:
    one, two = elector(server, time, "one"), elector(server, time, "two")
    one._turn()
    two._turn()
    time.now += 15
    two._turn()
    assert (one.lead(), two.lead()) == (False, True)
    one._turn()
    assert (one.lead(), two.lead()) == (False, True)
    assert server.holder == "two"


def test_a_lease_that_was_deleted_is_made_again(server: OneLease, time: Time) -> None:
    one = elector(server, time, "one")
    one._turn()
    server.lease = None
    time.now += 5
    with pytest.raises(ConflictError):
        one._turn()
    one._lease = None
    one._turn()
    assert one.lead()
    assert server.holder == "one"


def test_stopping_gives_the_lease_back_and_the_next_begins_at_once(server: OneLease, time: Time) -> None:
    one, two = elector(server, time, "one"), elector(server, time, "two")
    one._turn()
    two._turn()
    one.stop()
    assert not one.lead()
    one._give_back()
    assert server.holder == ""
    two._turn()
    assert two.lead()


def test_nobody_gives_back_what_it_does_not_hold(server: OneLease, time: Time) -> None:
    one, two = elector(server, time, "one"), elector(server, time, "two")
    one._turn()
    two._turn()
    two.stop()
    two._give_back()
    assert server.holder == "one"
    # It lost its place in between, and doesn't know it yet.
    assert server.lease is not None
    server.lease["spec"]["holderIdentity"] = "third"
    one._lease = None
    one.stop()
    one._give_back()
    assert server.holder == "third"


def test_who_could_not_ask_leads_once_it_can(server: OneLease, time: Time) -> None:
    server.down = True
    one = elector(server, time, "one")
    for _ in range(3):
        with pytest.raises(UnreachableError):
            one._turn()
        assert not one.lead()
    server.down = False
    one._turn()
    assert one.lead()
