"""While everybody's key is rotated, people enrol and log in: no read fails, no enrolment is lost."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from practicus_mfa.clock import utc_now
from practicus_mfa.crypto.keys import HeldKeys, generate_key
from practicus_mfa.crypto.tokens import seal
from practicus_mfa.login.enrol import Secret, add_factors
from practicus_mfa.storage import users
from practicus_mfa.storage.schema import factors
from practicus_mfa.storage.users import NewUser
from practicus_mfa.storage.writer import token_write
from tests.support.installation import Installation, secret_of
from tests.support.reader import Reader
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from practicus_mfa.storage.engine import Database

A, B = generate_key(), generate_key()
SAMPLE = 500
"""Users whose secret is opened one by one at the end; all others are tried by the proof."""


@pytest.fixture
def installation(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> Installation:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else ""
    installed = Installation(tmp_path, url)
    assert installed.up_once(A.text).code == 0
    return installed


@pytest.mark.parametrize(("kind", "count"), [("postgresql", 50_000), ("sqlite", 5_000)])
def test_log_ins_and_enrolments_go_on_throughout(installation: Installation, count: int) -> None:
    names = [f"user{number}" for number in range(count)]
    installation.enrol(*names)
    with installation.up(), installation.database() as db:
        reader = Reader(installation, db, "replica-1")
        with reader.at_work(partial(reader.verify_users, names), reader.enrol_users):
            until(lambda: reader.opened > 0 and bool(reader.enrolled), "the first log-ins")
            before = len(reader.enrolled)
            installation.write_values(B.text, A.text)
            installation.await_reason("OldKeyRetirable", "Safe")
            installation.await_reason("Ready", "Ready")
            assert len(reader.enrolled) > before
    assert reader.failures == []
    chosen = random.Random(2).sample(names, SAMPLE)
    installation.check_secrets([*chosen, *reader.enrolled], B)
    assert installation.command("verify").code == 0
    counts = installation.status()["users"]
    assert counts["enrolled"] == counts["active"] == count + len(reader.enrolled)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_an_enrolment_begun_before_the_promotion_holds_it_up_and_is_rotated(
    installation: Installation,
) -> None:
    installation.enrol("someone")
    newcomer = _user(installation, "newcomer")
    with installation.up(), installation.database() as db:
        with token_write(db) as (connection, key):
            assert key == A.id
            add_factors(
                connection,
                key,
                [Secret(user_id=newcomer, secret=secret_of("newcomer"))],
                HeldKeys([A]),
                utc_now,
            )
            installation.write_values(B.text, A.text)
            until(lambda: B.id in installation.keyring()[0].ids, "the new key to be staged")
            until(lambda: _waits_for_lock(db), "the promotion to wait for this transaction")
            assert installation.published()["activeKeyID"] == A.id
        installation.await_reason("OldKeyRetirable", "Safe")
    installation.check_secrets(["someone", "newcomer"], B)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_write_beside_the_one_writer_that_commits_after_the_last_scan_is_rotated_all_the_same(
    installation: Installation,
) -> None:
    installation.enrol("someone")
    newcomer = _user(installation, "newcomer")
    token = seal(secret_of("newcomer"), owner=newcomer, key=A, now=1_700_000_000)
    with installation.up(), installation.database() as db:
        with db.write() as connection:
            connection.execute(insert(factors).values(user_id=newcomer, token=token, key_id=A.id))
            installation.write_values(B.text, A.text)
            # Every row that the rotation sees is moved and proved; only the fence knows of this one.
            until(lambda: _step(installation) == "Verify", "the last scan")
            until(lambda: _waits_for_lock(db), "the retirement to wait for this transaction")
            until(lambda: installation.published()["users"]["rolling"] == 0, "nothing to be left to move")
        installation.await_reason("OldKeyRetirable", "Safe")
        installation.await_reason("Ready", "Ready")
    installation.check_secrets(["someone", "newcomer"], B)
    assert installation.status()["users"]["active"] == 2


def _user(installation: Installation, name: str) -> int:
    with installation.database() as db, db.write() as connection:
        return users.create(connection, NewUser(username=name)).id


def _step(installation: Installation) -> str:
    rotation = installation.published().get("rotation") or {}
    return str(rotation.get("step"))


def _waits_for_lock(db: Database) -> bool:
    with db.read() as connection:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return bool(connection.exec_driver_sql(waiting).scalar_one())
