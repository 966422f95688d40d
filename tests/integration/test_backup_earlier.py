"""Backups that earlier releases wrote: tables that they lack are empty, columns have their defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from practicus_mfa.storage import groups, recovery_codes, schema
from practicus_mfa.storage.audit_chain import seal
from practicus_mfa.storage.backup.compare import Counted, compare
from practicus_mfa.storage.backup.read import verify
from practicus_mfa.storage.backup.restore import restore
from practicus_mfa.storage.backup.write import create
from tests.support.edited_backups import of_an_earlier_step
from tests.support.people import OLD, People, let_write
from tests.support.stores import add_factor, ready

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from practicus_mfa.storage.engine import Database

THIRD = ("mfa_audit_chain", "mfa_audit_checkpoints", "mfa_recovery_archive")
SECOND = (*THIRD, "mfa_groups", "mfa_memberships", "mfa_recovery_codes")


@pytest.mark.parametrize(
    ("step", "tables", "columns"),
    [
        ("0002", THIRD, {"mfa_users": ["must_change_password"]}),
        ("0001", SECOND, {"mfa_users": ["must_change_password", "enrol_by"]}),
    ],
)
def test_a_backup_of_an_earlier_release_comes_back(
    db: Database,
    sqlite_url: str,
    tmp_path: Path,
    step: str,
    tables: Collection[str],
    columns: Mapping[str, Collection[str]],
) -> None:
    let_write(db, OLD)
    user = People(db).add("anna", key=OLD, is_staff=True)
    with db.write() as connection:
        recovery_codes.replace(connection, add_factor(connection, user.id), [bytes(32)])
        groups.create(connection, "ops")
        groups.add(connection, "ops", [user.id])
    seal(db)
    file = tmp_path / "backup.zip"
    create(db, file)
    of_an_earlier_step(file, step, tables=tables, columns=columns)
    manifest = verify(file)
    assert (manifest.schema, manifest.audit_head) == (step, None)
    with ready(sqlite_url.replace(".db", "-target.db")) as empty:
        restore(empty, file, actor="root")
        assert People(empty).get("anna").is_staff
        assert _count(empty, schema.factors) == 2
        assert _count(empty, schema.recovery_codes) == (0 if step == "0001" else 1)
        with empty.read() as connection:
            must_change = connection.execute(select(schema.users.c.must_change_password)).scalar_one()
        assert must_change is False
        assert seal(empty).count == 2
    assert compare(db, file).users == Counted(both=1, backup=0, database=0)
    restore(db, file, actor="root", replace=True)
    assert People(db).get("anna").is_staff
    assert _count(db, schema.memberships) == (0 if step == "0001" else 1)


def _count(db: Database, table: Any) -> int:  # noqa: ANN401 - any of the tables
    with db.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()
