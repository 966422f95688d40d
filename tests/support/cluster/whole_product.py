"""An installed release, the key that it is under, and who uses it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from practicus_mfa.storage import readers, schema, users
from tests.support.cluster.login_release import REPLICAS
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from practicus_mfa.core.keyring import KeyId
    from practicus_mfa.crypto.keys import FernetKey
    from tests.support.cluster.ingress import Ingress
    from tests.support.cluster.login_release import LoginRelease
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.product import LogIns


@contextmanager
def held(installation: ClusterInstallation, name: str) -> Iterator[None]:
    """Hold a user's row in a transaction: until its end, no rotation gets past that row."""
    rows = schema.factors
    with installation.database() as db, db.write() as connection:
        of_user = rows.c.user_id == users.get(connection, name).id
        connection.execute(select(rows.c.id).where(of_user).with_for_update())
        yield


@dataclass
class Product:
    """An installed release, and who uses it.

    Attributes:
        release: The release.
        told: What Helm said at the installation.
        people: They log in.
        key: The one key that is in force between the tests.
    """

    release: LoginRelease
    told: str
    people: LogIns
    key: FernetKey

    def keys_held(self) -> list[frozenset[KeyId]]:
        """What each pod that reads says it holds."""
        with self.release.installation.database() as db, db.read() as connection:
            return [reader.key_ids for reader in readers.unexpired(connection)]

    def under(self, key: FernetKey) -> set[str]:
        """Whose rows are under a key."""
        query = select(schema.users.c.username).join(schema.factors).where(schema.factors.c.key_id == key.id)
        with self.release.installation.database() as db, db.read() as connection:
            return set(connection.scalars(query))

    def let_in(self, at: Ingress, many: int = 5) -> None:
        """Have so many people more log in."""
        with self.people.going_on(at):
            self.await_log_ins(many)

    def await_log_ins(self, many: int = 5, *, of: Collection[str] = ()) -> None:
        """Wait until so many people more have logged in, of these or of all; none may have failed."""
        before = self.people.done

        def there() -> bool:
            came = self.people.came[before:]
            return len([name for name in came if not of or name in of]) >= many

        until(lambda: bool(self.people.failures) or there(), "log-ins")
        assert self.people.failures == []

    # --- what a platform team does with keys -----------------------------------------------------

    def await_moved(self, new: FernetKey, old: FernetKey, users: int) -> None:
        """Wait until a rotation is over: every user's row is under the new key."""
        self.release.await_ready()
        status = self.release.installation.status()
        assert (status["activeKeyID"], status["rollingKeyID"]) == (new.id, old.id)
        assert (status["users"]["enrolled"], status["users"]["rolling"]) == (users, 0)

    def drop_all_but(self, key: FernetKey) -> None:
        """Take the old key away, and wait until pods have heard of it."""
        # The API server's own copy of what the operator says lags a little.
        until(lambda: not self.release.refusal(key), "the upgrade to pass")
        self.release.await_ready()
        until(lambda: self.keys_held() == [{key.id}] * REPLICAS, "pods to unload the old key")
        assert self.release.installation.status()["rollingKeyID"] == ""
        self.key = key

    def roll_back(self, revision: str, at: Ingress) -> None:
        """Go back to values with a former key, which changes nothing for people, and forth again."""
        installation = self.release.installation
        self.release.roll_back(revision)
        installation.await_reason("KeysValid", "ReversedKeys")
        self.let_in(at)
        assert self.key.id in installation.keyring()[0].ids
        assert installation.status()["activeKeyID"] == self.key.id
        self.release.apply("upgrade", self.key)
        self.release.await_ready()
