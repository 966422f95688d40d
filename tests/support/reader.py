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
from practicus_mfa.storage.readers import LEASE, Registered, register, renew, withdraw
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
        self._leased_until = 0.0
        self._register()

    def _load(self) -> HeldKeys:
        loaded = self._keyrings.load()
        assert loaded is not None
        return loaded[1]

    def _register(self) -> None:
        asked = time.monotonic()
        self.keys = self._load()
        if isinstance(register(self._db, self.name, self.keys), Registered):
            self._leased_until = asked + LEASE.total_seconds()

    def follow(self) -> None:
        """Hold the lease, and load the keyring whenever it has changed."""
        due = 0.0
        while not self._stop.is_set():
            if set(self._load()) != set(self.keys):
                self._register()
            elif time.monotonic() >= due:
                asked = time.monotonic()
                if isinstance(renew(self._db, self.name), Registered):
                    self._leased_until = asked + LEASE.total_seconds()
                else:
                    self._register()
                due = time.monotonic() + RENEWAL_SECONDS
            time.sleep(0.02)
        withdraw(self._db, self.name)

    def verify_users(self, names: Sequence[str]) -> None:
        """Open one user's token after another, chosen at random; each must give that user's secret."""
        chosen = random.Random(1)
        while not self._stop.is_set():
            name, keys = chosen.choice(names), self.keys
            try:
                with self._db.read() as connection:
                    (factor,) = factors.of_user(connection, users.get(connection, name).id)
                if open_factor(factor, keys).secret != secret_of(name):
                    self._failed(f"{name}: another secret", keys)
            except Exception as error:  # noqa: BLE001 - whatever it is, a log-in failed
                self._failed(f"{name}: {error!r}", keys)
            self.opened += 1

    def _failed(self, what: str, keys: HeldKeys) -> None:
        """Note a failure with *keys*, unless this process was too slow to hold the right ones."""
        if keys is self.keys and time.monotonic() < self._leased_until:
            self.failures.append(what)

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
            keys = self.keys
            try:
                enrol(self._db, name, secret_of(name), keys=keys, clock=utc_now, actor=self.name)
            except WriteKeyNotHeldError as error:
                self._failed(f"{name}: {error}", keys)
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
