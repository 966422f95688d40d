"""Bulk runs in replicas that really run: beside the requests, and when a replica is killed at it."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from practicus_mfa.core.login.rights import Action
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.login import bulk
from practicus_mfa.login.acts.by import By, Outcome
from practicus_mfa.login.bulk import Runner
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.storage import schema
from practicus_mfa.storage.user_list import Wanted
from tests.support.login_site import login_site
from tests.support.people import People
from tests.support.stores import add_user
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.login.bulk_run import Run
    from practicus_mfa.storage.engine import Database
    from tests.support.login_site import Site

USERS = 400


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with login_site(tmp_path, database_url=url) as running:
        yield running


def asked(db: Database) -> Run:
    """Let an administrator disable everybody."""
    root = People(db).add("root", is_superuser=True)
    with db.write() as connection:
        for _ in range(USERS):
            add_user(connection)
    runner = Runner(db=db, name="test", keys=lambda: HeldKeys([]), treatment=treatment)
    return bulk.start(runner, By(account_id=root.id, username="root"), Action.DISABLE, Wanted())


def test_a_replica_that_is_killed_at_it_loses_and_repeats_nothing(site: Site) -> None:
    with site.installation.database() as db:
        run = asked(db)

        def now() -> Run:
            with db.read() as connection:
                found = bulk.find(connection, run.id)
            assert found is not None
            return found

        until(lambda: now().done > 0, "the replica to be at it")
        site.first.stop(signal.SIGKILL)
        assert now().done_at is None
        # Another one takes it up as soon as the first one's claim is over.
        site.start()
        until(lambda: now().done_at is not None, "the run to be over")
        assert now().counts == {Outcome.DISABLED: USERS, Outcome.LAST_SUPERUSER: 1}
        with db.read() as connection:
            told = select(schema.audit.c.subject).where(schema.audit.c.action == "user.disable")
            assert set(Counter(connection.execute(told).scalars()).values()) == {1}


def test_a_replica_that_ends_leaves_the_run_where_it_is(site: Site) -> None:
    with site.installation.database() as db:
        run = asked(db)

        def done() -> int:
            with db.read() as connection:
                found = bulk.find(connection, run.id)
            assert found is not None
            return found.done

        until(lambda: done() > 0, "the replica to be at it")
        assert site.first.stop() == 0
        before = done()
        with db.read() as connection:
            active = select(schema.users.c.id).where(schema.users.c.is_active, ~schema.users.c.is_superuser)
            left = len(connection.execute(active).all())
            claim = connection.execute(select(schema.bulk_runs.c.worker)).scalar_one()
        # The administrator is done too, and stays one.
        assert before - 1 + left == USERS
        assert claim == ""
    assert "Traceback" not in site.first.log.read_text()
