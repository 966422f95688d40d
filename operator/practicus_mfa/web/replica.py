"""One replica of the login service: what runs beside the requests, and in which order it begins and ends.

    threads   lease (keyring) · policy · uses of sessions · housekeeping · sealing · bulk runs
    event loop   the HTTP server, and the sweep over the sessions that are held

It listens before it is ready, so that a probe learns why it is not. It ends backwards: no more requests,
those under way answered, then the uses that were not written yet, and the lease last, since whoever reads is
counted until then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from practicus_mfa.clock import utc_now
from practicus_mfa.errors import RetryableError
from practicus_mfa.login.bulk import Runner
from practicus_mfa.login.bulk_work import BulkWork
from practicus_mfa.login.context import LoginContext
from practicus_mfa.login.hashing import Hashing
from practicus_mfa.login.housekeeping import Housekeeping
from practicus_mfa.login.keyring_reader import KeyringReader
from practicus_mfa.login.keyring_source import KeyringFile
from practicus_mfa.login.leases import DatabaseLease
from practicus_mfa.login.migrate_key import Treatment
from practicus_mfa.login.policy_reader import PolicyReader, look_at
from practicus_mfa.login.repeating import Repeating
from practicus_mfa.login.sealing import Sealing
from practicus_mfa.login.session_cache import SessionCache
from practicus_mfa.login.session_reading import SessionReader
from practicus_mfa.login.session_uses import FLUSH_SECONDS, SessionUses, writer
from practicus_mfa.storage.engine import Database
from practicus_mfa.web.app import make_app
from practicus_mfa.web.config import ServiceConfig
from practicus_mfa.web.forward_auth import ForwardAuth
from practicus_mfa.web.health import Health
from practicus_mfa.web.metrics import LoginMetrics
from practicus_mfa.web.serve import HttpServer
from practicus_mfa.web.service import Service

log = logging.getLogger(__name__)

PATIENCE: Final = 2.0
"""Seconds that a thread has for its last step; one that waits for a database that is away is left behind."""


class Replica:
    """A replica, made of its parts."""

    def __init__(
        self,
        config: ServiceConfig,
        connect: Callable[[], Database],
        keyring: Path,
        *,
        instance: str,
        treatment: Treatment,
    ) -> None:
        """Put it together; nothing is read and nothing contacted before :meth:`run`.

        Args:
            config: Its configuration.
            connect: Opens the database. Requests, readings of sessions, and what keeps the replica ready
                have one each: a pool that requests use up must not let a lease run out.
            keyring: The keyring's file, or the folder that it is mounted in.
            instance: What the lease is called.
            treatment: What a rotation does to tokens: administrators may ask for it too.

        Raises:
            UsageError: The database's URL can't be understood.
        """
        requests, readings, beside = self._databases = (connect(), connect(), connect())
        self.metrics: Final = LoginMetrics()
        self._config = config
        self._keyring = KeyringReader(KeyringFile(keyring), DatabaseLease(beside, instance))
        policy = PolicyReader(look_at(beside))
        self.health: Final = Health(self._keyring, policy)
        self._uses = SessionUses(writer(beside))
        self._cache = SessionCache(
            SessionReader(readings), self._uses, grace_seconds=config.login.outage_grace_seconds
        )
        runner = Runner(db=beside, name=instance, keys=self._keyring.keys, treatment=treatment)
        service = Service(
            ctx=LoginContext(
                db=requests,
                keys=self._keyring.keys,
                rules=policy.rules,
                clock=utc_now,
                hashing=Hashing(),
                config=config.login,
            ),
            uses=self._uses,
            cache=self._cache,
            config=config.login,
            ready=self.health.readiness,
            metrics=self.metrics,
            bulk=replace(runner, db=requests),
        )
        bulk = BulkWork(runner)
        self.app: Final = ForwardAuth(
            make_app(service),
            self._cache,
            config.login,
            observe=self.metrics.verify_seconds,
            unavailable=self.metrics.verify_unavailable,
        )
        # In the order in which they begin; they end backwards.
        self._threads = (
            Repeating("lease", self._keyring.step, at_end=self._keyring.withdraw),
            Repeating("policy", policy.step),
            Repeating("housekeeping", Housekeeping(beside).step),
            Repeating("sealing", Sealing(beside).step),
            Repeating("bulk", bulk.step, at_stop=bulk.end, at_end=bulk.leave),
            Repeating("uses", self._flush, at_end=self._flush),
        )

    async def run(self, server: HttpServer) -> None:
        """Serve until *server* is told to end; then end everything else."""
        for thread in self._threads:
            thread.start()
        sweeping = asyncio.create_task(self._cache.run())
        try:
            await server.serve()
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            for thread in reversed(self._threads):
                if not thread.stop(PATIENCE):
                    log.warning("the thread %s did not end in %d seconds", thread.name, PATIENCE)
            for database in self._databases:
                database.close()
            log.info("ended")

    def _flush(self) -> float:
        with suppress(RetryableError):  # they are kept for the next time
            self._uses.flush()
        return FLUSH_SECONDS
