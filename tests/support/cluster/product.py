"""The people of an installed release, who log in all the time."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import update

from practicus_mfa.crypto.passwords import hash_password
from practicus_mfa.storage import schema
from tests.support.installation import secret_of
from tests.support.people import PASSWORD
from tests.support.web_user import WebUser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster.ingress import Ingress
    from tests.support.cluster.operating import ClusterInstallation

ATTEMPTS_AT_ONCE: Final = 2

PAUSE: Final = 0.25
"""Seconds between two log-ins of one thread."""


def give_passwords(installation: ClusterInstallation, *names: str) -> None:
    """Give users the same password: hashing it once is enough."""
    of_names = schema.users.c.username_key.in_(names)
    with installation.database() as db, db.write() as connection:
        connection.execute(update(schema.users).where(of_names).values(password_hash=hash_password(PASSWORD)))


class LogIns:
    """People who log in one after the other, with password and code, each by a new connection."""

    def __init__(self, names: list[str]) -> None:
        """Have *names* log in, whose secrets are those of the tests.

        Args:
            names: So many that nobody has to wait for the next code.
        """
        self._names = itertools.cycle(names)
        self._last: dict[str, float] = {}
        self._next = threading.Lock()
        self.failures: list[str] = []
        self.came: list[str] = []

    @property
    def done(self) -> int:
        """How often somebody came in."""
        return len(self.came)

    @contextmanager
    def going_on(self, ingress: Ingress) -> Iterator[LogIns]:
        """Go on until the end of the ``with``."""
        self.failures, over = [], threading.Event()
        threads = [threading.Thread(target=self._come, args=(ingress, over)) for _ in range(ATTEMPTS_AT_ONCE)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _come(self, ingress: Ingress, over: threading.Event) -> None:
        while not over.wait(PAUSE):
            with self._next:
                name = next(self._names)
                # A code works once.
                rest = self._last.get(name, float("-inf")) + 31 - time.monotonic()
            if rest > 0 and over.wait(rest):
                return
            try:
                with WebUser(ingress) as person:
                    failure = person.log_in(name, PASSWORD, secret_of(name))
            except Exception as error:  # noqa: BLE001 - whatever it is, a log-in failed
                failure = f"{name}: {error!r}"
            with self._next:
                self._last[name] = time.monotonic()
                if failure:
                    self.failures.append(failure)
                else:
                    self.came.append(name)
