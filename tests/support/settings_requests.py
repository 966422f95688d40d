"""An MfaPolicy in a folder, a database that is claimed for it, and requests of the settings page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, update

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.documents import dump_yaml
from practicus_mfa.reconciler.embedded.objects import install, read_request
from practicus_mfa.reconciler.embedded.stored_policy import StoredInFolder
from practicus_mfa.reconciler.settings import Handled, handle_requests
from practicus_mfa.storage import policy_requests, schema, users
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.policy_row import read_policy
from practicus_mfa.storage.users import NewUser
from tests.support.stores import claimed

if TYPE_CHECKING:
    from pathlib import Path

    from practicus_mfa.datafolder import DataFolder
    from practicus_mfa.reconciler.ports import PolicyObject
    from practicus_mfa.storage.engine import Database
    from practicus_mfa.storage.policy_requests import PolicyRequest


@dataclass
class Requested:
    """Where requests are made and handled.

    Attributes:
        db: The database.
        folder: Holds the policy.
        values: Its values.yaml.
        key: The active key.
    """

    db: Database
    folder: DataFolder
    values: Path
    key: str = field(default_factory=lambda: generate_key().text)

    def __post_init__(self) -> None:
        self.claim = claimed(self.db)
        self.stored = StoredInFolder(self.folder)
        self.install()
        self.root = self.user("root", is_superuser=True)

    def install(self, page: str = "edit", **user_login: object) -> None:
        """Write values.yaml and render it."""
        tree = {
            "secretStore": {"activeKey": self.key},
            "userLogin": user_login,
            "login": {"settingsPage": page},
        }
        self.values.write_text(dump_yaml(tree))
        install(self.folder, self.values)

    def user(self, name: str, **values: Any) -> int:  # noqa: ANN401 - columns
        """Add a user."""
        with self.db.write() as connection:
            return users.create(connection, NewUser(username=name, **values)).id

    def ask(self, changes: object, *, author: int | None = None, age: timedelta = timedelta()) -> int:
        """Write a request as whoever may do so at all would: nothing of it is looked at."""
        with self.db.write() as connection:
            row = {
                "author_id": author or self.root,
                "author": "whoever",
                "changes": changes,
                "at": database_now(connection) - age,
            }
            table = schema.policy_requests
            asked = connection.execute(insert(table).values(row).returning(table.c.id))
            return int(asked.scalar_one())

    def disable(self, name: str) -> None:
        """Take a user's right to log in."""
        with self.db.write() as connection:
            rows = schema.users
            connection.execute(update(rows).where(rows.c.username == name).values(is_active=False))

    def handle(self, stored: PolicyObject | None = None) -> Handled:
        """Handle what waits."""
        return handle_requests(self.db, self.claim, stored or self.stored)

    def outcome(self, request: int) -> tuple[str | None, str]:
        """What became of a request, and why."""
        found = self.find(request)
        return found.outcome, found.message

    def find(self, request: int) -> PolicyRequest:
        """The row."""
        with self.db.read() as connection:
            found = policy_requests.find(connection, request)
        assert found is not None
        return found[0]

    @property
    def overrides(self) -> object:
        """``spec.overrides`` as they stand."""
        return self.stored.read().spec.get("overrides", {})

    @property
    def generation(self) -> int:
        """The policy's."""
        return read_request(self.folder).generation

    def in_force(self) -> tuple[int, dict[str, Any]] | None:
        """The policy that log-in services go by."""
        with self.db.read() as connection:
            found = read_policy(connection)
        return None if found is None else (found.generation, dict(found.effective))
