"""A store whose keys are real: what users, imports and backups are tested on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.crypto.tokens import seal_canary
from practicus_mfa.login.enrol import enrol
from practicus_mfa.storage import audit, users
from practicus_mfa.storage.keys import Promoted, set_write_key
from practicus_mfa.storage.users import NewUser
from tests.support.stores import claimed

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database
    from practicus_mfa.storage.users import User

OLD = FernetKey(bytes(range(32)))
NEW = FernetKey(bytes(range(100, 132)))
OTHER = FernetKey(bytes(range(200, 232)))

SECRET = b"12345678901234567890"
PASSWORD = "correct horse battery"


def noon() -> datetime:
    """The time of day in these tests."""
    return datetime(2026, 6, 1, 12, tzinfo=UTC)


def let_write(db: Database, key: FernetKey) -> None:
    """Have *key* write."""
    outcome = set_write_key(db, claimed(db), key.id, seal_canary(key), lock_timeout=timedelta(seconds=10))
    assert isinstance(outcome, Promoted)


@dataclass(frozen=True)
class People:
    """Users of a database."""

    db: Database

    def add(self, username: str, *, key: FernetKey | None = None, **values: bool | str) -> User:
        """Create a user; enrolled under *key*, which must write at the moment, where it is given."""
        with self.db.write() as connection:
            user = users.create(connection, NewUser(username=username, **values))  # type: ignore[arg-type]
        if key is not None:
            enrol(self.db, username, SECRET, keys=HeldKeys([key]), clock=noon, actor="test")
        return user

    def get(self, username: str) -> User:
        """Return the user."""
        with self.db.read() as connection:
            return users.get(connection, username)


def audited(db: Database) -> list[tuple[str, str, str, str]]:
    """Return actor, action, subject and result of every line of the audit, oldest first."""
    with db.read() as connection:
        lines = audit.read(connection)
    return [(line.actor, line.action, line.subject, line.result) for line in reversed(lines)]
