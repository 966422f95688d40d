"""A reader as a log-in service will be one: follows the keyring, holds a lease, opens and writes tokens."""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from practicus_mfa.clock import utc_now
from practicus_mfa.login.enrol import WriteKeyNotHeldError, enrol, open_factor
from practicus_mfa.reconciler.embedded.keyring_files import KeyringFiles
from practicus_mfa.storage import factors, users
from practicus_mfa.storage.readers import Expired, Registered, register, renew, withdraw
from practicus_mfa.storage.users import NewUser
from tests.support.installation import secret_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from practicus_mfa.crypto.keys import HeldKeys
    from practicus_mfa.storage.engine import Database
    from tests.support.installation import Installation

RENEWAL_SECONDS = 1.0


class Reader:
    """Opens and writes tokens of an installation, in threads, until it is told to stop."""

    def __init__(self, installation: Installation, db: Database, name: str) -> None:
        self._keyrings = KeyringFiles(installation.folder)
        self._db = db
        self.name = name
        self.keys: HeldKeys = self._load()
        self.failures: list[str] = []
        self.opened = 0
        self.enrolled: list[str] = []
        self._stop = threading.Event()
        self._register()

    def _load(self) -> HeldKeys:
        loaded = self._keyrings.load()
        assert loaded is not None
        return loaded[1]

    def _register(self) -> bool:
        self.keys = self._load()
        return isinstance(register(self._db, self.name, self.keys), Registered)

    def follow(self) -> None:
        """Hold the lease, and load the keyring whenever it has changed."""
        due = 0.0
        while not self._stop.is_set():
            if set(self._load()) != set(self.keys):
                self._register()
            elif time.monotonic() >= due:
                outcome = renew(self._db, self.name)
                if isinstance(outcome, Expired) or not isinstance(outcome, Registered):
                    self._register()
                due = time.monotonic() + RENEWAL_SECONDS
            time.sleep(0.02)
        withdraw(self._db, self.name)

    def verify_users(self, names: Sequence[str]) -> None:
        """Open one user's token after another, chosen at random; each must give that user's secret."""
        chosen = random.Random(1)
        while not self._stop.is_set():
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
        while not self._stop.is_set():
            name = f"{self.name}-{len(self.enrolled)}"
            with self._db.write() as connection:
                users.create(connection, NewUser(username=name))
            self._enrol(name)
            self.enrolled.append(name)

    def _enrol(self, name: str) -> None:
        while True:
            try:
                enrol(self._db, name, secret_of(name), keys=self.keys, clock=utc_now, actor=self.name)
            except WriteKeyNotHeldError as error:
                self.failures.append(f"{name}: {error}")
                time.sleep(0.05)
            else:
                return

    @contextmanager
    def at_work(self, *tasks: Callable[[], None]) -> Iterator[None]:
        """Run *tasks*, and hold the lease, while the block runs."""
        threads = [threading.Thread(target=task) for task in (self.follow, *tasks)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
