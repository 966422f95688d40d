"""What recover cleared is put back: the app, the codes that were left, and nothing that was used."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, insert, select, update

from practicus_mfa.clock import utc_now
from practicus_mfa.core.login.rules import Step
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.tokens import seal_canary
from practicus_mfa.errors import UsageError
from practicus_mfa.login import administer
from practicus_mfa.login.enrol import AlreadyEnrolledError, enrol, open_factor
from practicus_mfa.login.recover import recover
from practicus_mfa.login.recovery_file import from_text
from practicus_mfa.login.restore_mfa import Restored, restore_mfa
from practicus_mfa.login.session_start import LoggedIn
from practicus_mfa.storage import factors, recovery_codes, schema
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.keys import Promoted, set_write_key
from practicus_mfa.storage.recovery_archive import newest
from tests.support.logging_in import Desk
from tests.support.people import NEW, OLD, PASSWORD, SECRET, audited
from tests.support.stores import claimed

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database
    from practicus_mfa.storage.factors import Factor
    from practicus_mfa.storage.users import User

LEFT, USED = b"l" * 32, b"u" * 32


@pytest.fixture
def desk(db: Database) -> Desk:
    """A desk whose clock is the database's, where ada has MFA and a recovery code that she has not used."""
    desk = Desk(db, now=utc_now())
    desk.enrolled("ada")
    administer.set_password(db, "ada", PASSWORD, actor="test")
    with db.write() as connection:
        (factor,) = factors.of_user(connection, ada(desk).id)
        recovery_codes.replace(connection, factor.id, [LEFT, USED])
        assert recovery_codes.use(connection, ada(desk).id, USED)
    return desk


def ada(desk: Desk) -> User:
    return desk.people.get("ada")


def factors_of(desk: Desk) -> tuple[Factor, ...]:
    with desk.db.read() as connection:
        return factors.of_user(connection, ada(desk).id)


def restore(desk: Desk, text: str = "") -> Restored:
    given = from_text(text, source="it") if text else None
    return restore_mfa(desk.db, "Ada", actor="root", given=given)


def recovered(desk: Desk) -> str:
    """Clear ada's MFA; return what a file has of it."""
    texts: list[str] = []
    recover(desk.db, "ada", actor="root", backup=texts.append)
    assert factors_of(desk) == ()
    return texts[0]


@pytest.mark.parametrize("by_file", [False, True])
def test_the_app_and_the_codes_that_were_left_are_good_again(desk: Desk, by_file: bool) -> None:
    text = recovered(desk)
    done = restore(desk, text if by_file else "")
    assert (done.user.username, done.factors, done.codes, done.absent_keys) == ("ada", 1, 1, frozenset())
    (factor,) = factors_of(desk)
    assert open_factor(factor, HeldKeys([NEW])).secret == SECRET
    assert (factor.key_id, factor.fault) == (NEW.id, None)
    with desk.db.write() as connection:
        assert not recovery_codes.use(connection, ada(desk).id, USED)
        assert recovery_codes.use(connection, ada(desk).id, LEFT)
        assert newest(connection, ada(desk).id) is None
        assert connection.execute(select(schema.recovery_archive.c.rows)).scalars().all() == [{}]
    assert audited(desk.db)[-1] == ("root", "mfa.restore", "ada", "done")


def test_no_code_that_was_shown_before_is_good_again(desk: Desk) -> None:
    recovered(desk)
    restore(desk)
    with desk.db.read() as connection:
        desk.now = database_now(connection)
    step = int(desk.now.timestamp()) // 30
    (factor,) = factors_of(desk)
    assert factor.totp.last_step in (step, step - 1)
    half = desk.half("ada")
    shown = factor.totp.last_step - step
    for steps in (shown - 1, shown):
        assert not isinstance(desk.give_code(half, desk.code(steps=steps)), LoggedIn)
    assert isinstance(desk.give_code(half, desk.code(steps=shown + 1)), LoggedIn)


def test_a_later_step_than_now_stays_used(desk: Desk) -> None:
    ahead = int(utc_now().timestamp()) // 30 + 1_000
    with desk.db.write() as connection:
        connection.execute(update(schema.factors).values(last_step=ahead))
    recovered(desk)
    restore(desk)
    assert [factor.totp.last_step for factor in factors_of(desk)] == [ahead]


def test_the_period_and_the_drift_of_a_device_are_reckoned_with(desk: Desk) -> None:
    with desk.db.write() as connection:
        connection.execute(update(schema.factors).values(period=60, drift=7))
    recovered(desk)
    before = int(utc_now().timestamp()) // 60
    restore(desk)
    (factor,) = factors_of(desk)
    assert before + 7 <= factor.totp.last_step <= int(utc_now().timestamp()) // 60 + 7


def test_whoever_logged_in_without_it_is_logged_out(desk: Desk) -> None:
    recovered(desk)
    desk.log_in("ada")
    desk.half("ada", Step.REMEMBER)
    restore(desk)
    with desk.db.read() as connection:
        for table in (schema.sessions, schema.half_logins):
            assert connection.execute(select(table.c.id)).all() == []


# --- refusals -----------------------------------------------------------------------------------------


def test_who_has_enrolled_meanwhile_is_left_alone(desk: Desk) -> None:
    text = recovered(desk)
    enrol(desk.db, "ada", b"another secret, 20 b", keys=desk.held, clock=utc_now, actor="ada")
    for given in ("", text):
        with pytest.raises(AlreadyEnrolledError):
            restore(desk, given)
    (factor,) = factors_of(desk)
    assert open_factor(factor, desk.held).secret != SECRET


def test_the_same_is_put_back_once(desk: Desk) -> None:
    text = recovered(desk)
    restore(desk)
    administer.remove_mfa(desk.db, "ada", actor="root")
    with pytest.raises(UsageError) as empty:
        restore(desk)
    assert empty.value.message == "The archive has nothing of ada that is to be put back."
    with pytest.raises(UsageError) as again:
        restore(desk, text)
    assert again.value.message.startswith("This was put back before")


def test_a_file_of_a_database_without_archive_is_put_back_once_too(desk: Desk) -> None:
    text = recovered(desk)
    with desk.db.write() as connection:
        connection.execute(delete(schema.recovery_archive))
    restore(desk, text)
    administer.remove_mfa(desk.db, "ada", actor="root")
    with pytest.raises(UsageError):
        restore(desk, text)
    assert factors_of(desk) == ()


def test_the_newest_is_taken(desk: Desk) -> None:
    recovered(desk)
    restore(desk)
    with desk.db.write() as connection:
        connection.execute(update(schema.factors).values(digits=8))
    recovered(desk)
    assert restore(desk).factors == 1
    assert [factor.totp.digits for factor in factors_of(desk)] == [8]


def test_what_is_of_another_user_is_refused(desk: Desk) -> None:
    text = recovered(desk)
    desk.people.add("bob")
    with pytest.raises(UsageError) as refused:
        restore_mfa(desk.db, "bob", actor="root", given=from_text(text, source="it"))
    assert refused.value.message.startswith("The file is of another user than bob")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tree: tree | {"rows": {"mfa_factors": [{"token": "t", "period": 0}]}},
        lambda tree: tree | {"rows": {"mfa_factors": [{"token": 1}]}},
        lambda tree: tree | {"rows": {"mfa_factors": [{"tokn": "t"}]}},
        lambda tree: tree | {"rows": {"mfa_factors": [{"token": "t", "drift": 10**30}]}},
        lambda tree: tree | {"rows": {"mfa_factors": [{"token": "t", "last_step": 2**63}]}},
        lambda tree: tree | {"rows": {"mfa_factors": [{"token": "t", "digits": 2**40}]}},
        lambda tree: tree | {"rows": {"mfa_factors": [{"token": "t", "algorithm": None}]}},
        lambda tree: tree | {"rows": {"mfa_factors": [{"token": "t\0"}]}},
        lambda tree: tree | {"rows": {"mfa_factors": [{"token": "t", "algorithm": "\ud800"}]}},
        lambda tree: (
            tree | {"rows": {"mfa_factors": [{"token": "t", "created_at": "0001-01-01T00:00+14:00"}]}}
        ),
        lambda tree: tree | {"rows": {**tree["rows"], "mfa_recovery_codes": [{"factor_id": 1}]}},
        lambda tree: tree | {"rows": {name: rows * 2 for name, rows in tree["rows"].items()}},
        lambda tree: tree | {"rows": {"mfa_factors": [[]]}},
        lambda tree: tree | {"rows": {"mfa_factors": [{"token": [{}]}]}},
    ],
)
def test_a_file_that_was_edited_changes_nothing(desk: Desk, spoil: object) -> None:
    text = recovered(desk)
    with pytest.raises(UsageError) as refused:
        restore(desk, json.dumps(spoil(json.loads(text))))  # type: ignore[operator]
    assert refused.value.message.startswith("What was kept of ada can't be put back: ")
    assert factors_of(desk) == ()


FROM_BEFORE_ALL_TIME = (
    '{"format": "practicus-mfa recover", "version": 1, "user": {"id": 1, "username": "ada"}, '
    '"at": "0001-01-01T00:00:00+14:00", "rows": {}}'
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"format": "practicus-mfa recover"}',
        "{",
        pytest.param("[" * 100_000, id="levels"),
        pytest.param(f'{{"at": {"1" * 5_000}}}', id="digits"),
        pytest.param(FROM_BEFORE_ALL_TIME, id="time"),
    ],
)
def test_what_is_no_such_file_is_told(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        from_text(text, source="FILE")
    assert refused.value.message.startswith("FILE is nothing that practicus-mfa recover wrote")


# --- keys ---------------------------------------------------------------------------------------------


def test_a_factor_under_a_retired_key_waits_for_it(desk: Desk) -> None:
    recovered(desk)
    other = set_write_key(
        desk.db, claimed(desk.db), OLD.id, seal_canary(OLD), lock_timeout=timedelta(seconds=10)
    )
    assert isinstance(other, Promoted)
    with desk.db.write() as connection:
        connection.execute(delete(schema.live_keys).where(schema.live_keys.c.key_id == NEW.id))
    done = restore(desk)
    assert done.keys == done.absent_keys == {NEW.id}
    (factor,) = factors_of(desk)
    assert (factor.key_id, factor.fault) == (None, None)
    assert open_factor(factor, HeldKeys([OLD, NEW])).secret == SECRET


def test_a_factor_that_was_cleared_by_hand_stays_away(desk: Desk) -> None:
    with desk.db.write() as connection:
        row = {"user_id": ada(desk).id, "token": "", "key_id": None}
        connection.execute(insert(schema.factors).values(row))
    recovered(desk)
    assert restore(desk).factors == 1
    assert len(factors_of(desk)) == 1
