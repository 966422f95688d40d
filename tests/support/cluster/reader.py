"""A log-in replica in a cluster, as far as a rotation sees it: it reads the keyring and holds a lease."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from practicus_mfa.login.enrol import open_factor
from practicus_mfa.storage import factors, users
from practicus_mfa.storage.readers import Registered, register, renew, withdraw
from practicus_mfa.storage.users import NewUser
from tests.support.installation import secret_of
from tests.support.reader import RENEWAL_SECONDS, Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from practicus_mfa.core.keyring import KeyId
    from practicus_mfa.crypto.keys import HeldKeys
    from practicus_mfa.storage.engine import Database
    from tests.support.cluster.operating import ClusterInstallation

LOOK_SECONDS = 0.5
"""A mounted Secret is looked at every so often."""

PAUSE_SECONDS = 0.05
"""Between two log-ins: who waits for a rotation needs the machine too."""


class ClusterReader(Reader):
    """Follows the keyring of its policy; with *lags* it keeps the one that it found at its start."""

    def __init__(
        self, installation: ClusterInstallation, db: Database, name: str, *, lags: bool = False
    ) -> None:
        self._cluster = installation
        self.lags = lags
        self._seen: HeldKeys | None = None
        self._looked = 0.0
        super().__init__(installation, db, name)

    def _load(self) -> HeldKeys:
        due = not self.lags and time.monotonic() - self._looked > LOOK_SECONDS
        if self._seen is None or due:
            self._seen, self._looked = self._cluster.keyring()[1], time.monotonic()
        return self._seen

    def verify_users(self, names: Sequence[str]) -> None:
        """Open one user's token after another; each must give that user's secret."""
        chosen = random.Random(1)
        while not self._stop.wait(PAUSE_SECONDS):
            name = chosen.choice(names)
            try:
                with self._db.read() as connection:
                    (factor,) = factors.of_user(connection, users.get(connection, name).id)
                if open_factor(factor, self.keys).secret != secret_of(name):
                    self.failures.append(f"{name}: another secret")
            except Exception as error:  # noqa: BLE001 - whatever it is, a log-in failed
                self.failures.append(f"{name}: {error!r}")
            self.opened += 1

    def enrol_users(self) -> None:
        """Enrol one new user after another."""
        while not self._stop.wait(PAUSE_SECONDS):
            name = f"{self.name}-{len(self.enrolled)}"
            with self._db.write() as connection:
                users.create(connection, NewUser(username=name))
            self._enrol(name)
            self.enrolled.append(name)


class Lease:
    """A replica's lease and nothing more, held until it is withdrawn or the replica dies."""

    def __init__(self, db: Database, name: str, keys: Iterable[KeyId]) -> None:
        self._db = db
        self.name = name
        assert isinstance(register(db, name, keys), Registered)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._stop.is_set():
            self.die()
            withdraw(self._db, self.name)

    def read_with(self, keys: Iterable[KeyId]) -> None:
        """Register anew: now it can read with these keys."""
        assert isinstance(register(self._db, self.name, keys), Registered)

    def die(self) -> None:
        """Renew it no more, without a word."""
        self._stop.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._stop.wait(RENEWAL_SECONDS):
            renew(self._db, self.name)
