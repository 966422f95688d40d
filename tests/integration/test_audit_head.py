"""The end of the audit in the status: kept where who owns the database can't change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, select, update

from practicus_mfa.core.audit_chain import Head
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.storage import audit
from practicus_mfa.storage import schema as s
from practicus_mfa.storage.audit_verify import Broken, Fault, verify
from practicus_mfa.storage.engine import Database
from tests.support.audit_tampering import unguarded
from tests.support.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = generate_key()


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(tmp_path: Path, request: pytest.FixtureRequest) -> Installation:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    installed = Installation(tmp_path, url)
    done = installed.up_once(KEY.text)
    assert done.code == 0, done
    return installed


@pytest.fixture
def db(installation: Installation) -> Iterator[Database]:
    with installation.database() as found:
        yield found


def published(installation: Installation) -> Head:
    head = installation.status()["auditHead"]
    return Head(head["count"], bytes.fromhex(head["hash"]))


def test_each_pass_seals_and_tells_the_end(installation: Installation, db: Database) -> None:
    first = published(installation)
    with db.write() as connection:
        audit.append(connection, "ada", "login", subject="ada")
    assert installation.up_once(KEY.text).code == 0
    second = published(installation)
    assert second.count > first.count
    for kept in (first, second):
        found = verify(db, kept)
        assert (found.first, found.compared) == (None, True)


def test_who_computes_the_chain_anew_meets_the_end_that_was_told(
    installation: Installation, db: Database
) -> None:
    with db.write() as connection:
        audit.append(connection, "mallory", "login", subject="mallory")
    assert installation.up_once(KEY.text).code == 0
    kept = published(installation)
    with unguarded(db) as connection:
        connection.execute(update(s.audit).where(s.audit.c.actor == "mallory").values(actor="ada"))
        connection.execute(delete(s.audit_chain))
        assert connection.execute(select(s.audit.c.id)).all()
    assert installation.up_once(KEY.text).code == 0
    assert verify(db).first is None
    assert verify(db, kept).first == Broken(fault=Fault.OTHER_HEAD, position=kept.count)
