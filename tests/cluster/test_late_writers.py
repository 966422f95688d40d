"""Rows that are written while others move: each ends under the new key, or is refused by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from practicus_mfa.clock import utc_now
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.crypto.tokens import seal
from practicus_mfa.storage import factors, users
from practicus_mfa.storage.factors import NewFactor
from practicus_mfa.storage.users import NewUser
from practicus_mfa.storage.writer import token_write
from tests.support.cluster.reader import ClusterReader
from tests.support.cluster.steps import NAMES, await_rotated, await_step, begin, rotate
from tests.support.installation import secret_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from practicus_mfa.crypto.keys import FernetKey
    from tests.support.cluster.operating import ClusterInstallation

A, B = generate_key(), generate_key()


@pytest.fixture
def installation(served: ClusterInstallation) -> ClusterInstallation:
    """Users under the key A."""
    begin(served, A)
    return served


def test_people_log_in_and_enrol_while_every_row_moves(installation: ClusterInstallation) -> None:
    with installation.database() as db:
        reader = ClusterReader(installation, db, "replica-1")
        with reader.at_work(lambda: reader.verify_users(NAMES), reader.enrol_users):
            rotate(installation, B, A)
            await_rotated(installation, B)
            at_the_end = len(reader.enrolled)
            until(lambda: len(reader.enrolled) > at_the_end, "an enrolment after it")
    assert reader.failures == []
    assert reader.opened > 0
    installation.check_secrets([*NAMES, *reader.enrolled], B)


def _enrol(connection: Connection, name: str, key: FernetKey) -> None:
    users.create(connection, NewUser(username=name))
    user = users.get(connection, name)
    token = seal(secret_of(name), owner=user.id, key=key, now=int(utc_now().timestamp()))
    factors.write(connection, key.id, [NewFactor(user_id=user.id, token=token)])


def test_an_enrolment_that_began_before_the_promotion_is_waited_for(
    installation: ClusterInstallation,
) -> None:
    with installation.database() as db, token_write(db) as (connection, key):
        assert key == A.id
        _enrol(connection, "late", A)
        rotate(installation, B, A)
        await_step(installation, "Promote")
        assert installation.status()["activeKeyID"] == A.id
    await_rotated(installation, B)
    installation.check_secrets([*NAMES, "late"], B)


def test_a_row_written_past_all_locks_that_commits_after_the_last_scan_is_found_by_the_fence(
    installation: ClusterInstallation,
) -> None:
    with installation.database() as db, db.write() as connection:
        _enrol(connection, "late", A)
        rotate(installation, B, A)
        # All rows that can be seen are proved; the key's own row can't be deleted.
        await_step(installation, "Retire")
        assert installation.conditions()["Ready"][0] == "False"
    await_rotated(installation, B)
    installation.check_secrets([*NAMES, "late"], B)
