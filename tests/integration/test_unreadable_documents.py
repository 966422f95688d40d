"""Documents that nobody can read stand in nobody's way, and are never taken for empty ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from practicus_mfa.core.login.rules import rules_in_force
from practicus_mfa.errors import UsageError
from practicus_mfa.faults import InvalidConfiguration
from practicus_mfa.login.recover import recover
from practicus_mfa.login.restore_mfa import restore_mfa
from practicus_mfa.storage import schema
from practicus_mfa.storage.policy_row import read_policy, save_policy
from practicus_mfa.storage.readers import unexpired
from tests.support.forged_documents import FORGED, stored
from tests.support.people import OLD, People, let_write
from tests.support.stores import lagging

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database


@pytest.fixture(params=FORGED)
def forged(request: pytest.FixtureRequest) -> str:
    """Each of them in turn."""
    return FORGED[request.param]


def test_a_policy_that_nobody_can_read_is_not_the_default_and_is_written_anew(
    db: Database, forged: str
) -> None:
    with db.write() as connection:
        save_policy(connection, 1, {"mfa": {"mandatory": True}})
        connection.execute(update(schema.policy).values(effective=stored(db, forged)))
    with db.read() as connection:
        found = read_policy(connection)
    assert found is not None
    with pytest.raises(InvalidConfiguration):
        rules_in_force(found.effective)
    with db.write() as connection:
        assert save_policy(connection, 1, {"mfa": {"mandatory": True}})
        found = read_policy(connection)
    assert found is not None
    assert rules_in_force(found.effective).mfa.mandatory


def test_an_archive_that_nobody_can_read_is_kept_as_it_is(db: Database, forged: str) -> None:
    let_write(db, OLD)
    People(db).add("anna", key=OLD)
    recover(db, "anna", actor="test")
    with db.write() as connection:
        connection.execute(update(schema.recovery_archive).values(rows=stored(db, forged)))
    with pytest.raises(UsageError, match="can't be put back: it can't be read"):
        restore_mfa(db, "anna", actor="test")
    with db.read() as connection:
        assert connection.execute(select(schema.recovery_archive.c.restored_at)).scalars().all() == [None]


def test_a_lease_that_nobody_can_read_reads_with_no_key_that_there_is(db: Database, forged: str) -> None:
    let_write(db, OLD)
    for name in ("one", "two"):
        lagging(db, name, OLD.id)
    with db.write() as connection:
        mine = schema.readers.c.instance == "one"
        connection.execute(update(schema.readers).where(mine).values(key_ids=stored(db, forged)))
        leases = {seen.instance: OLD.id in seen.key_ids for seen in unexpired(connection)}
    assert leases == {"one": False, "two": True}
