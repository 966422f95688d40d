"""A log-in replica as a reader: keys only under a lease, a lease that says what is read with."""

from __future__ import annotations

import pytest

from practicus_mfa.crypto.keys import HeldKeys, generate_key
from practicus_mfa.crypto.tokens import seal_canary
from practicus_mfa.errors import NotReadyError, UsageError
from practicus_mfa.login.keyring_reader import RENEWAL_SECONDS, KeyringReader
from practicus_mfa.storage.readers import LEASE
from tests.support.lease_desk import LeaseDesk, PretendKeyring, Seconds

OLD, NEW = generate_key(), generate_key()
LIFE = LEASE.total_seconds()


class Replica:
    """A reader with its surroundings."""

    def __init__(self) -> None:
        self.seconds = Seconds()
        self.desk = LeaseDesk(self.seconds)
        self.desk.let_write(OLD)
        self.keyring = PretendKeyring(HeldKeys([OLD]))
        self.reader = KeyringReader(self.keyring, self.desk, steady=self.seconds)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in the reader's own steps."""
        end = self.seconds.now + seconds
        while self.seconds.now < end:
            self.seconds.now += self.reader.step()

    def ready(self) -> bool:
        try:
            self.reader.keys()
        except NotReadyError:
            return False
        return True


@pytest.fixture
def replica() -> Replica:
    return Replica()


def test_no_key_is_handed_out_before_there_is_a_lease(replica: Replica) -> None:
    with pytest.raises(NotReadyError):
        replica.reader.keys()


def test_a_lease_says_what_is_held(replica: Replica) -> None:
    replica.reader.step()
    assert replica.desk.counted == set(replica.reader.keys()) == {OLD.id}
    assert replica.reader.standing().holds


def test_it_is_prolonged_in_time_and_not_more_often(replica: Replica) -> None:
    replica.pass_time(60)
    assert replica.ready()
    assert replica.desk.counted
    assert replica.desk.asked.count("renew") == pytest.approx(60 / RENEWAL_SECONDS, abs=2)
    assert replica.desk.asked.count("register") == 1
    assert replica.keyring.reads == 1


def test_a_new_key_is_registered_before_it_is_used(replica: Replica) -> None:
    replica.reader.step()
    replica.keyring.change(HeldKeys([OLD, NEW]))
    replica.desk.away = True
    replica.reader.step()
    assert set(replica.reader.keys()) == {OLD.id} == replica.desk.counted
    replica.desk.away = False
    replica.pass_time(1.5)
    assert set(replica.reader.keys()) == {OLD.id, NEW.id} == replica.desk.counted


def test_a_new_key_is_registered_at_the_next_look(replica: Replica) -> None:
    replica.reader.step()
    replica.keyring.change(HeldKeys([OLD, NEW]))
    replica.reader.step()
    assert replica.desk.counted == {OLD.id, NEW.id}


def test_a_key_that_leaves_the_keyring_leaves_the_lease(replica: Replica) -> None:
    replica.keyring.change(HeldKeys([OLD, NEW]))
    replica.reader.step()
    replica.keyring.change(HeldKeys([OLD]))
    replica.reader.step()
    assert set(replica.reader.keys()) == {OLD.id} == replica.desk.counted


def test_without_the_write_key_it_is_not_ready_until_the_keyring_brings_it(replica: Replica) -> None:
    replica.desk.let_write(NEW)
    replica.reader.step()
    assert not replica.ready()
    assert NEW.id in replica.reader.standing().refusal
    replica.keyring.change(HeldKeys([OLD, NEW]))
    replica.reader.step()
    assert replica.ready()
    assert replica.reader.standing().refusal == ""


def test_a_promotion_while_the_lease_was_lost_leaves_it_without_keys(replica: Replica) -> None:
    replica.reader.step()
    replica.desk.away = True
    replica.pass_time(LIFE + 1)
    replica.desk.let_write(NEW)
    replica.desk.away = False
    replica.pass_time(2)
    assert not replica.ready()
    assert replica.desk.counted is None


def test_who_is_not_counted_any_more_uses_no_key(replica: Replica) -> None:
    replica.reader.step()
    # No promotion does that while a lease lives; whoever changes the row by hand does.
    replica.desk.let_write(NEW)
    replica.pass_time(RENEWAL_SECONDS + 0.5)
    assert replica.desk.counted is None
    assert not replica.ready()


def test_the_database_away_keys_are_used_as_long_as_the_lease_lives(replica: Replica) -> None:
    replica.reader.step()
    replica.desk.away = True
    replica.pass_time(LIFE - 1)
    assert replica.ready()
    replica.pass_time(1)
    assert not replica.ready()
    standing = replica.reader.standing()
    assert standing.away
    assert standing.held_once
    assert not standing.holds
    replica.desk.away = False
    replica.pass_time(1.5)
    assert replica.ready()


@pytest.mark.parametrize("takes", [0.0, 0.5, 3.0, 14.0, 20.0])
def test_it_never_believes_in_a_lease_longer_than_the_database(replica: Replica, takes: float) -> None:
    replica.desk.takes = takes
    replica.reader.step()
    replica.desk.away = True
    while replica.seconds.now < 1_060:
        assert not replica.ready() or replica.desk.counted
        replica.seconds.now += 0.1


def test_a_lease_that_others_saw_expire_is_begun_anew(replica: Replica) -> None:
    replica.reader.step()
    replica.desk.expires = float("-inf")
    replica.pass_time(RENEWAL_SECONDS + 1)
    assert replica.desk.asked.count("register") == 2
    assert replica.desk.counted == {OLD.id}


def test_a_damaged_keyring_leaves_what_is_held_while_the_lease_lives(replica: Replica) -> None:
    replica.reader.step()
    replica.keyring.fault = "it was cut short"
    replica.keyring.version += 1
    replica.pass_time(60)
    assert set(replica.reader.keys()) == {OLD.id}
    assert replica.reader.standing().keyring_fault == "it was cut short"
    replica.desk.away = True
    replica.pass_time(LIFE + 1)
    replica.desk.away = False
    replica.pass_time(5)
    assert not replica.ready()
    replica.keyring.fault = ""
    replica.reader.step()
    replica.pass_time(1.5)
    assert replica.ready()
    assert replica.reader.standing().keyring_fault == ""


def test_without_a_keyring_it_waits_for_one(replica: Replica) -> None:
    replica.keyring.fault = "there is no file"
    replica.pass_time(3)
    assert not replica.ready()
    assert replica.desk.asked == []
    replica.keyring.fault = ""
    replica.pass_time(1.5)
    assert replica.ready()


def test_a_key_whose_canary_it_does_not_open_is_not_believed(replica: Replica) -> None:
    replica.desk.live[OLD.id] = seal_canary(NEW)
    replica.reader.step()
    assert not replica.ready()
    assert replica.reader.standing().refusal.startswith(f"key {OLD.id} does not open its canary")
    assert "register" not in replica.desk.asked


def test_a_live_key_that_is_not_held_is_no_hindrance(replica: Replica) -> None:
    replica.desk.live[NEW.id] = seal_canary(NEW)
    replica.reader.step()
    assert replica.ready()


def test_tables_that_are_not_there_are_told_of(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise UsageError("The database is not set up.", remedy="-")

    monkeypatch.setattr(replica.desk, "canaries", missing)
    replica.reader.step()
    assert replica.reader.standing().refusal == "The database is not set up."


def test_withdrawn_it_hands_out_no_key_and_is_counted_no_more(replica: Replica) -> None:
    replica.reader.step()
    replica.reader.withdraw()
    assert not replica.ready()
    assert replica.desk.counted is None


def test_a_database_that_is_away_keeps_nobody_from_ending(replica: Replica) -> None:
    replica.reader.step()
    replica.desk.away = True
    replica.reader.withdraw()
    assert not replica.ready()
