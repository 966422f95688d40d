"""What goes wrong in real installations: each case has a named reason in the status, and loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.storage import factors as factor_rows
from practicus_mfa.storage import users
from practicus_mfa.storage.readers import LEASE, withdraw
from practicus_mfa.storage.schema import factors
from practicus_mfa.storage.users import NewUser
from tests.support.installation import Installation
from tests.support.stores import end_lease, lagging
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import PostgresServer

A, B, C = generate_key(), generate_key(), generate_key()
NAMES = [f"user{number}" for number in range(12)]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Twelve users under the key A, on SQLite."""
    installed = Installation(tmp_path)
    assert installed.up_once(A.text).code == 0
    installed.enrol(*NAMES)
    return installed


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_url: str) -> Installation:
    """Twelve users under the key A, on PostgreSQL."""
    installed = Installation(tmp_path, postgres_url)
    assert installed.up_once(A.text).code == 0
    installed.enrol(*NAMES)
    return installed


# --- rows ---------------------------------------------------------------------------------------------


def _change(installation: Installation, name: str, **columns: str | None) -> None:
    with installation.database() as db, db.write() as connection:
        user = users.get(connection, name)
        connection.execute(update(factors).where(factors.c.user_id == user.id).values(**columns))


def _token(installation: Installation, name: str) -> str:
    with installation.database() as db, db.read() as connection:
        (factor,) = factor_rows.of_user(connection, users.get(connection, name).id)
        return factor.token


def test_damaged_and_swapped_rows_are_named_and_hold_nothing_up(installation: Installation) -> None:
    good = _token(installation, "user0")
    flipped = good[:40] + ("A" if good[40] != "A" else "B") + good[41:]
    _change(installation, "user0", token=flipped)
    _change(installation, "user1", token=good[:-20])
    _change(installation, "user2", token=_token(installation, "user3"))

    done = installation.up_once(B.text, A.text)

    assert done.code == 3
    conditions = installation.conditions()
    assert conditions["DataUpToDate"] == ("False", "CorruptRows")
    assert conditions["Ready"] == ("False", "CorruptRows")
    assert conditions["OldKeyRetirable"] == ("True", "Safe")
    assert installation.message("DataUpToDate").startswith("3 rows are damaged or moved")
    assert _token(installation, "user0") == flipped
    installation.check_secrets(NAMES[3:], B)
    named = installation.command("verify")
    assert named.code == 3
    assert named.out.count("mfa_factors") == 3
    assert good not in named.out + named.err + done.out + done.err

    for name in NAMES[:3]:
        assert installation.command("users", "remove-mfa", name).code == 0
    assert installation.up_once(B.text, A.text).code == 0


def test_rows_under_an_unknown_key_wait_for_it_and_are_healed_by_it(
    installation: Installation, tmp_path: Path
) -> None:
    other = Installation(tmp_path / "other")
    other.root.mkdir()
    assert other.up_once(C.text).code == 0
    other.enrol(*NAMES)
    # The same users with the same ids: what a partial restore of an older system leaves behind.
    _change(installation, "user5", token=_token(other, "user5"), key_id=None)

    assert installation.up_once(A.text).code == 3
    assert installation.conditions()["DataUpToDate"] == ("False", "UnknownKey")
    assert installation.status()["users"]["unknown"] == 1

    assert installation.up_once(B.text, A.text).code == 3
    assert installation.conditions()["OldKeyRetirable"] == ("True", "Safe")

    assert installation.up_once(B.text, C.text).code == 0
    installation.check_secrets(NAMES, B)


def test_a_token_cleared_by_hand_means_not_enrolled(installation: Installation) -> None:
    _change(installation, "user0", token=None)
    _change(installation, "user1", token="")

    assert installation.up_once(B.text, A.text).code == 0
    assert installation.status()["users"]["enrolled"] == 10


# --- keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "reason", "message"),
    [
        (B.text[:-6], "MalformedKey", "secretStore.activeKey is not base64"),
        (f" {B.text}", "MalformedKey", "secretStore.activeKey has white space around it."),
        (f"'{B.text}'", "MalformedKey", "secretStore.activeKey has quotes around it."),
        ("a bad key!", "MalformedKey", "secretStore.activeKey"),
        ("", "ActiveKeyMissing", "secretStore.activeKey is empty: put the active key back"),
    ],
)
def test_a_mistake_in_the_active_key_harms_nothing(
    installation: Installation, written: str, reason: str, message: str
) -> None:
    done = installation.up_once(written, A.text)

    assert done.code == 3
    assert installation.conditions()["KeysValid"] == ("False", reason)
    assert installation.message("KeysValid").startswith(message)
    assert B.text[4:20] not in done.out + done.err
    installation.check_secrets(NAMES, A)
    installation.enrol("newcomer")


def test_only_a_rolling_key_at_a_first_install(tmp_path: Path) -> None:
    first = Installation(tmp_path)
    assert first.up_once("", A.text).code == 3
    assert first.conditions()["KeysValid"] == ("False", "OnlyRollingKey")


def test_a_rollback_harms_nothing_and_may_be_allowed(installation: Installation) -> None:
    assert installation.up_once(B.text, A.text).code == 0
    assert installation.up_once(A.text).code == 3
    assert installation.conditions()["KeysValid"] == ("False", "ReversedKeys")
    installation.check_secrets(NAMES, B)

    assert installation.up_once(A.text, B.text, migration={"allowReverse": A.id}).code == 0
    installation.check_secrets(NAMES, A)


def test_a_rolling_key_removed_too_early_is_told_and_lost_nothing(installation: Installation) -> None:
    done = installation.up_once(B.text)

    assert done.code == 0
    assert done.out.count("OldKeyRemovedEarly") == 1
    installation.check_secrets(NAMES, B)


def test_a_rolling_key_that_no_row_needs_starts_no_rotation_again(installation: Installation) -> None:
    assert installation.up_once(B.text, A.text).code == 0
    assert installation.up_once(B.text).code == 0
    before = installation.status()["rotation"]
    assert installation.up_once(B.text, A.text).code == 0
    assert installation.status()["rotation"] == before


# --- readers ------------------------------------------------------------------------------------------


def test_a_reader_that_lags_is_named_and_waited_for(installation: Installation) -> None:
    with installation.up(), installation.database() as db:
        installation.await_reason("Ready", "Ready")
        lagging(db, "replica-1", A.id)
        installation.write_values(B.text, A.text)
        installation.await_reason("ReadersConverged", "WaitingForReaders")
        assert installation.published()["activeKeyID"] == A.id
        message = next(
            each["message"]
            for each in installation.published()["conditions"]
            if each["type"] == "ReadersConverged"
        )
        assert "1 of 1 readers" in message
        assert message.endswith("replica-1.")
        withdraw(db, "replica-1")
        installation.await_reason("OldKeyRetirable", "Safe")
    installation.check_secrets(NAMES, B)


def test_a_reader_that_died_without_a_word_holds_it_up_only_until_its_lease_ends(
    installation: Installation,
) -> None:
    with installation.up(), installation.database() as db:
        installation.await_reason("Ready", "Ready")
        lagging(db, "replica-1", A.id)
        installation.write_values(B.text, A.text)
        installation.await_reason("ReadersConverged", "WaitingForReaders")
        end_lease(db, "replica-1", LEASE)
        installation.await_reason("OldKeyRetirable", "Safe")
    installation.check_secrets(NAMES, B)


# --- the database and the platform --------------------------------------------------------------------


def test_suspend_holds_a_rotation_until_it_is_lifted(installation: Installation) -> None:
    held = installation.up_once(B.text, A.text, migration={"suspend": True})
    assert held.code == 3
    assert installation.conditions()["DataUpToDate"][1] == "Suspended"
    installation.check_secrets(NAMES, A)

    assert installation.up_once(B.text, A.text).code == 0
    installation.check_secrets(NAMES, B)


def test_a_database_that_goes_away_in_the_middle_is_waited_for(
    on_postgres: Installation, postgres_server: PostgresServer
) -> None:
    installation = on_postgres
    with installation.up(), installation.database() as db:
        installation.await_reason("Ready", "Ready")
        lagging(db, "holds-the-rotation", A.id)
        installation.write_values(B.text, A.text)
        installation.await_reason("ReadersConverged", "WaitingForReaders")
        counted = installation.published()["users"]
        postgres_server.stop("SIGQUIT")
        installation.await_reason("DatabaseReachable", "DatabaseUnreachable")
        published = installation.published()
        assert published["users"] == counted
        assert {each["type"]: each["status"] for each in published["conditions"]}["Ready"] == "False"
        postgres_server.start()
        withdraw(db, "holds-the-rotation")
        installation.await_reason("OldKeyRetirable", "Safe")
    installation.check_secrets(NAMES, B)


def test_a_values_file_that_breaks_while_it_is_followed_changes_nothing(installation: Installation) -> None:
    with installation.up() as process:
        installation.await_reason("Ready", "Ready")
        installation.values_file.write_text("userLogin: {mfa: {mandatry: true}}\n", encoding="utf-8")
        assert process.stdout is not None
        told = ""
        while "What was in force stays in force." not in told:
            told += process.stdout.readline()
        assert "userLogin.mfa.mandatry: unknown; did you mean mandatory?" in told
        installation.write_values(B.text, A.text)
        installation.await_reason("OldKeyRetirable", "Safe")
    installation.check_secrets(NAMES, B)


# --- other applications' tables -----------------------------------------------------------------------


def _tables(ready: str = "", done: str = "") -> dict[str, object]:
    table: dict[str, object] = {"table": 'app."Secrets"', "idColumn": "id", "tokenColumns": ["value"]}
    if ready:
        table["readyForKeyID"] = ready
    if done:
        table["doneWithKeyID"] = done
    return {"tables": [table]}


def test_another_applications_table_waits_for_two_words(on_postgres: Installation) -> None:
    installation = on_postgres
    with installation.database() as db, db.write() as connection:
        connection.execute(text("CREATE SCHEMA app"))
        connection.execute(text('CREATE TABLE app."Secrets" (id serial PRIMARY KEY, value text)'))
        for number in range(7):
            token = A.fernet().encrypt(f"secret {number}".encode()).decode()
            connection.execute(text('INSERT INTO app."Secrets" (value) VALUES (:token)'), {"token": token})
    assert installation.up_once(A.text, migration=_tables()).code == 0
    assert installation.status()["tables"][0]["active"] == 7

    assert installation.up_once(B.text, A.text, migration=_tables()).code == 3
    assert installation.conditions()["ReadersConverged"] == ("False", "WaitingForReaders")
    assert 'Table app."Secrets"' in installation.message("ReadersConverged")
    assert "readyForKeyID to it" in installation.message("ReadersConverged")
    installation.check_secrets(NAMES, B)
    assert _opened(installation, A.text) == 7

    assert installation.up_once(B.text, A.text, migration=_tables(ready=B.id)).code == 3
    assert "doneWithKeyID" in installation.message("ReadersConverged")
    assert installation.conditions()["OldKeyRetirable"] == ("False", "ReadersRemain")
    assert _opened(installation, B.text) == 7
    assert A.id in installation.keyring()[0].ids

    assert installation.up_once(B.text, A.text, migration=_tables(ready=B.id, done=A.id)).code == 0
    assert installation.conditions()["OldKeyRetirable"] == ("True", "Safe")
    table = installation.status()["tables"][0]
    assert (table["table"], table["total"], table["active"]) == ('app."Secrets"', 7, 7)


def _opened(installation: Installation, key: str) -> int:
    fernet = next(each for each in (A, B) if each.text == key).fernet()
    opened = 0
    with installation.database() as db, db.read() as connection:
        for token in connection.execute(text('SELECT value FROM app."Secrets"')).scalars():
            try:
                opened += fernet.decrypt(token).startswith(b"secret ")
            except Exception:  # noqa: BLE001, S112 - not this key
                continue
    return opened


def test_a_table_that_is_not_there_is_named_and_holds_up_no_user(on_postgres: Installation) -> None:
    installation = on_postgres
    done = installation.up_once(B.text, A.text, migration=_tables(ready=B.id, done=A.id))
    assert done.code == 3
    assert 'Table app."Secrets" does not exist.' in done.err
    installation.check_secrets(NAMES, B)


# --- who may administer -------------------------------------------------------------------------------


def test_a_policy_that_would_lock_everybody_out_is_warned_of(installation: Installation) -> None:
    mandatory = {"mfa": {"enabled": True, "mandatory": True}}
    assert installation.up_once(A.text, userLogin=mandatory).code == 0
    assert installation.conditions()["PolicySafe"] == ("False", "NoAdministrator")
    with installation.database() as db, db.write() as connection:
        users.create(connection, NewUser(username="root", is_superuser=True))
    until(
        lambda: installation.conditions()["PolicySafe"] == ("False", "NoAdministratorEnrolled"), "the warning"
    )
