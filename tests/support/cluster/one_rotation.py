"""The story that faults are thrown into: users under one key, another key is given, and all ends well."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from practicus_mfa.crypto.keys import FernetKey, generate_key
from practicus_mfa.errors import MfaError
from practicus_mfa.kube.children import KEYRING_GENERATION
from practicus_mfa.kube.objects import LEASES, SECRETS
from practicus_mfa.reconciler.cluster.operator import LEASE
from practicus_mfa.storage.claims import read_generation
from practicus_mfa.storage.readers import register, withdraw
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from practicus_mfa.core.keyring import KeyId
    from tests.support.cluster.operating import ClusterInstallation

PEOPLE: Final = [f"user-{number}" for number in range(40)]

LIMIT_SECONDS: Final = 600.0
"""Ends a test that would wait for ever: an operator that fails again and again is started as often."""

TOLD: Final = ["RotationStarted", "ReadersConverged", "KeyPromoted", "MigrationCompleted", "OldKeyRetired"]
"""The events of a rotation, in their order."""


@dataclass(frozen=True)
class OneRotation:
    """An installation that goes from one key to another.

    Attributes:
        installation: Where.
        old: The key that it begins with.
        new: The key that it ends with.
    """

    installation: ClusterInstallation
    old: FernetKey = field(default_factory=generate_key)
    new: FernetKey = field(default_factory=generate_key)

    def install(self) -> None:
        """Apply the first key, wait until an operator made it Ready, and enrol the users."""
        self.installation.apply(self.old.text)
        self.installation.await_ready(seconds=LIMIT_SECONDS)
        self.installation.enrol(*PEOPLE)

    @contextmanager
    def reader(self) -> Iterator[None]:
        """A reader that learns a new key only when it is seen to be waited for."""
        stopped = threading.Event()

        def follow() -> None:
            held: frozenset[KeyId] = frozenset()
            with self.installation.database() as db:
                while not stopped.wait(0.5):
                    with suppress(MfaError, AssertionError):
                        if (
                            not held
                            or self.installation.status().get("rotation", {}).get("step") == "Converge"
                        ):
                            held = self.installation.keyring()[0].ids
                        register(db, "reader", held)
                with suppress(MfaError):
                    withdraw(db, "reader")

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()

    def begin(self) -> None:
        """Give the new key."""
        self.installation.apply(self.new.text, self.old.text)

    def finish(self) -> None:
        """Take the old key out of the values, as NOTES say, and wait until it is unloaded."""
        self.installation.apply(self.new.text)
        until(
            lambda: set(self.installation.keyring()[1]) == {self.new.id},
            "the old key to be unloaded",
            seconds=LIMIT_SECONDS,
        )
        self.installation.await_ready(seconds=LIMIT_SECONDS)

    def check(self) -> None:
        """Ready; every plaintext equal under the new key; one rotation, told once; one truth everywhere."""
        self.installation.await_ready(seconds=LIMIT_SECONDS)
        self.installation.check_secrets(PEOPLE, self.new)
        status = self.installation.status()
        assert status["activeKeyID"] == self.new.id
        users = status["users"]
        assert [users[each] for each in ("enrolled", "active", "rolling", "unknown", "corrupt")] == [
            len(PEOPLE),
            len(PEOPLE),
            *(0, 0, 0),
        ]
        assert [(past["id"], past["activeKeyID"]) for past in status["history"]] == [(1, self.new.id)]
        assert status["rotation"]["step"] == "Complete"
        assert self.installation.conditions()["OldKeyRetirable"][0] == "True"
        self._check_generations(status["keyringGeneration"])
        # One that the API server did not take is told with the next pass.
        until(lambda: set(TOLD) <= set(self.installation.events()), "the events")
        told = Counter(self.installation.events())
        del told["MigrationJobFailed"]
        assert told == Counter(TOLD)

    def _check_generations(self, published: int) -> None:
        keyring, held = self.installation.keyring()
        assert set(held) == keyring.ids
        secret = self.installation.cluster.get(
            SECRETS, self.installation.namespace, self.installation.keyring_name
        )
        assert secret is not None
        assert secret["metadata"]["annotations"][KEYRING_GENERATION] == str(keyring.generation)
        with self.installation.database() as db, db.read() as connection:
            assert published == keyring.generation == read_generation(connection)


def free_lease(installation: ClusterInstallation) -> None:
    """Spare the next operator waiting for the lease of one that was killed."""
    installation.cluster.delete(LEASES, installation.namespace, LEASE)
