"""Everything that the database knows and a pass decides from, seen at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from practicus_mfa.core.observed import Administrators, DatabaseSeen
from practicus_mfa.storage import audit_chain
from practicus_mfa.storage.claims import read_claim, read_generation
from practicus_mfa.storage.counts import read_counts, read_table_counts
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.keys import former_keys, read_live_keys, retired_keys
from practicus_mfa.storage.readers import unexpired
from practicus_mfa.storage.rotations import history, under_way
from practicus_mfa.storage.schema import factors, users
from practicus_mfa.storage.writer import read_write_key


@dataclass(frozen=True, slots=True)
class Totals:
    """What costs a look at the users, and may be a minute old."""

    users: int
    administrators: Administrators


def count_totals(connection: Connection) -> Totals:
    """Count users and administrators; the users at the cost of their number."""
    administrator = or_(users.c.is_staff, users.c.is_superuser)
    enrolled = select(factors.c.id).where(factors.c.user_id == users.c.id, factors.c.token != "").exists()
    active = select(func.count()).select_from(users).where(administrator, users.c.is_active)
    return Totals(
        users=connection.execute(select(func.count()).select_from(users)).scalar_one(),
        administrators=Administrators(
            active=connection.execute(active).scalar_one(),
            enrolled=connection.execute(active.where(enrolled)).scalar_one(),
        ),
    )


def observe(db: Database, totals: Totals | None = None) -> DatabaseSeen:
    """Return what *db* knows, in one snapshot.

    Args:
        db: The database, at this program's step (:func:`practicus_mfa.storage.versions.check`).
        totals: Totals that the caller keeps; counted anew where there are none.

    Raises:
        UnreachableError: It can't be used at the moment.
    """
    with db.read(snapshot=True) as connection:
        known = totals or count_totals(connection)
        return DatabaseSeen(
            claim=read_claim(connection),
            keyring_generation=read_generation(connection),
            live_keys=frozenset(read_live_keys(connection)),
            write_key=read_write_key(connection),
            former_keys=former_keys(connection),
            retired_keys=retired_keys(connection),
            counts=read_counts(connection),
            tables=read_table_counts(connection),
            users=known.users,
            administrators=known.administrators,
            rotation=under_way(connection),
            history=history(connection),
            readers=unexpired(connection),
            audit_head=audit_chain.head(connection),
        )
