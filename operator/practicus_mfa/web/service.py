"""What every view is given: what use cases need, the sessions of forward-auth, health and metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.login.bulk import Runner
from practicus_mfa.login.context import LoginContext
from practicus_mfa.login.session_cache import SessionCache
from practicus_mfa.login.session_uses import SessionUses
from practicus_mfa.web.health import Readiness
from practicus_mfa.web.metrics import LoginMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One replica, as its views see it.

    Attributes:
        ctx: What use cases are given.
        uses: Notes when sessions are used.
        cache: Sessions in memory, for forward-auth alone: pages read the database.
        config: How the service is reached, and what it is called.
        ready: Returns whether the replica may get requests.
        metrics: What happens is counted here.
        bulk: Does what administrators ask to be done to many users.
    """

    ctx: LoginContext
    uses: SessionUses
    cache: SessionCache
    config: LoginConfig
    ready: Callable[[], Readiness]
    metrics: LoginMetrics
    bulk: Runner
