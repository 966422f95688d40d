"""Bulk runs in replicas that really run: beside the requests, and when a replica is killed at it."""

from __future__ import annotations

import signal
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

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


class Crowd:
    """An administrator, and everybody, whom a run disables.

    Attributes:
        runs: How many there were.
    """

    runs = 0

    def __init__(self, site: Site, db: Database) -> None:
        """Add them."""
        self.site, self.db = site, db
        self.root = People(db).add("root", is_superuser=True)
        with db.write() as connection:
            for _ in range(USERS):
                add_user(connection)

    def run(self, run_id: int) -> Run:
        """The run as it is now."""
        with self.db.read() as connection:
            found = bulk.find(connection, run_id)
        assert found is not None
        return found

    def interrupted(self, number: signal.Signals) -> tuple[Run, int]:
        """End the replica by a signal in the middle of a run; return the run, and the replica's exit code.

        The run may be over before the signal comes: then there is another one.
        """
        runner = Runner(db=self.db, name="test", keys=lambda: HeldKeys([]), treatment=treatment)
        while True:
            self.runs += 1
            by = By(account_id=self.root.id, username="root")
            run_id = bulk.start(runner, by, Action.DISABLE, Wanted()).id
            until(partial(self._begun, run_id), "the replica to be at it")
            code = self.site.replicas[-1].stop(number)
            if (run := self.run(run_id)).done_at is None:
                return run, code
            with self.db.write() as connection:
                connection.execute(update(schema.users).values(is_active=True))
            self.site.start()

    def _begun(self, run_id: int) -> bool:
        return self.run(run_id).done > 0


def test_a_replica_that_is_killed_at_it_loses_and_repeats_nothing(site: Site) -> None:
    with site.installation.database() as db:
        crowd = Crowd(site, db)
        run, _ = crowd.interrupted(signal.SIGKILL)
        # Another one takes it up as soon as the first one's claim is over.
        site.start()
        until(lambda: crowd.run(run.id).done_at is not None, "the run to be over")
        assert crowd.run(run.id).counts == {Outcome.DISABLED: USERS, Outcome.LAST_SUPERUSER: 1}
        with db.read() as connection:
            told = select(schema.audit.c.subject).where(schema.audit.c.action == "user.disable")
            assert set(Counter(connection.execute(told).scalars()).values()) == {crowd.runs}


def test_a_replica_that_ends_leaves_the_run_where_it_is(site: Site) -> None:
    with site.installation.database() as db:
        run, code = Crowd(site, db).interrupted(signal.SIGTERM)
        assert code == 0
        with db.read() as connection:
            active = select(schema.users.c.id).where(schema.users.c.is_active, ~schema.users.c.is_superuser)
            left = len(connection.execute(active).all())
            claim = connection.execute(
                select(schema.bulk_runs.c.worker).where(schema.bulk_runs.c.id == run.id)
            ).scalar_one()
        # The administrator is done too, and stays one.
        assert run.done - 1 + left == USERS
        assert claim == ""
    assert "Traceback" not in site.replicas[-1].log.read_text()
